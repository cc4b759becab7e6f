"""The door on a socket: an HTTP server in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from upbit_async.sandbox.app import WIRE, App, Receive, Scope, Send, Wire

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Serving"]

# "linger for no seconds": closing such a socket drops what is unsent and tells the peer with RST
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Serving:
    """Serves a sandbox while a ``with`` or ``async with`` block runs, which gets the base URL.

    The server has a thread and an event loop of its own, so that clients of any kind may call it: blocking
    ones, trio, other processes. Both ends of the block take a few milliseconds in which the caller's loop
    stands still. Connections that are open at the end are cut.

    Args:
        app: What is served.
        real_time: Makes the sandbox's clock go by the machine's while it is served.
        host: The address to listen on.
        port: The port to listen on; 0 chooses a free one.
    """

    def __init__(
        self, app: App, real_time: AbstractContextManager[None], *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._app = app
        self._real_time = real_time
        self._address = host, port
        self._exits = ExitStack()

    def __enter__(self) -> str:
        """Starts to listen; the base URL.

        Raises:
            OSError: The address is not free.
        """
        with ExitStack() as exits:
            listener = exits.enter_context(socket.create_server(self._address))
            exits.enter_context(self._real_time)
            exits.enter_context(_ServerThread(self._app, listener))
            host, port = cast("tuple[str, int]", listener.getsockname())
            self._exits = exits.pop_all()
        return f"http://{host}:{port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops, and cuts all connections."""
        self._exits.close()

    async def __aenter__(self) -> str:
        """The same as ``with``."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The same as ``with``."""
        self.__exit__(kind, error, trace)


class _ServerThread:
    """A thread with an event loop that serves until the block ends."""

    def __init__(self, app: App, listener: socket.socket) -> None:
        self._app = app
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
        # uvicorn.Server does the same with signal handlers, log lines and a tenth of a second at each end
        config = uvicorn.Config(self._app, lifespan="off", ws="none", log_config=None)
        config.load()
        state = ServerState()
        server = await self._loop.create_server(lambda: _Protocol(config, state, {}), sock=self._listener)
        await self._stop.wait()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks)  # they see that their client is gone


class _Protocol(H11Protocol):
    """One connection, which lets the application break it."""

    def __init__(self, config: uvicorn.Config, state: ServerState, app_state: dict[str, object]) -> None:
        super().__init__(config, state, app_state)
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = cast("socket.socket", transport.get_extra_info("socket"))
        # else a body waits for the client to acknowledge its head: about 40 ms for every answer
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app, wire = self.app, _SocketWire(transport)

        async def with_wire(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "extensions": {WIRE: wire}}, receive, send)

        self.app = with_wire


class _SocketWire(Wire):
    """A connection that can be broken."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        connection = cast("socket.socket", self._transport.get_extra_info("socket"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()
