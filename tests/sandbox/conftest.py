"""A client made by hand from the documents: it shares no code with the library, nor with the sandbox."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest

from upbit_async.credentials import Credentials
from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping


EXAMPLES = Path(__file__).parents[1] / "data" / "examples"

TRON: Mapping[str, str] = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
    "transaction_type": "default",
}


@attrs.define
class SignedClient:
    """Signs by the documented recipe and sends with plain httpx."""

    http: httpx.AsyncClient
    credentials: Credentials

    def token(
        self,
        text: str = "",
        *,
        nonce: str | None = None,
        algorithm: str = "HS256",
        claims: Mapping[str, object] | None = None,
    ) -> str:
        payload: dict[str, object] = {
            "access_key": self.credentials.access_key.reveal(),
            "nonce": nonce or str(uuid.uuid4()),
        }
        if text:
            payload["query_hash"] = hashlib.sha512(text.encode()).hexdigest()
            payload["query_hash_alg"] = "SHA512"
        header = {"alg": algorithm, "typ": "JWT"}
        signed = f"{_base64(header)}.{_base64(payload | dict(claims or {}))}"
        digest = f"sha{algorithm.removeprefix('HS')}"
        signature = hmac.digest(self.credentials.secret_key.reveal().encode(), signed.encode(), digest)
        return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    async def get(
        self, path: str, text: str = "", *, query: str | None = None, **token: Any
    ) -> httpx.Response:
        return await self.query("GET", path, text, query=query, **token)

    async def delete(self, path: str, text: str = "", **token: Any) -> httpx.Response:
        return await self.query("DELETE", path, text, **token)

    async def query(
        self, method: str, path: str, text: str = "", *, query: str | None = None, **token: Any
    ) -> httpx.Response:
        sent = text if query is None else query
        url = self.http.base_url.copy_with(raw_path=f"{path}?{sent}".rstrip("?").encode())
        return await self.http.request(
            method, url, headers={"Authorization": f"Bearer {self.token(text, **token)}"}
        )

    async def post(
        self, path: str, body: Mapping[str, object], *, text: str | None = None, **token: Any
    ) -> httpx.Response:
        text = "&".join(f"{key}={value}" for key, value in body.items()) if text is None else text
        return await self.http.post(
            path,
            content=json.dumps(body),
            headers={
                "Authorization": f"Bearer {self.token(text, **token)}",
                "Content-Type": "application/json; charset=utf-8",
            },
        )

    async def withdraw(self, *, nonce: str | None = None, **changes: str) -> httpx.Response:
        return await self.post("/v1/withdraws/coin", {**TRON, **changes}, nonce=nonce)


def _base64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@attrs.define
class ManualClock:
    """A clock that is set by hand."""

    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def watch() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sandbox(watch: ManualClock) -> Sandbox:
    return Sandbox("sg", clock=watch, seed=1)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, tuple[str, int]]]:
    """Give out a sandbox on a socket, and the address of that."""
    sandbox = Sandbox("sg", limits=False)
    with sandbox.serve() as url:
        host, _, port = url.removeprefix("http://").rpartition(":")
        yield sandbox, (host, int(port))


@asynccontextmanager
async def hand_at(
    sandbox: Sandbox, credentials: Credentials | None = None, *, client_ip: str = "127.0.0.1"
) -> AsyncGenerator[SignedClient]:
    transport = sandbox.transport(client_ip=client_ip)
    async with httpx.AsyncClient(transport=transport, base_url=sandbox.base_url) as http:
        yield SignedClient(http, credentials or sandbox.credentials)


@pytest.fixture
async def hand(sandbox: Sandbox) -> AsyncGenerator[SignedClient]:
    async with hand_at(sandbox) as made:
        yield made


@pytest.fixture(name="hand_at")
def _hand_at() -> Callable[..., AbstractAsyncContextManager[SignedClient]]:
    return hand_at


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(name="example")
def _example() -> Callable[[str], Any]:
    return example
