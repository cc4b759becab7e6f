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
    "CONNECTION",
    "FOREIGN_HOST",
    "LARGEST_BODY",
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

CONNECTION: Final = "upbit_async.connection"
"""Scope extension with the adapter's `ConnectionControl`."""
FOREIGN_HOST: Final = "upbit_async.foreign_host"
"""Scope extension that is true if the ``Host`` of the request is not one of this server."""
LARGEST_BODY: Final = 2**20
"""Largest body that is read, in bytes."""
_BODILESS: Final = frozenset({204, 304})
_FORBIDDEN: Final = 403
"""Status that an ASGI server sends if a WebSocket is closed before it is accepted."""
_TOO_LARGE: Final = ErrorSpec(413, "payload_too_large")
_MISDIRECTED: Final = ErrorSpec(421, "misdirected_request")


class ConnectionControl(ABC):
    """Control over the connection of a request, which ASGI itself does not offer.

    Attributes:
        status_sent: Status with which the HTTP server itself has refused a broken request, if it did.
    """

    status_sent: int | None = None

    @abstractmethod
    def reset(self) -> None:
        """Reset the connection at once; unsent data is lost."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection after the data that was sent."""


class App(Starlette):
    """ASGI application that passes every HTTP request to a `Dispatcher`.

    Starlette handles the rest of ASGI. Its routing is not used, because it answers malformed requests without logging
    them.

    Args:
        dispatcher: Dispatcher for all requests, also those with unknown paths and methods.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
            return
        if scope["type"] == "websocket":  # refused by Starlette
            self._dispatcher.note(_head(scope), _FORBIDDEN)
        await super().__call__(scope, receive, send)

    def note_unreadable(self, status: int | None) -> None:
        """Log bytes that are no HTTP request.

        Args:
            status: Status that the HTTP server sent, or ``None`` if it sent no response.
        """
        self._dispatcher.note(SandboxRequest(method="", path=""), status)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, connection = _head(scope), _extensions(scope).get(CONNECTION)
        try:
            await _read_body(request, receive)
            is_complete = True
        except ClientDisconnect:
            is_complete = False
        refused_with = connection.status_sent if isinstance(connection, ConnectionControl) else None
        if not is_complete or refused_with is not None:
            self._dispatcher.note(request, refused_with)
            return
        delivery = self._dispatcher.serve(request)
        if delivery.delay:
            with anyio.move_on_after(delivery.delay):
                await _until_disconnect(receive)
        await _DeliveredResponse(delivery)(scope, receive, send)


def _head(scope: Scope) -> SandboxRequest:
    """Return a request without its body, with the reason for its rejection if there is one."""
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
    """Read the body of a request; stop as soon as it is too large.

    Raises:
        ClientDisconnect: The client disconnected before the end of its body.
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


class _DeliveredResponse(Response):
    """ASGI response that ends as a `Delivery` specifies."""

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
            _connection(scope).reset()
        elif self._ending != "hang":
            _connection(scope).close()
        # an ASGI server reports an error if the application returns before its response is complete
        await _until_disconnect(receive)


def _encoded(answer: SandboxResponse) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _connection(scope: Scope) -> ConnectionControl:
    connection = _extensions(scope).get(CONNECTION)
    if not isinstance(connection, ConnectionControl):
        raise RuntimeError("this server can't break connections; use Sandbox.serve() or Sandbox.client()")  # noqa: TRY004 - the caller's server lacks the extension
    return connection


def _extensions(scope: Scope) -> Mapping[str, object]:
    return cast("Mapping[str, object]", scope.get("extensions") or {})
