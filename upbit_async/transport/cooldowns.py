"""Cooldowns of calls that Upbit accepts once in an interval.

What Upbit does with one that comes too soon is not documented, and a ban would be the worst of it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import anyio

from upbit_async.transport import shared_clock

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Cooldowns"]


class Cooldowns:
    """When which call may be sent again. Times are the process's monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may end a forgotten call in here
        self._free_at: dict[Hashable, float] = {}

    def book(self, what: Hashable, interval: float) -> float:
        """Take a call's place; if it is taken, say for how long, in seconds.

        Args:
            what: The call; what equals it is the same call.
            interval: How long the place stays taken if nobody settles it, in seconds.
        """
        now = shared_clock.now()
        with self._lock:
            self._free_at = {known: free_at for known, free_at in self._free_at.items() if free_at > now}
            if what in self._free_at:
                return self._free_at[what] - now
            self._free_at[what] = now + interval
            return 0.0

    def settle(self, what: Hashable, interval: float, *, counts: bool) -> None:
        """Keep the place of a call that has ended for a whole interval, or free it if the call does not count."""
        with contextlib.suppress(anyio.NoEventLoopError), self._lock:  # a torn-down loop leaves it as it is
            if counts:
                self._free_at[what] = shared_clock.now() + interval
            else:
                self._free_at.pop(what, None)

    def is_at_rest(self, now: float) -> bool:
        """Whether nothing is held back any more."""
        return all(free_at <= now for free_at in tuple(self._free_at.values()))
