"""Bounded sockets: a withdrawal that was given up cannot arrive later.

Its socket gets a time limit before the first byte, and is aborted before the outcome is reported as unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.metadata
import sys
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import attrs
import httpx
import httpx2
import pytest
from clients import SHORT, WITHDRAWAL, client_for, withdrawal_json
from fault_server import Connection, http, serve
from sockets import is_open, linger_of, user_timeout_of
from tls import client_context, server_context

from upbit_async import Timeouts, UpbitClient, errors
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.send_guard import SigningParams
from upbit_async.sandbox import Fault, Sandbox
from upbit_async.transport import bounding, http_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from fault_server import FaultServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads socket options of Linux")

HTTP: dict[str, Callable[[], Any] | None] = {
    "own": None,
    "httpx": lambda: httpx.AsyncClient(verify=client_context(), trust_env=False),
    "httpx2": lambda: httpx2.AsyncClient(verify=client_context(), trust_env=False),
}
EVERY_HTTP = pytest.mark.parametrize("make_http", HTTP.values(), ids=HTTP)
PLAIN_AND_TLS = pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])


ABORT, NORMAL = (1, 0), (0, 0)


def _unbounded(_sock: object, _seconds: float) -> bool:
    return False


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_port, "_tls_context", functools.cache(client_context))


@contextlib.asynccontextmanager
async def _client(
    url: str, make_http: Callable[[], Any] | None, **options: Any
) -> AsyncGenerator[UpbitClient]:
    async with contextlib.AsyncExitStack() as stack:
        if make_http is not None:
            options["http"] = await stack.enter_async_context(make_http())
        yield await stack.enter_async_context(client_for(url, **options))


@attrs.define
class Seen:
    """Options of the client's socket while the server had its request."""

    address: tuple[str, int] = ("", 0)
    linger: tuple[int, int] = (-1, -1)
    user_timeout: int = -1

    async def take(self, connection: Connection) -> None:
        self.address = connection.client_address
        self.linger = linger_of(self.address)
        self.user_timeout = user_timeout_of(self.address)


async def _serving(seen: Seen, connection: Connection, request: bytes) -> None:
    await seen.take(connection)
    await connection.send(http(201, withdrawal_json()) if request.startswith(b"POST") else http(200))


@EVERY_HTTP
@PLAIN_AND_TLS
async def test_withdrawal_socket_is_bounded_until_its_answer_arrives(
    make_http: Callable[[], Any] | None, secure: bool
) -> None:
    seen = Seen()
    async with (
        serve(functools.partial(_serving, seen), tls=server_context() if secure else None) as server,
        _client(server.url, make_http, timeouts=Timeouts(read=7.5)) as client,
    ):
        await client.withdraws.create(**WITHDRAWAL)
        assert (seen.linger, seen.user_timeout) == (ABORT, 7500)
        assert linger_of(seen.address) == NORMAL


@EVERY_HTTP
async def test_read_socket_is_not_bounded(make_http: Callable[[], Any] | None) -> None:
    seen = Seen()
    async with (
        serve(functools.partial(_serving, seen)) as server,
        _client(server.url, make_http) as client,
    ):
        await client.withdraws.list()
    assert (seen.linger, seen.user_timeout) == (NORMAL, 0)


@EVERY_HTTP
async def test_socket_is_bounded_before_the_tls_handshake(
    make_http: Callable[[], Any] | None,
) -> None:
    seen = Seen()

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()  # the client's hello
            await seen.take(Connection(stream))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's
    async with (
        listener,
        anyio.create_task_group() as tasks,
        _client(f"https://127.0.0.1:{port}", make_http) as client,
    ):
        tasks.start_soon(listener.serve, handle)
        with pytest.raises(errors.NotSent):
            await client.withdraws.create(**WITHDRAWAL)
        tasks.cancel_scope.cancel()
    assert (seen.linger, seen.user_timeout) == (ABORT, SHORT.read * 1000)


# On asyncio, anyio 4.14 sends an end of file before it aborts a connection, and the peer sees that first.
_HALF_CLOSES_FIRST = importlib.metadata.version("anyio").startswith("4.14.")


@EVERY_HTTP
@PLAIN_AND_TLS
@pytest.mark.parametrize("limit", ["read", "total"])
async def test_connection_is_aborted_before_the_outcome_is_unknown(
    make_http: Callable[[], Any] | None, secure: bool, limit: str
) -> None:
    addresses: list[tuple[str, int]] = []
    endings: list[str] = []
    ended = anyio.Event()

    async def behaviour(connection: Connection, request: bytes) -> bool:
        addresses.append(connection.client_address)
        try:
            await connection.stream.receive()
        except anyio.EndOfStream:
            endings.append("closed")
        except anyio.BrokenResourceError:
            endings.append("reset")
        ended.set()
        return False

    timeouts = attrs.evolve(Timeouts(read=5, total=5), **{limit: 0.5})
    async with (
        serve(behaviour, tls=server_context() if secure else None) as server,
        _client(server.url, make_http, timeouts=timeouts) as client,
    ):
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.withdraws.create(**WITHDRAWAL)
        assert [is_open(address) for address in addresses] == [False]
        assert caught.value.connection_bounded
        with anyio.fail_after(20):
            await ended.wait()
    on_asyncio = anyio.get_cancelled_exc_class() is asyncio.CancelledError
    assert endings == ["closed" if _HALF_CLOSES_FIRST and on_asyncio else "reset"]


@attrs.define
class Guard:
    """A send guard that allows everything, and records whether a bounded connection was expected."""

    must_stop = False

    client: UpbitClient
    expected: bool | None = None

    async def record_departure(self) -> SigningParams:
        self.expected = self.client.transport.bounds_connections
        return SigningParams(nonce="the nonce", algorithm="HS256")

    async def may_send(self) -> bool:
        return True


@EVERY_HTTP
async def test_guarded_request_is_not_sent_on_an_unbounded_connection(
    make_http: Callable[[], Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serve(functools.partial(_serving, Seen())) as server,
        _client(server.url, make_http) as client,
    ):
        await client.withdraws.list()  # now the injected client is known to bound its connections
        assert client.transport.bounds_connections
        assert bounding.is_supported()
        monkeypatch.setattr(bounding, "bound", _unbounded)
        guard = Guard(client)
        with pytest.raises(errors.NotSent, match="could not be bounded"):
            await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL, guard=guard)
        assert guard.expected
        assert [request for request in server.requests if request.startswith(b"POST")] == []


@pytest.mark.parametrize("make_http", [HTTP["httpx"], HTTP["httpx2"]], ids=["httpx", "httpx2"])
async def test_injected_client_known_as_unbounded_sends_as_unbounded(
    make_http: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serve(functools.partial(_serving, Seen())) as server,
        _client(server.url, make_http) as client,
    ):
        assert not client.transport.bounds_connections  # nothing is known yet
        await client.withdraws.list()
        monkeypatch.setattr(bounding, "bound", _unbounded)
        with pytest.raises(errors.NotSent):
            await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL, guard=Guard(client))
        for _ in range(2):
            guard = Guard(client)
            await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL, guard=guard)
            assert guard.expected is False
            await client.withdraws.list()


async def test_error_says_that_the_connection_was_not_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def behaviour(connection: Connection, request: bytes) -> bool:
        return False

    monkeypatch.setattr(bounding, "bound", _unbounded)
    async with serve(behaviour) as server, client_for(server.url) as client:
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.withdraws.create(**WITHDRAWAL)
    assert not caught.value.connection_bounded


async def test_in_process_sandbox_counts_as_bounded() -> None:
    async with Sandbox("sg") as sandbox:
        sandbox.faults.add(Fault.lose_answer("POST"))
        client = sandbox.client()
        await client.status.wallets()
        assert client.transport.bounds_connections
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.withdraws.create(**WITHDRAWAL)
    assert caught.value.connection_bounded


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_http_client_without_trace_counts_as_unbounded(
    server: FaultServer,
) -> None:
    from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - an extra

    async with (
        httpx.AsyncClient(transport=AiohttpTransport(), trust_env=False) as library,
        client_for(server.url, http=library) as client,
    ):
        await client.withdraws.list()
        assert not client.transport.bounds_connections
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.withdraws.create(**WITHDRAWAL)
        assert not caught.value.connection_bounded


@pytest.fixture
async def server() -> AsyncGenerator[FaultServer]:
    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        if request.startswith(b"POST"):
            return False
        await connection.send(http(200))
        return None

    async with serve(behaviour) as server:
        yield server
