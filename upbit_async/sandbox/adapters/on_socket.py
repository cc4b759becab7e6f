"""Socket adapter: an HTTP server in a separate thread."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Final, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from upbit_async.sandbox.adapters.hosts import base_url, is_local, is_local_header
from upbit_async.sandbox.app import CONNECTION, FOREIGN_HOST, App, ConnectionControl, Receive, Scope, Send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

__all__ = ["Serving"]

# linger on, for 0 seconds: closing such a socket drops unsent data and sends an RST
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Serving:
    """Context manager, sync and async, that serves a sandbox; its value is the base URL.

    The server runs in its own thread with its own event loop, so clients of any kind may call it: blocking ones, trio,
    other processes. Entering and leaving the block stops the caller's event loop for a few milliseconds. Connections
    that are open at the end are closed.

    Args:
        app: Application to serve.
        real_time: Context manager that makes the sandbox's clock follow the machine's.
        host: Address to listen on. Default 127.0.0.1.
        port: Port to listen on; 0 for a free one. Default 0.
        allow_remote: Whether other machines may call it. Otherwise it listens on loopback only and refuses requests
            with another ``Host``.

    Raises:
        ValueError: ``host`` is not a loopback address, and ``allow_remote`` is false.
    """

    def __init__(
        self,
        app: App,
        real_time: AbstractContextManager[None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
    ) -> None:
        if not allow_remote and not is_local(host):
            raise ValueError(
                f"host must be a loopback address such as 127.0.0.1, got {host!r}; "
                "pass allow_remote=True to let other machines call the sandbox"
            )
        self._app = app
        self._real_time = real_time
        self._address = host, port
        self._allow_remote = allow_remote
        self._exits = ExitStack()

    def __enter__(self) -> str:
        """Start the server and return its base URL.

        Raises:
            OSError: The address can't be listened on.
        """
        with ExitStack() as exits:
            family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
            listener = exits.enter_context(socket.create_server(self._address, family=family))
            exits.enter_context(self._real_time)
            exits.enter_context(_ServerThread(self._app, listener, allow_remote=self._allow_remote))
            host, port, *_ = cast("tuple[str, int]", listener.getsockname())
            self._exits = exits.pop_all()
        return base_url(host, port)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and close all connections."""
        self._exits.close()

    async def __aenter__(self) -> str:
        """Do the same as ``with``."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do the same as ``with``."""
        self.__exit__(kind, error, trace)


class _ServerThread:
    """Thread with an event loop that serves until the block ends."""

    def __init__(self, app: App, listener: socket.socket, *, allow_remote: bool) -> None:
        self._app = app
        self._allow_remote = allow_remote
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="upbit_async sandbox", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        # uvicorn.Server would add signal handlers, log lines and 0.1 s at each end
        config = uvicorn.Config(self._app, lifespan="off", ws="none", log_config=None, proxy_headers=False)
        config.load()
        state = ServerState()
        server = await self._loop.create_server(lambda: self._protocol(config, state), sock=self._listener)
        await self._stop.wait()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks)  # they end because their client is disconnected

    def _protocol(self, config: uvicorn.Config, state: ServerState) -> _Protocol:
        return _Protocol(config, state, note_unreadable=self._note_unreadable, any_host=self._allow_remote)

    def _note_unreadable(self, status: int | None) -> None:
        self._app.note_unreadable(status)


class _Protocol(H11Protocol):
    """HTTP/1.1 protocol of one connection, which lets the application break the connection.

    Args:
        config: Configuration of uvicorn.
        state: State that all connections share.
        note_unreadable: Function that logs bytes that are no HTTP request, given the status that was sent.
        any_host: Whether requests with any ``Host`` are answered.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        *,
        note_unreadable: Callable[[int | None], None],
        any_host: bool,
    ) -> None:
        super().__init__(config, state, {})
        self.access_log = False
        self._note_unreadable = note_unreadable
        self._any_host = any_host
        self._control: ConnectionControl | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = cast("socket.socket", transport.get_extra_info("socket"))
        # else the body waits until the client acknowledges the head, about 40 ms per response
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = self.app
        self._control = control = _SocketControl(transport)

        async def with_control(scope: Scope, receive: Receive, send: Send) -> None:
            is_foreign = not self._any_host and not is_local_header(_host_header(scope))
            await app({**scope, "extensions": {CONNECTION: control, FOREIGN_HOST: is_foreign}}, receive, send)

        self.app = with_control

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP, and log them, unless the application is reading the request and logs it."""
        is_open = self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}
        is_request = bool(self.cycle) and not self.cycle.response_complete
        if is_open:
            try:
                super().send_400_response(msg)
            except h11.LocalProtocolError:  # after its head: an answer to HEAD has no body
                self.transport.close()
        else:  # a response is being sent already
            self.transport.close()
        if not is_request:
            self._note_unreadable(400 if is_open else None)
        elif is_open and self._control is not None:
            self._control.status_sent = 400
            self.cycle.disconnected = True  # so that the application does not respond too
            self.cycle.message_event.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Log a request whose head was incomplete."""
        rest, _ = self.conn.trailing_data
        if rest and self.conn.their_state in {h11.IDLE, h11.DONE}:
            self._note_unreadable(None)
        super().connection_lost(exc)


def _host_header(scope: Scope) -> str:
    headers = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
    return next((value.decode("latin-1") for name, value in headers if name == b"host"), "")


class _SocketControl(ConnectionControl):
    """Control over a connection on a socket."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        connection = cast("socket.socket", self._transport.get_extra_info("socket"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()
