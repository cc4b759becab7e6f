"""Check of the connection that a request is sent on: never used before, and bounded.

A request that must not happen twice needs a connection without earlier requests, since a late answer to one of those
would be taken for its own. If it is guarded, the operating system must also be able to drop it (see `bounding`).
"""

from __future__ import annotations

from typing import Any

import attrs

from upbit_async.transport import bounding

__all__ = ["Bounds", "ConnectionCheck"]


@attrs.define(eq=False)
class ConnectionCheck:
    """What one request needs of its connection, and what is known of the connection.

    Attributes:
        needs_fresh: Whether the request must not happen twice.
        needs_bounded: Whether it may be sent only on a bounded connection.
        drop_after: How long the kernel may keep undelivered bytes of such a request, in seconds.
        is_fresh: Whether the connection is known to carry no other request's answer.
        is_bounded: Whether the connection is bounded; see `upbit_async.transport.bounding`.
        was_used: Whether the last connection was refused because it had been used before.
        was_unbounded: Whether the last connection was refused because it could not be bounded.
        can_be_bounded: Whether connections of this kind can be bounded; None if the HTTP library does not say.
    """

    needs_fresh: bool = False
    needs_bounded: bool = False
    drop_after: float = 0.0
    is_fresh: bool = False
    is_bounded: bool = False
    was_used: bool = False
    was_unbounded: bool = False
    can_be_bounded: bool | None = None
    _socket: Any = None

    def follow(self, event: str, result: Any) -> None:
        """Follow how a connection is opened, by httpcore's ``connection.….complete`` events."""
        if event.endswith(("connect_tcp.complete", "connect_unix_socket.complete")):
            self.is_fresh = True
            self.can_be_bounded = event.endswith("connect_tcp.complete")
            if self.needs_fresh:
                self._socket = _extra(result, "socket")
                self.is_bounded = self.can_be_bounded and bounding.bound(self._socket, self.drop_after)
        elif event.endswith("start_tls.complete") and _speaks_http2(result):
            self._unbound()

    def objection(self, *, is_shared: bool, is_in_process: bool) -> str:
        """Return why the request must not be sent on this connection; empty if it may.

        Args:
            is_shared: Whether it is HTTP/2. Its streams keep answers apart, and one request must not end the others.
            is_in_process: Whether there is no network, in which anything could be late.
        """
        if is_in_process:
            self.is_fresh = self.is_bounded = True
        if is_shared:
            self._unbound()
            self.is_fresh, self.can_be_bounded = True, False
        elif self.can_be_bounded is None:
            self.can_be_bounded = bounding.is_supported()
        if not self.needs_fresh:
            return ""
        if not self.is_fresh:
            self.was_used = True
            return "its connection had been used before"
        if self.needs_bounded and not self.is_bounded:
            self.was_unbounded, self.can_be_bounded = True, False
            return "its connection could not be bounded"
        return ""

    def forget(self) -> None:
        """Begin again with another connection."""
        self.is_fresh = self.is_bounded = self.was_used = False
        self._socket = None

    def release(self, *, is_used: bool) -> None:
        """Let the connection be closed as usual again: a whole answer was read.

        Args:
            is_used: Whether the connection had carried another request.
        """
        if is_used:
            self.is_fresh = False
        if self._socket is not None:
            bounding.clear_linger(self._socket)

    def _unbound(self) -> None:
        if self._socket is not None:
            bounding.unbound(self._socket)
        self.is_bounded, self._socket = False, None


@attrs.define(eq=False)
class Bounds:
    """Whether the connections of a client can be bounded.

    For connections of our own the operating system decides. An injected client shows it by its requests; one
    connection that can't be bounded settles it.

    Attributes:
        is_injected: Whether the client is injected.
        learned: What the requests of an injected client have shown; None before its first answer.
    """

    is_injected: bool = False
    learned: bool | None = None

    @property
    def are_possible(self) -> bool:
        """Whether the next request that must be bounded will be, as far as is known."""
        return bool(self.learned) if self.is_injected else bounding.is_supported()

    def learn(self, connection: ConnectionCheck) -> None:
        """Record what a request has shown of its connection."""
        if self.learned is not False:
            self.learned = bool(connection.can_be_bounded)


def _speaks_http2(stream: Any) -> bool:
    tls = _extra(stream, "ssl_object")
    return tls is not None and tls.selected_alpn_protocol() == "h2"


def _extra(stream: Any, name: str) -> Any:
    """Return a property of a network stream of httpcore's; None if the stream is another library's."""
    get = getattr(stream, "get_extra_info", None)
    return None if get is None else get(name)
