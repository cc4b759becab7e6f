"""Fixtures of the sandbox's tests: a sandbox whose clock the test sets, and a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox("sg", clock=clock, seed=1)


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncGenerator[SignedClient]:
    async with signed_client(sandbox) as client:
        yield client


@pytest.fixture(params=["in process", "on a socket"])
async def client_by_adapter(sandbox: Sandbox, request: pytest.FixtureRequest) -> AsyncGenerator[SignedClient]:
    """Provide a client through each adapter; on a socket, time must be real."""
    async with signed_client(sandbox) as client:
        if request.param == "in process":
            yield client
            return
        async with sandbox.serve() as url, httpx.AsyncClient(base_url=url) as client.http:
            yield client


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, tuple[str, int]]]:
    """Provide a sandbox on a socket, and its address."""
    sandbox = Sandbox("sg", limits=False)
    with sandbox.serve() as url:
        host, _, port = url.removeprefix("http://").rpartition(":")
        yield sandbox, (host, int(port))
