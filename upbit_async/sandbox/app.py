"""The HTTP face of the sandbox, on Starlette."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import anyio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from upbit_async.sandbox.messages import Answer, Request
from upbit_async.sandbox.routes import ROUTES

if TYPE_CHECKING:
    from starlette.requests import Request as HTTPRequest

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
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


class Wire(ABC):
    """What a door lets the application do to a connection; ASGI itself has no words for it."""

    @abstractmethod
    def reset(self) -> None:
        """Resets the connection at once; what was not yet sent is lost."""

    @abstractmethod
    def close(self) -> None:
        """Closes the connection after what was sent."""


class App(Starlette):
    """Answers HTTP requests out of a ``Front``.

    Args:
        front: What does the work. It sees unknown paths too: they are logged, and faults strike them.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        known = [Route(path, self._answer, methods=[method]) for method, path in ROUTES]
        super().__init__(routes=[*known, Route("/{anything:path}", self._answer, methods=_METHODS)])

    async def _answer(self, request: HTTPRequest) -> Response:
        try:
            delivery = self._front.serve(await _read(request))
        except ClientDisconnect:  # in the middle of its request
            return Response()
        if delivery.delay:
            with anyio.move_on_after(delivery.delay):
                await _client_gone(request.receive)
        return _Delivered(delivery)


async def _read(request: HTTPRequest) -> Request:
    return Request(
        method=request.method,
        path=request.url.path,
        query=cast("bytes", request.scope["query_string"]).decode("latin-1"),
        body=await request.body(),
        headers=dict(request.headers),
        client_ip=request.client.host if request.client else "",
    )


class _Delivered(Response):
    """An answer that reaches its client, or does not, as a ``Delivery`` says."""

    def __init__(self, delivery: Delivery) -> None:
        answer = delivery.answer
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


def _encoded(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _wire(scope: Scope) -> Wire:
    extensions = cast("Mapping[str, object]", scope.get("extensions") or {})
    wire = extensions.get(WIRE)
    if not isinstance(wire, Wire):
        raise RuntimeError("this server can't break connections; use Sandbox.serve() or Sandbox.client()")  # noqa: TRY004
    return wire
