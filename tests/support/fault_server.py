"""A server on a real socket whose answers a test prescribes byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.abc
import attrs
from anyio.streams.tls import TLSListener

if TYPE_CHECKING:
    import ssl

__all__ = ["Connection", "Ending", "FaultServer", "answers", "closes", "hangs", "http", "resets", "serve"]

GOOD = b"[]"


@attrs.define(eq=False)
class Connection:
    """One accepted connection, which a test's behaviour is given."""

    stream: anyio.abc.ByteStream
    buffer: bytes = b""

    async def request(self) -> bytes:
        """Read one whole request: head and body."""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += await self.stream.receive()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(rest) < length:
            rest += await self.stream.receive()
        self.buffer = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send(data)

    async def hang(self) -> None:
        """Send nothing until the client closes the connection."""
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                await self.stream.receive()

    @property
    def client_address(self) -> tuple[str, int]:
        """The address of the client's end."""
        address = self.stream.extra(anyio.abc.SocketAttribute.remote_address)  # noqa: S610 - anyio's
        return cast("tuple[str, int]", address)

    def reset(self) -> None:
        """Close the connection with RST rather than FIN."""
        raw: socket.socket = self.stream.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610 - anyio's
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Behaviour = Callable[[Connection, bytes], Awaitable[bool | None]]
"""Answers one request; False ends the connection."""

Ending = Callable[[Connection], Awaitable[bool | None]]
"""Answers any request on a connection; False ends the connection."""


def answers(data: bytes) -> Ending:
    """Send these bytes and keep the connection open."""

    async def behave(connection: Connection) -> None:
        await connection.send(data)

    return behave


async def resets(connection: Connection) -> bool:
    """Close the connection with RST."""
    connection.reset()
    return False


async def closes(connection: Connection) -> bool:
    """Close the connection with FIN."""
    return False


async def hangs(connection: Connection) -> None:
    """Send nothing."""
    await connection.hang()


@attrs.define(eq=False)
class FaultServer:
    """A server with its requests so far, and its behaviour."""

    url: str
    behaviour: Behaviour
    requests: list[bytes] = attrs.field(factory=list[bytes])
    connections: int = 0
    open: int = 0

    async def handle(self, stream: anyio.abc.ByteStream) -> None:
        """Serve one connection."""
        self.connections += 1
        self.open += 1
        connection = Connection(stream)
        try:
            async with stream:
                with contextlib.suppress(
                    anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError
                ):
                    while True:
                        request = await connection.request()
                        self.requests.append(request)
                        if await self.behaviour(connection, request) is False:
                            return
        finally:
            self.open -= 1


def http(status: int, body: bytes = GOOD, *headers: str, reason: str = "Whatever") -> bytes:
    """Write an HTTP answer."""
    lines = [f"HTTP/1.1 {status} {reason}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@contextlib.asynccontextmanager
async def serve(
    behaviour: Behaviour, *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[FaultServer, None]:
    """Serve on a free port of this machine until the block ends."""
    listener: anyio.abc.Listener[Any] = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's
    server = FaultServer(f"{'http' if tls is None else 'https'}://127.0.0.1:{port}", behaviour)
    if tls is not None:
        listener = TLSListener(listener, tls, standard_compatible=False)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.handle)
        yield server
        tasks.cancel_scope.cancel()
