"""Progress of one request: how far it has come, and whether it can still be withheld.

The phases, in order. Only the HTTP port moves a request on. Everything else reads `phase` and `may_have_left`, and
passes hooks that are called before the first byte (see `upbit_async.protocol.send_guard`).

```text
PREPARED ──start()──▶ SENDING ──first byte──▶ SENT ──take_answer()──▶ ANSWERED
    nothing was sent      │
                          └─ nothing was sent, if the HTTP library reports its first byte; else unknown
```
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import attrs

from upbit_async.transport.connection_check import ConnectionCheck

__all__ = ["CALLER_CANCELLED", "REPEAT_IF_WANTED", "Hook", "Phase", "RequestProgress", "Withheld"]

CALLER_CANCELLED: Final = "its caller was cancelled"
REPEAT_IF_WANTED: Final = "call again if it is still wanted"

Hook = Callable[[], Awaitable[None]]
"""Called before connecting or right before the first byte, or both; raises `Withheld` to stop the request."""


class Withheld(Exception):
    """Raised, inside the HTTP library or before it is called, to stop a request before its first byte.

    Args:
        text: Reason, for the error's text.
        advice: What to do next, for the error's text.
    """

    def __init__(self, text: str = "it was stopped before its first byte", advice: str = "try again") -> None:
        super().__init__(text)
        self.advice = advice


class Phase(enum.IntEnum):
    """How far a request has come."""

    PREPARED = 0
    """The HTTP library has not been called. Nothing was sent."""
    SENDING = 1
    """The HTTP library is looking for a connection, opens one, or is about to write."""
    SENT = 2
    """The first byte may have been sent. Only an answer shows what Upbit has done."""
    ANSWERED = 3
    """A whole answer was read."""


@attrs.define(eq=False)
class RequestProgress:
    """Progress of one request.

    Attributes:
        hooks: Called in this order, each time that `run_hooks` is.
        connection: Check of the connection that the request is sent on.
        phase: How far the request has come. Only the HTTP port changes it.
        is_cancelled: Whether the caller was cancelled, so that the first byte must not be sent any more.
    """

    hooks: Sequence[Hook] = ()
    connection: ConnectionCheck = attrs.field(factory=ConnectionCheck)
    phase: Phase = Phase.PREPARED
    is_cancelled: bool = False
    _reports_first_byte: bool = False
    _reports_connect_errors: bool = False

    @property
    def may_have_left(self) -> bool:
        """Whether the first byte may have been sent. While it is False, the request can be withheld."""
        return self.phase >= Phase.SENT or (self.phase is Phase.SENDING and not self._reports_first_byte)

    @property
    def connect_errors_are_reliable(self) -> bool:
        """Whether an error of the HTTP library that says "could not connect" proves that nothing was sent.

        Some libraries use these errors for a connection that broke after the request (httpx-aiohttp does). So they
        prove it only of a library that reports its first byte, or is known to be careful with them.
        """
        return not self.may_have_left or (self._reports_connect_errors and self.phase < Phase.SENT)

    def cancel(self) -> None:
        """Mark the caller as cancelled; the next check before the first byte withholds the request."""
        self.is_cancelled = True

    # -- for the HTTP port alone -------------------------------------------------------------------

    def start(self, *, reports_first_byte: bool = False, reports_connect_errors: bool = False) -> None:
        """Enter `SENDING`: the HTTP library is called next.

        Args:
            reports_first_byte: Whether the library is known to call `trace`. If not, its first call shows it.
            reports_connect_errors: Whether the library says "could not connect" only of a request that was not sent.
        """
        self.phase = Phase.SENDING
        self._reports_first_byte = reports_first_byte
        self._reports_connect_errors = reports_connect_errors

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Follow the HTTP library's events; enter `SENT` right before the first byte.

        See https://www.encode.io/httpcore/extensions/#trace.

        Raises:
            Withheld: The request must not be sent, or not on this connection.
        """
        self._reports_first_byte = True
        if event.endswith("send_request_headers.started"):
            if _is_for_a_proxy(info):
                return
            reason = self.connection.objection(
                is_shared=event.startswith("http2."), is_in_process=bool(info.get("in_process"))
            )
            if reason:
                raise Withheld(reason)
            await self.run_hooks()
            self.phase = Phase.SENT
        elif event.endswith(".complete") and event.startswith("connection."):
            self.connection.follow(event, info.get("return_value"))

    async def run_hooks(self) -> None:
        """Call the hooks.

        Raises:
            Withheld: One of them stops the request, or it was cancelled.
        """
        for hook in self.hooks:
            await hook()
        if self.is_cancelled:
            raise Withheld(CALLER_CANCELLED, REPEAT_IF_WANTED)

    def take_answer(self, *, over_used_connection: bool) -> None:
        """Enter `ANSWERED`.

        Args:
            over_used_connection: Whether the answer came over a connection that had carried another request. The
                library has lost the connection that it opened for this request to another one then.
        """
        self.phase = Phase.ANSWERED
        self.connection.release(is_used=over_used_connection)


def _is_for_a_proxy(info: dict[str, Any]) -> bool:
    """Whether the library only asks a proxy for a tunnel; the request itself comes after."""
    return getattr(info.get("request"), "method", None) == b"CONNECT"
