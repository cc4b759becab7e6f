"""Transfers that are polled alone, because a list that includes them does not decode.

They must not cost the others their polls, nor the account its budget of calls. So one of them is polled at a
time, and a few a second at most, however many there are; who is polled with others goes first for a while. Only a
last poll at a deadline does not wait for this.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from upbit_async.polling.progress import Transfer

if TYPE_CHECKING:
    from upbit_async.polling.subscription import WatchedTransfer

__all__ = ["SPACING", "LoneTransfers"]

SPACING: Final = 0.25
"""Seconds between two polls of single transfers: a small part of the thirty calls a second that an account has."""

R = TypeVar("R", bound=Transfer)


class LoneTransfers(Generic[R]):
    """The transfers of one sweep that are polled alone. Pure."""

    def __init__(self) -> None:
        self._entries: dict[str, WatchedTransfer[R]] = {}
        self._next_at = -math.inf

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: WatchedTransfer[R], now: float) -> None:
        """Poll a transfer alone from now on."""
        if entry.alone_since is None:
            entry.alone_since = now
            self._entries[entry.key] = entry

    def discard(self, entry: WatchedTransfer[R]) -> None:
        """Poll a transfer together with others again, or no longer."""
        if entry.alone_since is not None:
            entry.alone_since = None
            del self._entries[entry.key]

    def take(self, now: float, *, overdue: float = 0.0) -> WatchedTransfer[R] | None:
        """Return the transfer to poll now: the one that is due longest, if it is time for one.

        Args:
            now: The time by the loop's clock.
            overdue: For how many seconds it must have been due.
        """
        if now < self._next_at:
            return None
        idle = self._idle()
        if len(idle) < len(self._entries):
            return None
        entry = min(idle, key=lambda entry: entry.due, default=None)
        if entry is None or entry.due + overdue > now:
            return None
        self._next_at = now + SPACING
        return entry

    def take_last(self, now: float) -> WatchedTransfer[R] | None:
        """Return a transfer whose last poll is due."""
        ended = (entry for entry in self._idle() if entry.deadline <= now)
        return min(ended, key=lambda entry: entry.deadline, default=None)

    def next_at(self) -> float:
        """Return when to ask again, by the loop's clock; infinity if only the end of a poll can change that."""
        idle = self._idle()
        last = min((entry.deadline for entry in idle), default=math.inf)
        if len(idle) < len(self._entries):
            return last
        return min(last, max(self._next_at, min((entry.due for entry in idle), default=math.inf)))

    def _idle(self) -> list[WatchedTransfer[R]]:
        return [entry for entry in self._entries.values() if not entry.under_way]
