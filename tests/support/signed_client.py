"""A signed HTTP client that follows the documentation only: it shares no code with the library or the sandbox."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import httpx

from upbit_async.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from upbit_async.sandbox import Sandbox

__all__ = ["ManualClock", "SignedClient", "signed_client"]

TRON: Mapping[str, str] = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
    "transaction_type": "default",
}


@attrs.define
class SignedClient:
    """Client that signs by the documented recipe and sends with plain httpx."""

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
    """Clock that a test sets."""

    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@asynccontextmanager
async def signed_client(
    sandbox: Sandbox, credentials: Credentials | None = None, *, client_ip: str = "127.0.0.1"
) -> AsyncGenerator[SignedClient]:
    """Open a client of a sandbox, in process."""
    transport = sandbox.transport(client_ip=client_ip)
    async with httpx.AsyncClient(transport=transport, base_url=sandbox.base_url) as http:
        yield SignedClient(http, credentials or sandbox.credentials)
