"""Settling: determines the outcome of payouts whose answer was lost, and follows those that were accepted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.checks import FeeConvention, fits
from upbit_async.concurrency import KeyedLock, backoff
from upbit_async.errors import PollTimeout
from upbit_async.payouts import transitions
from upbit_async.payouts.baseline import since_baseline
from upbit_async.payouts.decision import (
    Adopt,
    DeclareNotSent,
    Observation,
    RequireReview,
    WaitFor,
    decide,
    other_claimants,
)
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_moments import settling_left
from upbit_async.payouts.payout import Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Collection

    from upbit_async.client import UpbitClient
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.decision import Conclusion
    from upbit_async.payouts.journal_moments import Now
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["LEASE_POLLS", "Settler"]

LEASE_POLLS = 0.05, 1.0
"""First and longest wait between two reads of a payout that another task or process sends, in seconds."""

_SECOND_LOOK = 1.0
"""How long after the first list a second one must show nothing either, in seconds."""


class Settler:
    """Settles payouts by what Upbit shows. Nothing here sends money.

    Args:
        client: Reads Upbit's list.
        repository: The payouts.
        settling_time: How long after the loss of an answer the list may lag behind, in seconds.
    """

    def __init__(self, client: UpbitClient, repository: PayoutRepository, settling_time: float) -> None:
        self._client = client
        self._repository = repository
        self._settling_time = settling_time
        self._locks = KeyedLock()

    async def settle(
        self, key: str, *, behind: frozenset[str] = frozenset(), deadline: float = math.inf
    ) -> Payout:
        """Wait until the settling time is over, look, and decide. What is settled already stays as it is.

        Args:
            key: The payout's key.
            behind: The keys of payouts that wait for this one.
            deadline: Until when to wait, by the loop's clock. What would take longer stays as it is.

        Raises:
            UpbitError: The list could not be read, so nothing is decided.
        """
        while True:
            async with self._locks.hold(key):
                found = await self._settle_once(key, behind, deadline)
            if isinstance(found, Payout):
                return found
            # No lock is held here: two payouts that wait for each other would deadlock.
            if not await self._wait_until_all_settled(found.keys, behind | {key}, deadline):
                return await self._repository.read(key)

    async def wait_until_settled(self, key: str, *, behind: frozenset[str] = frozenset()) -> Payout:
        """Wait until a payout is not under way any more, wherever it is, and settle it if nobody else does."""
        while True:
            payout = await self.wait_until_sent(key)
            if payout.state is PayoutState.UNKNOWN:
                payout = await self.settle(key, behind=behind)
            if not payout.state.is_under_way:
                return payout

    async def _wait_until_all_settled(
        self, keys: Collection[str], behind: frozenset[str], deadline: float
    ) -> bool:
        """Wait until none of some payouts is under way any more; whether that was so by a deadline."""
        with anyio.CancelScope(deadline=deadline) as scope:
            for key in keys:
                await self.wait_until_settled(key, behind=behind)
        return not scope.cancelled_caught

    async def wait_until_sent(self, key: str) -> Payout:
        """Wait until nobody is sending a payout any more, in whatever process: its answer is there, or is lost."""
        pauses = backoff(*LEASE_POLLS)
        while True:
            payout = await self.expire(key)
            if payout.state is not PayoutState.SENDING:
                return payout
            await anyio.sleep(next(pauses))

    async def _settle_once(self, key: str, behind: frozenset[str], deadline: float) -> Payout | WaitFor:
        """Settle a payout, unless others must be settled first."""
        while True:
            payout = await self.expire(key)
            if payout.state is not PayoutState.UNKNOWN:
                return payout
            if left := await self.time_left(payout):
                if anyio.current_time() + left > deadline:
                    return payout
                await anyio.sleep(left)
                continue
            verdict = await self._decide_surely(payout, behind)
            if isinstance(verdict, WaitFor):
                return verdict
            try:
                return await self._decided(payout, verdict)
            except (StaleRevision, ConflictingPayout):
                continue

    async def expire(self, key: str) -> Payout:
        """Return a payout, which is unknown if its owner has not recorded an outcome within its lease."""
        return await self._repository.change(key, transitions.expired)

    async def read_again(self, payout: Payout, deadline: float = math.inf) -> Payout:
        """Read the list once more for a payout that was not sent, or was given up after a copy had left.

        What has turned up since makes it a matter for review. An abandoned payout keeps its state. So does one that
        waits for other payouts when the deadline comes.

        Raises:
            UpbitError: The list could not be read.
        """
        while payout.state in _LOOKED_AT_AGAIN:
            match await self._judge(payout):
                case WaitFor(keys):
                    if not await self._wait_until_all_settled(keys, frozenset({payout.key}), deadline):
                        return payout
                    payout = await self._repository.read(payout.key)
                    continue
                case Adopt(record):
                    doubt = RequireReview(
                        f"withdrawal {record.uuid}, which fits, has turned up since", (record,)
                    )
                case RequireReview(_, [_, *_]) as doubt:
                    pass
                case _:  # other withdrawals since then prove nothing
                    if payout.state is PayoutState.ABANDONED and not await self.time_left(payout):
                        return await self._repository.change(payout.key, transitions.nothing_new)
                    return payout
            if payout.state is PayoutState.ABANDONED and payout.candidates == tuple(doubt.uuids):
                return payout
            payout = await self._decide(payout, doubt)
        return payout

    async def reconsider(self, payout: Payout, deadline: float = math.inf) -> Payout:
        """Judge a payout that needs review once more: what has become known since may settle it.

        A withdrawal that turned up after the payout had been called not sent stays a matter for review: by then an
        equal one of somebody else is as likely as a late copy.

        Raises:
            UpbitError: The list could not be read.
        """
        while payout.state is PayoutState.NEEDS_REVIEW and _may_be_reconsidered(payout):
            verdict = await self._decide_surely(payout)
            if isinstance(verdict, WaitFor):
                if not await self._wait_until_all_settled(verdict.keys, frozenset({payout.key}), deadline):
                    return payout
                payout = await self._repository.read(payout.key)
            elif isinstance(verdict, RequireReview) or (
                isinstance(verdict, Adopt) and payout.required_request.reopened
            ):
                return payout
            else:
                payout = await self._decide(payout, verdict)
        return payout

    async def _decide(self, payout: Payout, verdict: Adopt | DeclareNotSent | RequireReview) -> Payout:
        try:
            return await self._decided(payout, verdict)
        except (StaleRevision, ConflictingPayout):
            return await self._repository.read(payout.key)

    async def _decided(self, payout: Payout, verdict: Adopt | DeclareNotSent | RequireReview) -> Payout:
        decided = _by(verdict, payout, await self._repository.now())
        return payout if decided is None else await self._repository.compare_and_swap(payout, decided)

    async def follow(self, payout: Payout, deadline: float = math.inf) -> Payout:
        """Wait until an accepted payout's withdrawal has ended, or until a deadline by the loop's clock.

        Raises:
            PollTimeout: The deadline has come.
            UpbitError: It can't be waited for any more.
        """
        poller = self._client.withdraws.poller(payout.uuid or "")
        timeout = None if math.isinf(deadline) else max(0.0, deadline - anyio.current_time())
        try:
            record = await poller.wait(timeout=timeout)
        except PollTimeout:
            if poller.last is not None:
                await self._see(payout.key, poller.last)
            raise
        return await self._see(payout.key, record)

    async def _see(self, key: str, record: Withdrawal) -> Payout:
        return await self._repository.change(key, lambda payout, now: transitions.seen(payout, record, now))

    async def time_left(self, payout: Payout) -> float:
        """Return how long a payout is still left to settle, in seconds.

        It counts from when its loss was recorded, by the journal's clock, also across restarts of the service.
        """
        sent_request = payout.required_request
        now = (await self._repository.now()).journal
        if sent_request.lost_at is None:
            return self._settling_time
        return settling_left(
            sent_request.lost_at,
            sent_request.left_at,
            self._settling_time,
            now,
            is_bounded=sent_request.is_bounded,
        )

    async def _decide_surely(self, payout: Payout, behind: Collection[str] = ()) -> Conclusion:
        verdict = await self._judge(payout, behind)
        if isinstance(verdict, DeclareNotSent):  # one empty list may be a slip of the server's
            await anyio.sleep(_SECOND_LOOK)
            verdict = await self._judge(payout, behind, confirm=True)
        return verdict

    async def _judge(
        self, payout: Payout, behind: Collection[str] = (), *, confirm: bool = False
    ) -> Conclusion:
        sent_request = payout.required_request
        listing = await since_baseline(
            self._client.transport, payout.criteria.currency, sent_request.baseline, confirm=confirm
        )
        rows = [await self._completed(row, payout) for row in listing.rows]
        # The journal is read after the list: the payout that has made a withdrawal of the list is in it by then.
        related = await self._repository.journal.related(payout.criteria.currency, listing.uuids)
        verdict = decide(
            payout,
            Observation(
                rows=rows,
                others=other_claimants(related.payouts, payout.key, await self._repository.now()),
                made_without_payout=self._client.known_withdrawals.unguarded,
                excluded={*sent_request.excluded, *related.acknowledged},
                fee_convention=await self._repository.fee_convention(),
                waiting_for_this=behind,
                gap=listing.gap,
                unreadable=listing.unreadable,
            ),
        )
        is_anothers = sent_request.signed_by != self._client.transport.key_digest
        if isinstance(verdict, DeclareNotSent) and not sent_request.baseline and is_anothers:
            return RequireReview("it was signed with another key, and this one's account may be another")
        return verdict

    async def _completed(self, row: Withdrawal, payout: Payout) -> Withdrawal:
        """Return a row with its network: the list may leave it out where the single withdrawal has it."""
        if row.net_type is not None or not any(
            fits(payout.intent, row, fee_convention) for fee_convention in FeeConvention
        ):
            return row
        return attrs.evolve(row, net_type=(await self._client.withdraws.get(row.uuid)).net_type)


def _may_be_reconsidered(payout: Payout) -> bool:
    """Whether the list may settle it: not if Upbit's own answers contradict each other."""
    return payout.uuid is None and payout.sent_request is not None and not payout.sent_request.answered


_LOOKED_AT_AGAIN = frozenset({PayoutState.NOT_SENT, PayoutState.QUEUED, PayoutState.ABANDONED})


def _by(verdict: Adopt | DeclareNotSent | RequireReview, payout: Payout, now: Now) -> Payout | None:
    match verdict:
        case Adopt(record):
            return transitions.adopted(payout, record, now)
        case DeclareNotSent():
            return transitions.not_found(payout, now)
        case RequireReview():
            return transitions.doubtful(payout, verdict.why, verdict.uuids, now)
