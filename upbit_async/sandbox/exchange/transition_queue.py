"""Queue of the transitions that wait for time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from upbit_async.sandbox.exchange.transitions import TransitionState

__all__ = ["TransitionQueue"]


class TransitionQueue:
    """The steps that lie ahead, of transfers of every kind, so that they are taken in one order."""

    def __init__(self) -> None:
        self._entries: list[tuple[datetime, int, TransitionState, Callable[[datetime], None]]] = []
        self._entries_made = 0

    def add(self, journey: TransitionState, take: Callable[[datetime], None]) -> None:
        """Puts a journey's next step down, if it waits for time.

        Args:
            journey: The journey.
            take: Takes its next step; it gets the time at which that was due.
        """
        due_at = journey.due_at
        if due_at is not None:
            self._entries_made += 1  # keeps equal times in order, and journeys out of the comparison
            heapq.heappush(self._entries, (due_at, self._entries_made, journey, take))

    def catch_up(self, now: datetime) -> None:
        """Takes every step that has become due, in the order in which they were due."""
        while self._entries and self._entries[0][0] <= now:
            due_at, _, journey, take = heapq.heappop(self._entries)
            if journey.due_at == due_at:  # else it went another way since it was put down
                take(due_at)
