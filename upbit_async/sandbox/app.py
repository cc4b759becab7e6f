"""ASGI application of the sandbox, on Starlette."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import anyio
import attrs
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from upbit_async.sandbox.knobs import ErrorSpec
from upbit_async.sandbox.messages import SandboxRequest, SandboxResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from upbit_async.sandbox.dispatcher import Dispatcher
    from upbit_async.sandbox.faults import Delivery

__all__ = [
    "FOREIGN_HOST",
    "LARGEST_BODY",
    "WIRE",
    "App",
    "ConnectionControl",
    "Message",
    "Receive",
    "Scope",
    "Send",
]

# ASGI's dictionaries are of mixed types by specification: https://asgi.readthedocs.io/en/latest/specs/www.html
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

WIRE: Final = "upbit_async.wire"
"""The scope extension in which a door puts its `ConnectionControl`."""
FOREIGN_HOST: Final = "upbit_async.foreign_host"
"""The scope extension that is true if the request names a host for which the server does not answer."""
LARGEST_BODY: Final = 2**20
"""The largest body that is read, in bytes."""
_BODILESS: Final = frozenset({204, 304})
_FORBIDDEN: Final = 403
"""What an ASGI server answers where a WebSocket is closed before it is accepted."""
_TOO_LARGE: Final = ErrorSpec(413, "payload_too_large")
_MISDIRECTED: Final = ErrorSpec(421, "misdirected_request")


class ConnectionControl(ABC):
    """What a door lets the application do to a connection; ASGI itself has no words for it.

    Attributes:
        status_sent: The status with which the HTTP server itself has refused a request that broke off.
    """

    status_sent: int | None = None

    @abstractmethod
    def reset(self) -> None:
        """Resets the connection at once; what was not yet sent is lost."""

    @abstractmethod
    def close(self) -> None:
        """Closes the connection after what was sent."""


class App(Starlette):
    """Answers HTTP requests out of a `Dispatcher`.

    Starlette serves the rest of ASGI; its routing would answer and not log what it can't read.

    Args:
        front: What does the work. It sees every request: unknown paths and methods are logged too.
    """

    def __init__(self, front: Dispatcher) -> None:
        super().__init__()
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI says."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
            return
        if scope["type"] == "websocket":  # there are none here
            self._front.note(_head(scope), _FORBIDDEN)
        await super().__call__(scope, receive, send)

    def note_unreadable(self, status: int | None) -> None:
        """Log that something came in which is no HTTP request.

        Args:
            status: The status that the HTTP server sent, or ``None`` if it sent no answer.
        """
        self._front.note(SandboxRequest(method="", path=""), status)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, wire = _head(scope), _extensions(scope).get(WIRE)
        try:
            await _read_body(request, receive)
            has_left = False
        except ClientDisconnect:  # in the middle of its request
            has_left = True
        refused_with = wire.status_sent if isinstance(wire, ConnectionControl) else None
        if has_left or refused_with is not None:
            self._front.note(request, refused_with)
            return
        delivery = self._front.serve(request)
        if delivery.delay:
            with anyio.move_on_after(delivery.delay):
                await _client_gone(receive)
        await _Delivered(delivery)(scope, receive, send)


def _head(scope: Scope) -> SandboxRequest:
    """Return a request without its body, if need be with the reason not to read that."""
    headers = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
    client = cast("Sequence[str] | None", scope.get("client"))
    return SandboxRequest(
        method=cast("str", scope.get("method", "GET")),
        path=cast("str", scope["path"]),
        query=cast("bytes", scope.get("query_string", b"")).decode("latin-1"),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers},
        client_ip=client[0] if client else "",
        rejection=_MISDIRECTED if _extensions(scope).get(FOREIGN_HOST) else None,
    )


async def _read_body(request: SandboxRequest, receive: Receive) -> None:
    """Read a body; of one that is too large no more than it takes to notice.

    Raises:
        ClientDisconnect: The client left before the end of its body.
    """
    pieces, size, is_complete = list[bytes](), 0, request.rejection is not None
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(cast("bytes", message.get("body", b"")))
        size += len(pieces[-1])
        if size > LARGEST_BODY:
            request.rejection = _TOO_LARGE
            return
        is_complete = not message.get("more_body", False)
    request.body = b"".join(pieces)


class _Delivered(Response):
    """An answer that reaches its client, or does not, as a ``Delivery`` says."""

    def __init__(self, delivery: Delivery) -> None:
        answer = delivery.answer
        if answer.status in _BODILESS:
            answer = attrs.evolve(answer, body=b"")
        if delivery.ending == "cut":  # the head promises the whole body, or one byte where there is none
            answer = answer.with_headers(("Content-Length", str(max(1, len(answer.body)))))
        super().__init__(answer.body, answer.status)
        self.raw_headers = _encoded(answer)
        self._ending = delivery.ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._ending == "send":
            await super().__call__(scope, receive, send)
            return
        if self._ending == "cut":
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            half = self.body[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        if self._ending == "reset":
            _wire(scope).reset()
        elif self._ending != "hang":
            _wire(scope).close()
        # to return now, with less than an answer sent, would be a mistake of ours in the server's eyes
        await _client_gone(receive)


def _encoded(answer: SandboxResponse) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _wire(scope: Scope) -> ConnectionControl:
    wire = _extensions(scope).get(WIRE)
    if not isinstance(wire, ConnectionControl):
        raise RuntimeError("this server can't break connections; use Sandbox.serve() or Sandbox.client()")  # noqa: TRY004
    return wire


def _extensions(scope: Scope) -> Mapping[str, object]:
    return cast("Mapping[str, object]", scope.get("extensions") or {})
