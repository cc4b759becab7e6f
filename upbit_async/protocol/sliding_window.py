"""Sliding-window rate limit as arithmetic: at most N calls in any second. Pure.

A rate group has as many slots as a second has calls, less one. A call holds its slot from when it leaves until a
second after it is over: only then is another call sure to reach Upbit a whole second later, however long each is on
its way. So no window of one second, wherever it starts and whichever kind the server uses, sees more calls than there
are slots, whatever the answers say.

The server's own count, `Remaining.sec`, can only slow calls down. What is left of the second covers the calls under
way, and no more leave before an answer says otherwise. Calls that it counts and that can't be ours are another
process's, which is left the slots for them and one more. For a while ours then leave evenly spread: a process that
spends a second at its start does not see the others' calls, and leaves them no gap. After a standstill one call goes
first, to learn the server's count.

All times are seconds of one clock. See https://global-docs.upbit.com/reference/rate-limits.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from typing import Final

import attrs

__all__ = ["SlidingWindow"]

WINDOW: Final = 1.0 + 0.002
"""A second, and what clocks are out by."""
_SPARE: Final = 1
"""Calls a second left unused: the server's clock is not ours."""
_ROOM: Final = 1
"""Calls a second left to another process beyond those it makes, so that it may grow."""
_CARE: Final = 5.0
"""For so long after another process was noticed calls are spread, in seconds."""
_ON_ITS_WAY: Final = 0.1
"""For so long after it was given up a request may still be on its way, in seconds."""
_SOON: Final = 0.01
"""When to look again for an answer, in seconds."""
_LONGEST_CALL: Final = 120.0
"""A request that left longer ago has arrived, or never will, in seconds."""


@attrs.define(eq=False)
class SlidingWindow:
    """The places of one rate group.

    Attributes:
        budget: Calls that the server allows in a second.
    """

    budget: int
    # When each call under way left, the oldest first; and when others were over, as far back as it matters.
    _under_way: dict[object, float] = attrs.field(factory=dict[object, float])
    _over: list[float] = attrs.field(factory=list[float])
    # What the server has said, and when: the calls left of the second.
    _words: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    # Until when each place is left to another process.
    _others: list[float] = attrs.field(factory=list[float])
    _last_left_at: float = -math.inf
    _still_until: float = -math.inf
    _careful_until: float = -math.inf

    @property
    def size(self) -> int:
        """How many calls may be made in a second."""
        return max(1, self.budget - _SPARE)

    @property
    def under_way(self) -> int:
        """How many calls have left and are not over."""
        return len(self._under_way)

    def standstill(self, now: float) -> float:
        """Say for how long nothing may leave, in seconds."""
        return max(0.0, self._still_until - now)

    def wait(self, ahead: int, now: float) -> float:
        """Say when to look again, in seconds; 0 if the next call may leave now.

        Args:
            ahead: How many calls go before it.
            now: The time.

        Returns:
            A time after which it may leave, as far as one can say now; what becomes of other calls may change it.
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
            # It takes a place that is not over yet, or one after another call.
            return WINDOW * (1 + (lacking - len(freed) - 1) // self.size)
        return max(self._until_told_more(ahead, now), self._until_spread(ahead, now))

    def is_at_rest(self, now: float) -> bool:
        """Whether nothing of the past matters any more, as if no call had been made yet."""
        self._forget(now)
        lasts = self._under_way or self._over or self._others
        return not lasts and now >= max(self._still_until, self._careful_until)

    def take(self, call: object, now: float) -> None:
        """Record that a call leaves."""
        self._under_way[call] = self._last_left_at = now

    def give_back(self, call: object, now: float, remaining: int | None, *, lost: bool = False) -> None:
        """Record that a call is over.

        Args:
            call: Which; one that is over already is ignored.
            now: The time.
            remaining: Calls that are left of the second, if the answer says so. No word is no information.
            lost: Whether it was given up without an answer.
        """
        left_at = self._under_way.pop(call, None)
        if left_at is None:
            return
        insort(self._over, now + _ON_ITS_WAY if lost else now)
        if remaining is None:
            return
        if now - left_at < WINDOW:  # else it may speak of a second long past
            self._heed(left_at, now, remaining)
        if remaining <= 0:
            self._stand_still(now + WINDOW)

    def refuse(self, call: object, now: float, seconds: float) -> None:
        """Record that the server refused a call, and that nothing may leave for a time."""
        self.give_back(call, now, None)
        self._stand_still(now + seconds + WINDOW - 1.0)

    def reset(self) -> None:
        """Forget what the server has said. The calls of the last second still count."""
        self._still_until = self._careful_until = -math.inf
        self._words.clear()
        self._others.clear()

    def _until_told_more(self, ahead: int, now: float) -> float:
        """Say when to look again because what is left does not cover a call; 0 if it does."""
        left = [left for told_at, left in self._words if told_at > now - WINDOW]
        if not left and now >= self._careful_until:
            return 0.0
        recent = sum(left_at > now - WINDOW for left_at in self._under_way.values())
        return 0.0 if recent + ahead < min(left, default=1) else _SOON

    def _until_spread(self, ahead: int, now: float) -> float:
        """Say how long a call has to wait so that ours are evenly spread."""
        if now >= self._careful_until:
            return 0.0
        gap = WINDOW / max(1, self.size - len(self._others))
        return max(0.0, self._last_left_at + (ahead + 1) * gap - now)

    def _heed(self, left_at: float, now: float, remaining: int) -> None:
        if left_at >= self._still_until:
            # Only a call that left after a word was heard has certainly been counted after it.
            self._words = [word for word in self._words if word[0] > left_at]
            self._words.append((now, remaining))
        ours = len(self._under_way) + len(self._over) - bisect_right(self._over, left_at - WINDOW)
        others = self.budget - remaining - ours
        if others > 0:
            self._careful_until = now + _CARE
            kept = max(0, len(self._others) - others - _ROOM)
            self._others[kept:] = [now + WINDOW] * (others + _ROOM)

    def _stand_still(self, until: float) -> None:
        self._still_until = max(self._still_until, until)
        self._careful_until = self._still_until + _CARE
        self._words.clear()

    def _forget(self, now: float) -> None:
        """Drop what no longer matters, and calls that nobody will ever call over: their event loop was closed."""
        del self._over[: bisect_left(self._over, now - 2 * WINDOW)]
        del self._others[: bisect_right(self._others, now)]
        while next(iter(self._under_way.values()), now) < now - _LONGEST_CALL:
            self._under_way.pop(next(iter(self._under_way)), None)
