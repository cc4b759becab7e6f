"""Following: polls the withdrawals of accepted payouts, and records their progress. Sends no money."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import anyio

from upbit_async.errors import PollTimeout
from upbit_async.payouts import transitions
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.payout import PayoutState

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["Follower"]


class Follower:
    """Follower of accepted payouts.

    Args:
        client: Client that polls withdrawals. All polls of a client share requests.
        repository: Repository of the payouts.
    """

    def __init__(self, client: UpbitClient, repository: PayoutRepository) -> None:
        self._client = client
        self._repository = repository

    async def follow(self, payout: Payout, deadline: float = math.inf) -> Payout:
        """Wait until an accepted payout's withdrawal has ended, or until a deadline by the loop's clock.

        Raises:
            PollTimeout: The deadline comes first.
            UpbitError: The withdrawal can't be polled any more.
        """
        return await self.follow_withdrawal(payout.key, payout.uuid or "", deadline=deadline)

    async def follow_withdrawal(
        self, key: str, uuid: str, last: Withdrawal | None = None, *, deadline: float = math.inf
    ) -> Payout:
        """Wait until the withdrawal of an accepted payout has ended, as `follow` does.

        Args:
            key: The payout's key.
            uuid: The withdrawal's id.
            last: The withdrawal, if it was read just now; then the first poll takes place a little later.
            deadline: The deadline, by the loop's clock.
        """
        poller = self._client.withdraws.poller(uuid, last=last)
        timeout = None if math.isinf(deadline) else max(0.0, deadline - anyio.current_time())
        try:
            record = await poller.wait(timeout=timeout)
        except PollTimeout:
            if poller.last is not None:
                await self._record_progress(key, poller.last)
            raise
        return await self._record_progress(key, record)

    async def follow_until(self, payout: Payout, deadline: float) -> Payout:
        """Follow an accepted payout until a deadline by the loop's clock, and record its progress as it is seen.

        At least one poll is made. There is no last one at the deadline: for thousands it would take several seconds.

        Raises:
            UpbitError: The withdrawal can't be polled any more.
        """
        uuid = payout.uuid or ""
        poller = self._client.withdraws.poller(uuid)
        with poller.subscribe() as subscription:
            while _is_accepted_as(payout, uuid) and anyio.current_time() < deadline:
                change = None
                with anyio.CancelScope(deadline=deadline):
                    change = await poller.next_change(subscription)
                if change is None:
                    break
                payout = await self._with_progress(payout, change.record)
            newest = subscription.record if subscription.was_polled else None
        if newest is None:
            with contextlib.suppress(PollTimeout):
                newest = await poller.wait(timeout=0)
            newest = newest or poller.last
        return payout if newest is None else await self._with_progress(payout, newest)

    async def _with_progress(self, payout: Payout, record: Withdrawal) -> Payout:
        """Record a withdrawal's progress, without a read of the journal if the payout is its newest revision."""
        if self._repository.has_unwritten(payout.key):
            return await self._record_progress(payout.key, record)
        if payout.record == record:
            return payout
        changed = transitions.followed(payout, record, await self._repository.now())
        if changed is None:
            return payout
        try:
            return await self._repository.compare_and_swap(payout, changed)
        except (StaleRevision, ConflictingPayout):
            return await self._record_progress(payout.key, record)

    async def _record_progress(self, key: str, record: Withdrawal) -> Payout:
        return await self._repository.change(
            key, lambda payout, now: transitions.followed(payout, record, now)
        )


def _is_accepted_as(payout: Payout, uuid: str) -> bool:
    """Return whether a payout still is this withdrawal; another process may have corrected that."""
    return payout.state is PayoutState.ACCEPTED and payout.is_withdrawal(uuid)
