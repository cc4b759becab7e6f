"""Sliding-window rate limit as arithmetic: at most N calls in any second. Pure.

A rate group has one slot less than the calls that a second allows. A call occupies its slot from when it is sent until
a second after its answer. Only then is the next call sure to reach Upbit a whole second later, however long either is
on the network. So no window of one second has more calls than slots, wherever it starts, and whether the server uses
fixed or sliding windows.

The server's own count, `Remaining.sec`, can only slow calls down. Calls in flight use up the rest of the second, and no
further one is sent before an answer allows it. Calls in the server's count that can't be from this process are from
another one. Their slots and one more are left to that process. For a while calls are then evenly spaced: a process that
sends all its calls at the start of a second would leave the others no gap. After a standstill a single call learns the
server's count.

All times are seconds of one clock. See https://global-docs.upbit.com/reference/rate-limits.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from typing import Final

import attrs

__all__ = ["SlidingWindow"]

WINDOW: Final = 1.0 + 0.002
"""A second and the tolerance of clocks, in seconds."""
_SPARE: Final = 1
"""Calls per second that are left unused, because the server's clock differs from this machine's."""
_RESERVE: Final = 1
"""Calls per second left to another process in addition to those it makes, so that it can make more."""
_SPREADING_TIME: Final = 5.0
"""Time for which calls are evenly spaced after another process was noticed, in seconds."""
_ON_ITS_WAY: Final = 0.1
"""Time for which an aborted request may still be on the network, in seconds."""
_RECHECK: Final = 0.01
"""Interval between checks for an answer, in seconds."""
_LONGEST_CALL: Final = 120.0
"""Time after which a request has arrived or never will, in seconds."""


@attrs.define(eq=False)
class SlidingWindow:
    """Slots of one rate group.

    Attributes:
        budget: Calls per second that the server allows.
    """

    budget: int
    # Send time of each call in flight, oldest first; and end times of finished calls, while they matter.
    _under_way: dict[object, float] = attrs.field(factory=dict[object, float])
    _over: list[float] = attrs.field(factory=list[float])
    # Time and value of each `Remaining.sec` that the server reported.
    _reports: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    # Time until which each slot is left to another process.
    _others: list[float] = attrs.field(factory=list[float])
    _last_left_at: float = -math.inf
    _still_until: float = -math.inf
    _spread_until: float = -math.inf

    @property
    def size(self) -> int:
        """Number of calls that may be sent per second."""
        return max(1, self.budget - _SPARE)

    @property
    def under_way(self) -> int:
        """Number of calls in flight."""
        return len(self._under_way)

    def standstill(self, now: float) -> float:
        """Return for how long no call may be sent, in seconds."""
        return max(0.0, self._still_until - now)

    def wait(self, ahead: int, now: float) -> float:
        """Return when to check again, in seconds; 0 if the next call may be sent now.

        Args:
            ahead: Number of calls that are sent before it.
            now: Current time.

        Returns:
            Time after which the call may be sent, by what is known now. Other calls may change it.
        """
        if now < self._still_until:
            return self._still_until - now
        self._forget(now)
        in_use = self._over[bisect_right(self._over, now - WINDOW) :]
        lacking = len(self._under_way) + len(in_use) + len(self._others) + ahead + 1 - self.size
        if lacking > 0:
            freed = sorted([*(over + WINDOW for over in in_use), *self._others])
            if lacking <= len(freed):
                return freed[lacking - 1] - now
            # The call needs a slot that is still occupied, or is behind another call.
            return WINDOW * (1 + (lacking - len(freed) - 1) // self.size)
        return max(self._until_reported(ahead, now), self._until_spread(ahead, now))

    def is_at_rest(self, now: float) -> bool:
        """Return whether the past has no effect any more, as if no call had been made."""
        self._forget(now)
        lasts = self._under_way or self._over or self._others
        return not lasts and now >= max(self._still_until, self._spread_until)

    def take(self, call: object, now: float) -> None:
        """Record that a call is sent."""
        self._under_way[call] = self._last_left_at = now

    def give_back(self, call: object, now: float, remaining: int | None, *, lost: bool = False) -> None:
        """Record that a call is finished.

        Args:
            call: Finished call; one that was finished before is ignored.
            now: Current time.
            remaining: Calls left in the second, according to the answer; None without information.
            lost: Whether the call was aborted without an answer.
        """
        left_at = self._under_way.pop(call, None)
        if left_at is None:
            return
        insort(self._over, now + _ON_ITS_WAY if lost else now)
        if remaining is None:
            return
        if now - left_at < WINDOW:  # otherwise the count may be of an earlier second
            self._take_report(left_at, now, remaining)
        if remaining <= 0:
            self._stand_still(now + WINDOW)

    def refuse(self, call: object, now: float, seconds: float) -> None:
        """Record that the server refused a call, and that no call may be sent for a time."""
        self.give_back(call, now, None)
        self._stand_still(now + seconds + WINDOW - 1.0)

    def reset(self) -> None:
        """Forget what the server has reported. The calls of the last second still count."""
        self._still_until = self._spread_until = -math.inf
        self._reports.clear()
        self._others.clear()

    def _until_reported(self, ahead: int, now: float) -> float:
        """Return when to check again because the rest of the second does not cover a call; 0 if it does."""
        left = [left for reported_at, left in self._reports if reported_at > now - WINDOW]
        if not left and now >= self._spread_until:
            return 0.0
        recent = sum(left_at > now - WINDOW for left_at in self._under_way.values())
        return 0.0 if recent + ahead < min(left, default=1) else _RECHECK

    def _until_spread(self, ahead: int, now: float) -> float:
        """Return how long a call waits so that calls are evenly spaced."""
        if now >= self._spread_until:
            return 0.0
        gap = WINDOW / max(1, self.size - len(self._others))
        return max(0.0, self._last_left_at + (ahead + 1) * gap - now)

    def _take_report(self, left_at: float, now: float, remaining: int) -> None:
        if left_at >= self._still_until:
            # A call is certainly counted after a report only if it was sent after the report arrived.
            self._reports = [report for report in self._reports if report[0] > left_at]
            self._reports.append((now, remaining))
        ours = len(self._under_way) + len(self._over) - bisect_right(self._over, left_at - WINDOW)
        others = self.budget - remaining - ours
        if others > 0:
            self._spread_until = now + _SPREADING_TIME
            kept = max(0, len(self._others) - others - _RESERVE)
            self._others[kept:] = [now + WINDOW] * (others + _RESERVE)

    def _stand_still(self, until: float) -> None:
        self._still_until = max(self._still_until, until)
        self._spread_until = self._still_until + _SPREADING_TIME
        self._reports.clear()

    def _forget(self, now: float) -> None:
        """Drop what has no effect any more, and calls that nothing will finish because their event loop was closed."""
        del self._over[: bisect_left(self._over, now - 2 * WINDOW)]
        del self._others[: bisect_right(self._others, now)]
        while next(iter(self._under_way.values()), now) < now - _LONGEST_CALL:
            self._under_way.pop(next(iter(self._under_way)), None)
