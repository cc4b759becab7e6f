"""The sandbox as an ASGI application."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import anyio

from upbit_async.sandbox.messages import Answer, Request

if TYPE_CHECKING:
    from upbit_async.sandbox.faults import Delivery
    from upbit_async.sandbox.front import Front

__all__ = ["WIRE", "App", "Message", "Receive", "Scope", "Send", "Wire"]

# ASGI's dictionaries are of mixed types by specification: https://asgi.readthedocs.io/en/latest/specs/www.html
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

WIRE: Final = "upbit_async.wire"
"""The scope extension in which a door puts its ``Wire``."""


class Wire(ABC):
    """What a door lets the application do to a connection; ASGI itself has no words for it."""

    @abstractmethod
    def reset(self) -> None:
        """Resets the connection at once; what was not yet sent is lost."""

    @abstractmethod
    def close(self) -> None:
        """Closes the connection after what was sent."""


class App:
    """Answers HTTP requests out of a ``Front``.

    Args:
        front: What does the work.
    """

    def __init__(self, front: Front) -> None:
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request.

        Raises:
            RuntimeError: The scope is not HTTP, or a fault needs a ``Wire`` and the server in use gives none.
        """
        if scope["type"] != "http":
            raise RuntimeError(f"the sandbox speaks HTTP only, not {scope['type']}")
        request = await _read(scope, receive)
        if request is None:
            return
        delivery = self._front.serve(request)
        if delivery.delay:
            with anyio.move_on_after(delivery.delay):
                await _client_gone(receive)
                return
        await _deliver(delivery, scope, receive, send)


async def _read(scope: Scope, receive: Receive) -> Request | None:
    """The whole request, or ``None`` when the client went away in the middle of it."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += cast("bytes", message.get("body", b""))
        more = cast("bool", message.get("more_body", False))
    headers = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
    client = cast("tuple[str, int] | None", scope.get("client"))
    return Request(
        method=cast("str", scope["method"]),
        path=cast("str", scope["path"]),
        query=cast("bytes", scope["query_string"]).decode("latin-1"),
        body=body,
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers},
        client_ip=client[0] if client else "",
    )


async def _deliver(delivery: Delivery, scope: Scope, receive: Receive, send: Send) -> None:
    if delivery.ending == "send":
        await _send_head(delivery.answer, send)
        await send({"type": "http.response.body", "body": delivery.answer.body})
        return
    if delivery.ending == "cut":
        await _send_half(delivery.answer, send)
    if delivery.ending == "reset":
        _wire(scope).reset()
    elif delivery.ending != "hang":
        _wire(scope).close()
    # to return now, with less than an answer sent, would be a mistake of ours in the server's eyes
    await _client_gone(receive)


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_head(answer: Answer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _send_half(answer: Answer, send: Send) -> None:
    """The head promises the whole body, or one byte where there is none; half of it follows."""
    length = ("Content-Length", str(max(1, len(answer.body))))
    await _send_head(answer.with_headers(length), send)
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})


def _wire(scope: Scope) -> Wire:
    extensions = cast("Mapping[str, object]", scope.get("extensions") or {})
    wire = extensions.get(WIRE)
    if not isinstance(wire, Wire):
        raise RuntimeError("this server can't break connections; use Sandbox.serve() or Sandbox.client()")  # noqa: TRY004
    return wire
