"""Sliding-window rate limit as arithmetic: at most N calls in any second. Pure.

A rate group has *permits*: one less than the calls that a second allows, and at least one. A call holds a permit from
when it is sent until a second after its answer. With a single permit::

    0.000 s   call 1 is sent
              call 1 reaches Upbit, at a time that this machine does not know
    0.300 s   its answer arrives, so it has reached Upbit by now
    1.302 s   its permit is free: call 2 is sent, and reaches Upbit a second or more after call 1

So no window of one second has more calls than permits, wherever it starts, however long requests and answers are on the
network, and whether the server uses fixed or sliding windows.

The server's own count, `Remaining.sec`, can only slow calls down:

- Calls in flight use up what the server says remains. Then no call is sent before an answer reports more.
- Calls that the server has counted and this process has not sent are from another process. If the budget is 30 and an
  answer says that 20 remain, the server has counted 10. If 6 of them can be ours, 4 are from another process: 4 permits
  and one more are left to it for a second.
- For five seconds after that, calls are evenly spaced. Otherwise a process that sends all its calls at the start of a
  second would leave the others no gap.
- If none remain, or after a 429, nothing is sent for a time. Then a single call learns the server's count.

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
_ABORTED_IN_FLIGHT: Final = 0.1
"""Time for which an aborted request may still be in flight, in seconds."""
_ANSWER_RECHECK: Final = 0.01
"""Interval between checks for an answer, in seconds."""
_LONGEST_CALL: Final = 120.0
"""Time after which a request has arrived or never will, in seconds."""


@attrs.define(eq=False)
class SlidingWindow:
    """Permits of one rate group.

    Attributes:
        budget: Calls per second that the server allows.
    """

    budget: int
    # Send time of each call in flight, oldest first; and end times of finished calls, while they matter.
    _in_flight: dict[object, float] = attrs.field(factory=dict[object, float])
    _finished: list[float] = attrs.field(factory=list[float])
    # Time and value of each `Remaining.sec` that the server reported.
    _reports: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    # Time until which each permit is left to another process.
    _others: list[float] = attrs.field(factory=list[float])
    _last_sent_at: float = -math.inf
    _still_until: float = -math.inf
    _spread_until: float = -math.inf

    @property
    def size(self) -> int:
        """Number of calls that may be sent per second."""
        return max(1, self.budget - _SPARE)

    @property
    def in_flight(self) -> int:
        """Number of calls in flight."""
        return len(self._in_flight)

    def standstill(self, now: float) -> float:
        """Return for how long no call may be sent, in seconds."""
        return max(0.0, self._still_until - now)

    def delay(self, ahead: int, now: float) -> float:
        """Return after how many seconds a call may be sent or must check again; 0 means now.

        Args:
            ahead: Number of calls that are sent before it.
            now: Current time.

        Returns:
            Delay by what is known now; other calls may change it.
        """
        if now < self._still_until:
            return self._still_until - now
        self._forget(now)
        in_use = self._finished[bisect_right(self._finished, now - WINDOW) :]
        lacking = len(self._in_flight) + len(in_use) + len(self._others) + ahead + 1 - self.size
        if lacking > 0:
            freed = sorted([*(ended_at + WINDOW for ended_at in in_use), *self._others])
            if lacking <= len(freed):
                return freed[lacking - 1] - now
            # The call needs a permit that a call in flight holds, or is behind another call.
            return WINDOW * (1 + (lacking - len(freed) - 1) // self.size)
        return max(self._report_delay(ahead, now), self._spread_delay(ahead, now))

    def is_at_rest(self, now: float) -> bool:
        """Return whether the past has no effect any more, as if no call had been made."""
        self._forget(now)
        lasts = self._in_flight or self._finished or self._others
        return not lasts and now >= max(self._still_until, self._spread_until)

    def take(self, call: object, now: float) -> None:
        """Record that a call is sent."""
        self._in_flight[call] = self._last_sent_at = now

    def give_back(self, call: object, now: float, remaining: int | None, *, lost: bool = False) -> None:
        """Record that a call is finished.

        Args:
            call: Finished call; one that was finished before is ignored.
            now: Current time.
            remaining: Calls left in the second, according to the answer; None without information.
            lost: Whether the call was aborted without an answer.
        """
        sent_at = self._in_flight.pop(call, None)
        if sent_at is None:
            return
        insort(self._finished, now + _ABORTED_IN_FLIGHT if lost else now)
        if remaining is None:
            return
        if now - sent_at < WINDOW:  # otherwise the count may be of an earlier second
            self._take_report(sent_at, now, remaining)
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

    def _report_delay(self, ahead: int, now: float) -> float:
        """Return when to check again because the server's count does not allow a call; 0 if it does."""
        remaining = [remaining for reported_at, remaining in self._reports if reported_at > now - WINDOW]
        if not remaining and now >= self._spread_until:
            return 0.0
        recent = sum(sent_at > now - WINDOW for sent_at in self._in_flight.values())
        # The server may not have counted the calls in flight yet: if 3 remain and 2 are in flight, one may be sent.
        # Without a report, one call is sent, to learn the count.
        return 0.0 if recent + ahead < min(remaining, default=1) else _ANSWER_RECHECK

    def _spread_delay(self, ahead: int, now: float) -> float:
        """Return how long a call must wait so that calls are evenly spaced."""
        if now >= self._spread_until:
            return 0.0
        gap = WINDOW / max(1, self.size - len(self._others))
        return max(0.0, self._last_sent_at + (ahead + 1) * gap - now)

    def _take_report(self, sent_at: float, now: float, remaining: int) -> None:
        if sent_at >= self._still_until:
            # A call is certainly counted after a report only if it was sent after the report arrived.
            self._reports = [report for report in self._reports if report[0] > sent_at]
            self._reports.append((now, remaining))
        ours = len(self._in_flight) + len(self._finished) - bisect_right(self._finished, sent_at - WINDOW)
        # Budget 30, 20 remaining, 6 ours: the server has counted 10, so 4 are others'. Leave them 4 + _RESERVE permits.
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
        del self._finished[: bisect_left(self._finished, now - 2 * WINDOW)]
        del self._others[: bisect_right(self._others, now)]
        while next(iter(self._in_flight.values()), now) < now - _LONGEST_CALL:
            self._in_flight.pop(next(iter(self._in_flight)), None)
