"""Other people's clients and a served sandbox: they get its address and keys, and nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

# Not imported by name: these are Any, because where types are checked these packages are missing.
upbit: Any = import_module("upbit")
ccxt: Any = import_module("ccxt.async_support")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def region() -> str:
    return "sg"


@pytest.fixture
def sandbox(region: str) -> Sandbox:
    return Sandbox(region)


@pytest.fixture
def url(sandbox: Sandbox) -> Generator[str]:
    with sandbox.serve() as url:
        yield url


@pytest.fixture
def keys(sandbox: Sandbox) -> dict[str, str]:
    credentials = sandbox.credentials
    return {"access_key": credentials.access_key.reveal(), "secret_key": credentials.secret_key.reveal()}


@pytest.fixture(params=["sync", "async", "aiohttp"])
async def sdk(request: pytest.FixtureRequest, url: str, keys: dict[str, str]) -> AsyncGenerator[Any]:
    """Give out the official SDK's clients; ``done`` and ``rows`` call them in one way."""
    if request.param == "sync":
        with upbit.Upbit(base_url=url, **keys) as client:
            yield client
        return
    http = upbit.DefaultAioHttpClient() if request.param == "aiohttp" else None
    async with upbit.AsyncUpbit(base_url=url, http_client=http, **keys) as client:
        yield client


@pytest.fixture
async def exchange(url: str, keys: dict[str, str]) -> AsyncGenerator[Any]:
    """Give out a client of ccxt."""
    client = ccxt.upbit(
        {
            "apiKey": keys["access_key"],
            "secret": keys["secret_key"],
            "urls": {"api": {"public": url, "private": url}},
            "timeout_on_exit": 0,
        }
    )
    try:
        yield client
    finally:
        await client.close()
