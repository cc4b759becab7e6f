"""Clients that are measured. Each makes the same few calls in its own way, with its default settings."""

from __future__ import annotations

import functools
import hashlib
import json
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlencode

import attrs
import httpx
import httpx2
import httpx_aiohttp
import jwt

from upbit_async import Credentials, RateLimiter, Timeouts, UpbitClient

__all__ = [
    "CCXT",
    "SDK",
    "Calls",
    "Make",
    "ccxt",
    "injected",
    "ours",
    "raw_httpx",
    "upbit_sdk",
    "without_missing",
]

KEYS = Credentials("A" * 40, "S" * 40)
ID = "00000000-0000-4000-8000-000000000001"
SDK, CCXT = "upbit-sdk", "ccxt"
MISSING = tuple(name for name, package in ((SDK, "upbit"), (CCXT, "ccxt")) if find_spec(package) is None)
Call = Callable[[], Coroutine[Any, Any, object]]
T = TypeVar("T")


@attrs.frozen
class Calls:
    """The same calls for every client.

    Attributes:
        small: One withdrawal by its id.
        wallets: The list of wallets.
        page: A page of withdrawals.
        withdraw: A withdrawal, of these members.
    """

    small: Call
    wallets: Call
    page: Call
    withdraw: Callable[[dict[str, str]], Awaitable[object]]


Make = Callable[[str], AbstractAsyncContextManager[Calls]]


def without_missing(clients: dict[str, T]) -> dict[str, T]:
    """Leave out the rivals that are not installed, and say so."""
    for name in clients:
        if name.startswith(MISSING):
            print(f"{name}: not installed, skipped")
    return {name: client for name, client in clients.items() if not name.startswith(MISSING)}


@asynccontextmanager
async def ours(
    url: str,
    *,
    keys: Credentials = KEYS,
    limiter: RateLimiter | None = None,
    read: float = 10.0,
    make_http: Callable[[], Any] | None = None,
) -> AsyncGenerator[Calls]:
    """This library."""
    async with AsyncExitStack() as stack:
        http = None if make_http is None else await stack.enter_async_context(make_http())
        client = UpbitClient(
            "sg", credentials=keys, base_url=url, limiter=limiter, http=http, timeouts=Timeouts(read=read)
        )
        await stack.enter_async_context(client)
        withdraws: Any = client.withdraws
        yield Calls(
            functools.partial(client.withdraws.get, ID),
            client.status.wallets,
            client.withdraws.list,
            lambda members: withdraws.create(**members),
        )


def injected(library: str) -> Callable[[], Any]:
    """Return what makes an HTTP client for us to be injected, with as many connections as we have."""
    ten: dict[str, Any] = {"max_connections": 10, "max_keepalive_connections": 10}
    if library == "httpx2":
        return functools.partial(httpx2.AsyncClient, limits=httpx2.Limits(**ten))
    return functools.partial(httpx_aiohttp.HttpxAiohttpClient, limits=httpx.Limits(**ten))


@asynccontextmanager
async def raw_httpx(
    url: str, *, keys: Credentials = KEYS, connections: int = 10, read: float = 10.0
) -> AsyncGenerator[Calls]:
    """The bare library: a token made by hand, ``json.loads``, and by default a pool of ten as we have."""
    kept = min(connections, 20)  # httpx's own number, for as long as we keep ours
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=kept, keepalive_expiry=60)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=read) as http:

        async def get(path: str, **params: str) -> object:
            answer = await http.get(path, params=params, headers=_signed(keys, params))
            return json.loads(answer.content)

        async def withdraw(members: dict[str, str]) -> object:
            answer = await http.post("/v1/withdraws/coin", json=members, headers=_signed(keys, members))
            return json.loads(answer.raise_for_status().content)

        yield Calls(
            functools.partial(get, "/v1/withdraw", uuid=ID),
            functools.partial(get, "/v1/status/wallet"),
            functools.partial(get, "/v1/withdraws", limit="100", order_by="desc"),
            withdraw,
        )


def _signed(keys: Credentials, members: dict[str, str]) -> dict[str, str]:
    claims = {"access_key": keys.access_key.reveal(), "nonce": str(uuid.uuid4())}
    if members:
        query = urlencode(members)
        claims |= {"query_hash": hashlib.sha512(query.encode()).hexdigest(), "query_hash_alg": "SHA512"}
    token = jwt.encode(claims, keys.secret_key.reveal())  # pyright: ignore[reportUnknownMemberType] - PyJWT's
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def upbit_sdk(url: str, *, keys: Credentials = KEYS, **options: Any) -> AsyncGenerator[Calls]:
    """The official SDK's async client."""
    upbit: Any = import_module("upbit")
    access_key, secret_key = keys.access_key.reveal(), keys.secret_key.reveal()
    async with upbit.AsyncUpbit(
        access_key=access_key, secret_key=secret_key, base_url=url, **options
    ) as client:

        async def page() -> object:
            return await client.withdraws.list(limit=100)

        yield Calls(
            functools.partial(client.withdraws.retrieve, uuid=ID),
            client.wallet_status.list,
            page,
            lambda members: client.withdraws.create_withdrawal(**members),
        )


@asynccontextmanager
async def ccxt(
    url: str, *, keys: Credentials = KEYS, throttle: bool = True, read: float = 10.0
) -> AsyncGenerator[Calls]:
    """ccxt's async client; it answers with dictionaries."""
    library: Any = import_module("ccxt.async_support")
    client = library.upbit(
        {
            "apiKey": keys.access_key.reveal(),
            "secret": keys.secret_key.reveal(),
            "urls": {"api": {"public": url, "private": url}},
            "enableRateLimit": throttle,
            "timeout": read * 1000,
        }
    )
    try:
        yield Calls(
            functools.partial(client.private_get_withdraw, {"uuid": ID}),
            client.private_get_status_wallet,
            functools.partial(client.private_get_withdraws, {"limit": "100"}),
            client.private_post_withdraws_coin,
        )
    finally:
        await client.close()
