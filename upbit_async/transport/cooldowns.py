"""Cooldowns of calls that Upbit accepts once per interval.

What Upbit does with one that comes too soon is not documented; it could be a ban.
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
    """Times at which calls may be sent again, on the process's monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may close a forgotten call while a method runs
        self._free_at: dict[Hashable, float] = {}

    def book(self, what: Hashable, interval: float) -> float:
        """Start the cooldown of a call; if it runs already, return how long it lasts, in seconds.

        Args:
            what: Identity of the call.
            interval: Length of the cooldown unless `settle` changes it, in seconds.
        """
        now = shared_clock.now()
        with self._lock:
            self._free_at = {known: free_at for known, free_at in self._free_at.items() if free_at > now}
            if what in self._free_at:
                return self._free_at[what] - now
            self._free_at[what] = now + interval
            return 0.0

    def settle(self, what: Hashable, interval: float, *, counts: bool) -> None:
        """Restart the cooldown of a call that has ended, or end it if Upbit does not count the call."""
        with (
            contextlib.suppress(anyio.NoEventLoopError),
            self._lock,
        ):  # in a loop that was closed, the cooldown goes on
            if counts:
                self._free_at[what] = shared_clock.now() + interval
            else:
                self._free_at.pop(what, None)

    def is_at_rest(self, now: float) -> bool:
        """Whether no cooldown runs any more."""
        return all(free_at <= now for free_at in tuple(self._free_at.values()))
