"""Overdue payouts: those whose `not_after` passes while they are queued are abandoned, also if nothing can be sent."""

from __future__ import annotations

import datetime as dt
import heapq
from functools import partial
from typing import TYPE_CHECKING, Final

from upbit_async.payouts import queueing
from upbit_async.payouts.pause import held_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.pause import Pause
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["OverduePayouts"]

_AGAIN: Final = dt.timedelta(seconds=30)
"""Wait before a payout that could not be abandoned is tried again."""


class OverduePayouts:
    """Queued payouts of one runner that have a `not_after`.

    Args:
        repository: Repository of the payouts.
        report: Logs a failure, after its consequence.
    """

    def __init__(self, repository: PayoutRepository, report: Callable[[str, Exception], None]) -> None:
        self._repository = repository
        self._report = report
        self._due: list[tuple[dt.datetime, str]] = []
        """Heap of when each payout is abandoned."""

    def add(self, payout: Payout) -> None:
        """Add a queued payout."""
        if payout.not_after is not None:
            heapq.heappush(self._due, (payout.not_after, payout.key))

    async def abandon(self, pause: Pause | None) -> None:
        """Abandon the payouts whose time has passed. One that can't be written holds up no other.

        Args:
            pause: The pause for which they have waited; None if they have not.
        """
        now = self._repository.clock()
        overdue: list[str] = []
        while self._due and self._due[0][0] < now:
            overdue.append(heapq.heappop(self._due)[1])
        for key in overdue:
            try:
                await self._repository.change(key, partial(_overdue, pause))
            except Exception as error:  # noqa: BLE001 - the others must be abandoned, too
                self._report("an overdue payout could not be abandoned; it is tried again", error)
                heapq.heappush(self._due, (now + _AGAIN, key))


def _overdue(pause: Pause | None, payout: Payout, now: Now) -> Payout | None:
    return queueing.overdue(held_back(payout, pause), now)
