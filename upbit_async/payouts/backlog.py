"""Backlog: the queued payouts that a runner has claimed, in the order in which they may be sent. Pure.

Upbit's list can't tell payouts with the same criteria apart, so only one of them is sent at a time. The others wait
here, and payouts with other criteria overtake them.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection

    from upbit_async.payouts.payout import MatchCriteria

__all__ = ["Backlog"]


@attrs.define(eq=False)
class _EqualPayouts:
    """Payouts with the same criteria.

    Attributes:
        waiting: Heap of those that wait: from when each may be sent, its number in order of arrival, and its key.
        not_before: Time before which none of them is sent.
        sending: Key of the one that is being sent, or None.
        blocked_by: Keys of payouts that must be settled before one is sent.
        until_it: What must happen to these, as text for people.
    """

    waiting: list[tuple[float, int, str]] = attrs.field(factory=list[tuple[float, int, str]])
    not_before: float = -math.inf
    sending: str | None = None
    blocked_by: frozenset[str] = frozenset()
    until_it: str = ""

    @property
    def next_at(self) -> float:
        """When one of them may be sent; infinity while one is being sent."""
        if self.sending is not None or not self.waiting:
            return math.inf
        return max(self.waiting[0][0], self.not_before)


class Backlog:
    """Queued payouts of one runner.

    All times are those of the event loop, in seconds.
    """

    def __init__(self) -> None:
        self._criteria: dict[str, MatchCriteria] = {}
        self._groups: dict[MatchCriteria, _EqualPayouts] = {}
        self._due: list[tuple[float, int, MatchCriteria]] = []
        """Heap of when each group has something to send. An entry may be outdated, so it is checked when it is due."""
        self._blocked: dict[str, set[MatchCriteria]] = {}
        """The groups that each unsettled payout holds up; a group may not be held up any more."""
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._criteria)

    def __contains__(self, key: str) -> bool:
        """Return whether a payout is in the backlog."""
        return key in self._criteria

    @property
    def is_blocked(self) -> bool:
        """Whether payouts may be held up until others are settled."""
        return bool(self._blocked)

    def add(self, key: str, criteria: MatchCriteria, *, at: float) -> tuple[str, str] | None:
        """Add a payout that may be sent from a time on; one that is known already stays where it is.

        Returns:
            If it is held up, the key of a payout for which it waits, and what must happen to that; else None.
        """
        if key in self._criteria:
            return None
        self._criteria[key] = criteria
        self._wait(key, at)
        group = self._groups[criteria]
        return (min(group.blocked_by), group.until_it) if group.blocked_by else None

    @property
    def next_at(self) -> float:
        """A time before which no payout may be sent; infinity if there is none."""
        return self._due[0][0] if self._due else math.inf

    def can_send(self, now: float) -> bool:
        """Return whether a payout may be sent now."""
        return self.next_at <= now

    def take(self, now: float) -> str | None:
        """Return a payout to send now, and regard it as being sent; None if there is none."""
        while self._due and self._due[0][0] <= now:
            criteria = heapq.heappop(self._due)[2]
            group = self._groups.get(criteria)
            if group is None or group.next_at == math.inf:
                continue
            if group.next_at > now:
                self._schedule(criteria)
                continue
            group.sending = heapq.heappop(group.waiting)[2]
            return group.sending
        return None

    def done(self, key: str) -> None:
        """Remove a payout that was sent, or is not queued any more."""
        criteria = self._criteria.pop(key)
        group = self._groups[criteria]
        group.sending = None
        if group.waiting:
            self._schedule(criteria)
        else:
            del self._groups[criteria]

    def put_back(self, key: str, *, at: float) -> None:
        """Put a payout back that could not be sent; it is tried again from a time on."""
        self._groups[self._criteria[key]].sending = None
        self._wait(key, at)

    def block(
        self, key: str, by_keys: Collection[str], *, now: float, until: float, until_it: str = "is settled"
    ) -> list[str]:
        """Put a payout back, and hold up its equals until other payouts are settled, or until a time.

        Args:
            key: The payout's key.
            by_keys: Keys of the others.
            now: The present.
            until: That time.
            until_it: What must happen to the others, as text for people.

        Returns:
            The keys of the payouts that are held up.
        """
        group = self._groups[self._criteria[key]]
        group.sending, group.not_before, group.blocked_by = None, until, frozenset(by_keys)
        group.until_it = until_it
        for by_key in by_keys:
            self._blocked.setdefault(by_key, set()).add(self._criteria[key])
        self._wait(key, now)
        return [waiting for _, _, waiting in sorted(group.waiting)]

    def settled(self, key: str) -> None:
        """Let the payouts be sent that a settled payout has held up."""
        for criteria in self._blocked.pop(key, ()):
            group = self._groups.get(criteria)
            if group is not None and key in group.blocked_by:
                self._unblock(criteria, group)

    def hurry(self) -> None:
        """Let every payout be tried again at once."""
        for criteria, group in self._groups.items():
            group.waiting = [(-math.inf, number, key) for _, number, key in group.waiting]
            heapq.heapify(group.waiting)
            self._unblock(criteria, group)

    def _unblock(self, criteria: MatchCriteria, group: _EqualPayouts) -> None:
        group.blocked_by, group.not_before = frozenset(), -math.inf
        self._schedule(criteria)

    def _wait(self, key: str, at: float) -> None:
        criteria = self._criteria[key]
        group = self._groups.setdefault(criteria, _EqualPayouts())
        heapq.heappush(group.waiting, (at, next(self._numbers), key))
        self._schedule(criteria)

    def _schedule(self, criteria: MatchCriteria) -> None:
        next_at = self._groups[criteria].next_at
        if next_at < math.inf:
            heapq.heappush(self._due, (next_at, next(self._numbers), criteria))
