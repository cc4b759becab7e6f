"""What other processes do that a runner must notice: they resume payouts, and settle those for which others wait.

Without this, a runner would find out only when it tries again, up to half a minute later.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import anyio

from upbit_async.errors import ChangesCompacted, JournalError
from upbit_async.payouts.pause import held_back
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.payouts.reporting import report_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from upbit_async.payouts.backlog import Backlog
    from upbit_async.payouts.pause import Pause
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["OtherProcesses"]

_PAGE: Final = 500
_PERIOD: Final = 0.9
"""Shortest time between two reads, in seconds. A runner claims payouts more often while many are enqueued."""


class OtherProcesses:
    """View of the journal for one runner, which calls `notice` at least every second.

    Args:
        repository: Repository of the payouts.
        backlog: The runner's queued payouts.
        on_resume: Called when payouts are not paused any more.

    Attributes:
        is_paused: Whether a payout could not be sent because of a pause, and the pause was in force since.
        pause: That pause, once it was read.
    """

    def __init__(self, repository: PayoutRepository, backlog: Backlog, on_resume: Callable[[], None]) -> None:
        self._repository = repository
        self._backlog = backlog
        self._on_resume = on_resume
        self.is_paused = False
        self.pause: Pause | None = None
        self._next_read = -math.inf
        self._position: int | None = None
        """Position of the newest change that was read; None while no payout waits for another."""

    async def notice(self) -> None:
        """Read what has changed: one cheap read, or none.

        While payouts are paused, it is whether they still are. Otherwise it is which payouts were settled, if others
        wait for any.
        """
        now = anyio.current_time()
        if now < self._next_read:
            return
        self._next_read = now + _PERIOD
        if self.is_paused:
            await self._notice_pause()
        elif self._backlog.is_blocked:
            await self._notice_settled()
        else:
            self._position = None

    # -- the pause ---------------------------------------------------------------------------------

    async def _notice_pause(self) -> None:
        pause = await self._repository.journal.pause_in_force()
        if pause is None:
            self.resumed()
            self._on_resume()
        elif pause != self.pause:
            self.pause = pause
            await self._report_queued()

    def resumed(self) -> None:
        """Forget the pause: payouts may be sent, or will show that they are paused."""
        self.is_paused, self.pause = False, None

    def report(self, payout: Payout) -> None:
        """Log that a queued payout is held back by the pause, if one is known."""
        report_reason(payout, held_back(payout, self.pause))

    async def _report_queued(self) -> None:
        query = PayoutQuery(states=[PayoutState.QUEUED], limit=_PAGE)
        while True:
            page = await self._repository.journal.select(query)
            for payout in page:
                if payout.key in self._backlog:  # the others are logged by the runners that have claimed them
                    self.report(payout)
            if len(page) < _PAGE:
                return
            query = query.after(page[-1])

    # -- settled payouts ---------------------------------------------------------------------------

    async def _notice_settled(self) -> None:
        journal = self._repository.journal
        while self._position is not None:
            try:
                found = await journal.changes(self._position, _PAGE)
            except (ChangesCompacted, JournalError):
                # A damaged change can't be read. What is missed is found out when the payouts are tried again.
                self._position = await journal.position()
                raise
            for change in found:
                self._position = change.position
                if change.state is not change.previous and not change.state.is_under_way:
                    self._backlog.settled(change.key)
            if len(found) < _PAGE:
                return

    async def check(self, keys: Collection[str], *, for_review: bool) -> bool:
        """Return whether a payout is settled already for which others have begun to wait, and let those be sent.

        To be called when the backlog holds the others up: a payout that is settled later is found by its change.

        Args:
            keys: The keys of the payouts.
            for_review: Whether the others wait for a review.
        """
        journal = self._repository.journal
        if keys and self._position is None:
            self._position = await journal.position()
        for key in keys:
            payout = await journal.get(key)
            if payout is None or payout.state.is_under_way:
                continue
            if not (for_review and payout.state is PayoutState.NEEDS_REVIEW):
                self._backlog.settled(key)
                return True
        return False
