"""Progress of one request, followed through the HTTP library's trace events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from upbit_async.logs import logger
from upbit_async.transport import bounding

__all__ = ["RequestProgress", "Withheld"]

_log = logger("upbit_async.http")


class Withheld(Exception):
    """Raised inside the HTTP library to stop a request before its first byte."""

    def __init__(self, text: str = "held back before its first byte") -> None:
        super().__init__(text)


@attrs.define(eq=False)
class RequestProgress:
    """What is known of a request under way.

    Attributes:
        must_stop: Says that nothing may leave any more (the key was banned, say).
        permit: Asked when the first byte is about to leave; only True lets it.
        departing: Awaited when the first byte is about to leave; it may raise to stop it.
        begun: Whether the HTTP library was asked to send it.
        heard: Whether the HTTP library tells anything of what it does; not all do.
        candid: Whether the HTTP library is known to say "could not connect" only of what never left.
        departed: Whether the first byte may have left.
        unwanted: Whether the caller was cancelled.
        abandoned: Whether the caller has gone, knowing that nothing has left; nothing may leave any more.
        once: Whether the request must not happen twice, so that it needs a connection that was never used before.
        drop_after: How long the kernel may keep bytes of a request that must not happen twice, in seconds.
        must_be_bounded: Whether it may leave only on a connection that is bounded (see `bounding`).
        fresh: Whether the connection is known to carry no other request's answer.
        bounded: Whether the kernel drops what the connection has not delivered when it is given up.
        was_reused: Whether it was held back because the connection had been used before.
        was_unbounded: Whether it was held back because the connection could not be bounded.
        boundable: Whether connections of this kind can be bounded; None if the HTTP library does not say.
    """

    must_stop: Callable[[], bool] = bool
    permit: Callable[[], Awaitable[bool]] | None = None
    departing: Callable[[], Awaitable[None]] | None = None
    begun: bool = False
    heard: bool = False
    candid: bool = False
    departed: bool = False
    unwanted: bool = False
    abandoned: bool = False
    once: bool = False
    drop_after: float = 0.0
    must_be_bounded: bool = False
    fresh: bool = False
    bounded: bool = False
    was_reused: bool = False
    was_unbounded: bool = False
    boundable: bool | None = None
    _socket: Any = None

    @property
    def certainly_here(self) -> bool:
        """Whether nothing of the request can have left."""
        return not self.begun or (self.heard and not self.departed)

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Follow httpcore's events."""
        self.heard = True
        if event.endswith("send_request_headers.started"):
            if _is_for_a_proxy(info):
                return
            if info.get("in_process"):
                self.fresh = self.bounded = True  # there is no network in which anything could be late
            self._choose(is_shared=event.startswith("http2."))
            await self.depart()
            self.departed = True
        elif event.endswith(".complete") and event.startswith("connection."):
            self._follow_connecting(event, info.get("return_value"))

    async def depart(self) -> None:
        """Ask everybody whether the first byte may leave.

        Raises:
            Withheld: It may not.
        """
        if self.must_stop() or not await self._is_permitted():
            raise Withheld
        if self.departing is not None:
            await self.departing()

    def forget_connection(self) -> None:
        """Begin again on another connection."""
        self.fresh = self.bounded = self.was_reused = False
        self._socket = None

    def take_answer(self) -> None:
        """Let the connection be closed as usual again: a whole answer has come."""
        if self._socket is not None:
            bounding.clear_linger(self._socket)

    def _follow_connecting(self, event: str, result: Any) -> None:
        if event.endswith(("connect_tcp.complete", "connect_unix_socket.complete")):
            self.fresh = True
            self.boundable = event.endswith("connect_tcp.complete")
            if self.once:
                self._socket = _extra(result, "socket")
                self.bounded = self.boundable and bounding.bound(self._socket, self.drop_after)
        elif event.endswith("start_tls.complete") and _speaks_http2(result):
            self._leave_unbounded()

    def _choose(self, *, is_shared: bool) -> None:
        """Refuse a connection that does not do for a request that must not happen twice.

        Args:
            is_shared: Whether it is HTTP/2: its streams keep answers apart, and one must not end the others.
        """
        if is_shared:
            self._leave_unbounded()
            self.fresh, self.boundable = True, False
        elif self.boundable is None:
            self.boundable = bounding.is_supported()
        if not self.once:
            return
        if not self.fresh:
            self.was_reused = True
            raise Withheld("its connection had been used before")
        if self.must_be_bounded and not self.bounded:
            self.was_unbounded, self.boundable = True, False
            raise Withheld("its connection could not be bounded")

    def _leave_unbounded(self) -> None:
        if self._socket is not None:
            bounding.unbound(self._socket)
        self.bounded, self._socket = False, None

    async def _is_permitted(self) -> bool:
        try:
            return self.permit is None or await self.permit()
        except Exception:  # noqa: BLE001 - whatever it is, in doubt nothing leaves
            _log.exception("whether a request may leave could not be found out; it is not sent")
            return False


def _is_for_a_proxy(info: dict[str, Any]) -> bool:
    """Whether it is only a proxy that is asked for a tunnel; the request itself comes after."""
    return getattr(info.get("request"), "method", None) == b"CONNECT"


def _speaks_http2(stream: Any) -> bool:
    tls = _extra(stream, "ssl_object")
    return tls is not None and tls.selected_alpn_protocol() == "h2"


def _extra(stream: Any, name: str) -> Any:
    """Return what httpcore tells of a network stream; None if the stream is another library's."""
    get = getattr(stream, "get_extra_info", None)
    return None if get is None else get(name)
