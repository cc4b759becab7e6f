"""Settling: determines the outcome of payouts whose answer was lost. Sends no money.

A payout is *settled* when it is neither `sending` nor `unknown`. `sending` ends with the answer or with the lease; then
the answer is lost. For a lost answer, `settle` waits for the settling time. Then the judge concludes from Upbit's list
that the payout is one of the withdrawals, was not sent, or needs review, or that another payout must be settled first.

A conclusion is checked again when more is known: `read_again` for a payout that was not sent, and `reconsider` for
one that needs review.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from upbit_async.concurrency import KeyedLock, backoff
from upbit_async.payouts import transitions
from upbit_async.payouts.decision import Adopt, DeclareNotSent, RequireReview, WaitFor
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_time import remaining_settling_time
from upbit_async.payouts.judging import Looks
from upbit_async.payouts.payout import Payout, PayoutState, SentRequest
from upbit_async.payouts.shared_reads import SharedReads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from typing import TypeAlias

    from upbit_async.payouts.decision import Conclusion
    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.judging import Judge
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.snapshot import Snapshot

    _Outcome: TypeAlias = Adopt | DeclareNotSent | RequireReview

__all__ = ["LEASE_POLLS", "SettleFirst", "Settler"]

LEASE_POLLS: Final = 0.05, 1.0
"""First and longest wait between two reads of a payout that another task or process sends, in seconds."""

_CLOCK_STEP: Final = 0.001
"""Shortest sleep until the settling time is over, in seconds: a clock may not show that a shorter one has passed."""

_CONSIDERED_UNSENT: Final = frozenset({PayoutState.NOT_SENT, PayoutState.QUEUED, PayoutState.ABANDONED})


class SettleFirst(Exception):
    """Other payouts must be settled before this one may be sent. Nothing was sent.

    Attributes:
        keys: The keys of these payouts.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__(f"payouts {', '.join(map(repr, keys))} must be settled first")
        self.keys = keys


class Settler:
    """Settles payouts.

    Args:
        repository: Repository of the payouts.
        judge: Judge of payouts whose answer was lost.
        settling_time: Time after the loss of an answer for which the list may lag, in seconds.
    """

    def __init__(self, repository: PayoutRepository, judge: Judge, settling_time: float) -> None:
        self._repository = repository
        self._judge = judge
        self._settling_time = settling_time
        self._locks = KeyedLock()
        self._reads = SharedReads()

    # -- waiting -----------------------------------------------------------------------------------

    async def expire(self, key: str) -> Payout:
        """Return a payout; it becomes ``unknown`` if no outcome was recorded within its lease."""
        return await self._repository.change(key, transitions.expired)

    async def wait_while_sending(self, key: str) -> Payout:
        """Wait while a task or process is sending a payout: until its outcome is recorded, or its lease is over.

        A payout in any other state, such as a planned one, is returned at once.
        """
        pauses = backoff(*LEASE_POLLS)
        while True:
            payout = await self.expire(key)
            if payout.state is not PayoutState.SENDING:
                return payout
            await anyio.sleep(next(pauses))

    async def wait_until_settled(self, key: str, *, waiting_for_this: frozenset[str] = frozenset()) -> Payout:
        """Wait until a payout is settled, and settle it if its answer is lost.

        Args:
            key: The payout's key.
            waiting_for_this: Keys of the payouts that wait for this one.
        """
        while True:
            payout = await self.wait_while_sending(key)
            if payout.state is PayoutState.UNKNOWN:
                payout = await self.settle(key, waiting_for_this=waiting_for_this)
            if not payout.state.is_under_way:
                return payout

    async def wait_until_all_settled(
        self,
        currency: str,
        keys: Collection[str],
        waiting_for_this: frozenset[str],
        deadline: float = math.inf,
    ) -> bool:
        """Wait until all payouts of these keys are settled; return False if the deadline comes first.

        Args:
            currency: Their currency.
            keys: Their keys.
            waiting_for_this: Keys of the payouts that wait for them.
            deadline: Latest time to wait for, by the loop's clock.
        """
        remaining = list(keys)
        with anyio.CancelScope(deadline=deadline) as scope:
            while remaining:
                await self.wait_until_settled(remaining[0], waiting_for_this=waiting_for_this)
                under_way = await self._reads.share(currency, partial(self._keys_under_way, currency))
                remaining = [key for key in remaining[1:] if key in under_way]
        return not scope.cancelled_caught

    async def _keys_under_way(self, currency: str) -> frozenset[str]:
        related = await self._repository.journal.related(currency, ())
        return frozenset(each.key for each in related.payouts if each.state.is_under_way)

    async def remaining_settling_time(self, payout: Payout) -> float:
        """Return what remains of a payout's settling time, in seconds.

        It starts when the loss was recorded, by the journal's clock, and continues across restarts of the service.
        """
        sent_request = payout.required_request
        now = (await self._repository.now()).journal
        if sent_request.lost_at is None:
            return self._settling_time
        return remaining_settling_time(
            sent_request.lost_at,
            sent_request.left_at,
            self._settling_time,
            now,
            is_bounded=sent_request.is_bounded,
        )

    # -- settling ----------------------------------------------------------------------------------

    async def settle(
        self, key: str, *, waiting_for_this: frozenset[str] = frozenset(), deadline: float = math.inf
    ) -> Payout:
        """Wait for the end of the settling time, read the list, and decide. A settled payout stays as it is.

        Args:
            key: The payout's key.
            waiting_for_this: Keys of the payouts that wait for this one.
            deadline: Latest time to wait for, by the loop's clock. What would take longer stays as it is.

        Raises:
            UpbitError: The list could not be read, so nothing is decided.
        """
        looks = Looks()
        while True:
            async with self._locks.hold(key):
                found = await self._settle_once(key, looks, waiting_for_this, deadline)
            if isinstance(found, Payout):
                return found
            # No lock is held here: two payouts that wait for each other would deadlock.
            currency = (await self._repository.read(key)).criteria.currency
            if not await self.wait_until_all_settled(
                currency, found.keys, waiting_for_this | {key}, deadline
            ):
                return await self._repository.read(key)

    async def _settle_once(
        self, key: str, looks: Looks, waiting_for_this: frozenset[str], deadline: float
    ) -> Payout | WaitFor:
        """Settle a payout, unless others must be settled first."""
        while True:
            payout = await self.expire(key)
            if payout.state is not PayoutState.UNKNOWN:
                return payout
            if remaining := await self.remaining_settling_time(payout):
                if anyio.current_time() + remaining > deadline:
                    return payout
                await anyio.sleep(max(remaining, _CLOCK_STEP))
                continue
            conclusion = await self._judge.judge_twice(payout, looks, waiting_for_this)
            if isinstance(conclusion, WaitFor):
                return conclusion
            changed = _changed_by(conclusion, payout, await self._repository.now())
            if changed is None:
                return payout
            try:
                return await self._repository.compare_and_swap(payout, changed)
            except (StaleRevision, ConflictingPayout):
                looks.snapshots.clear()

    async def read_again(self, payout: Payout, deadline: float = math.inf, *, waits: bool = True) -> Payout:
        """Read the list again for a payout that was not sent, or was abandoned after a copy was sent.

        A withdrawal that has turned up since requires a review. An abandoned payout keeps its state. So does a payout
        that waits for others when the deadline comes.

        Raises:
            SettleFirst: Other payouts must be settled first, and `waits` is False.
            UpbitError: The list could not be read.
        """
        while True:
            is_settled = not await self.remaining_settling_time(payout)
            payout, outcome = await self._judge_after_others(
                payout, self._judge.judge, deadline, applies=_is_considered_unsent, waits=waits
            )
            if outcome is None:
                return payout
            changed = _changed_late(outcome, payout, await self._repository.now(), is_settled=is_settled)
            if changed is None:
                return payout
            payout = await self._try_to_swap(payout, changed)

    async def compare_late(self, payout: Payout, snapshot: Snapshot) -> Payout:
        """Compare a payout that was not sent, or was abandoned after a copy was sent, with a snapshot.

        This is `read_again` with a list that was requested after the payout was read. It waits for no other payout.
        """
        if not _is_considered_unsent(payout):
            return payout
        outcome = await self._judge.judge_by(snapshot, payout)
        if isinstance(outcome, WaitFor):
            return payout
        changed = _changed_late(outcome, payout, await self._repository.now(), is_settled=False)
        return payout if changed is None else await self._try_to_swap(payout, changed)

    async def reconsider(self, payout: Payout, deadline: float = math.inf) -> Payout:
        """Judge a payout that needs review again: what has become known since may settle it.

        A withdrawal that turned up after the payout had been called not sent, or after the review began, stays a matter
        for review. By then it is as likely to be another withdrawal of that amount as a late copy.

        Raises:
            UpbitError: The list could not be read.
        """
        while True:
            payout, outcome = await self._judge_after_others(
                payout, self._judge.judge_twice, deadline, applies=_may_be_reconsidered
            )
            if outcome is None or _stays_in_review(outcome, payout.required_request):
                return payout
            changed = _changed_by(outcome, payout, await self._repository.now())
            if changed is None:
                return payout
            payout = await self._try_to_swap(payout, changed)

    async def _judge_after_others(
        self,
        payout: Payout,
        judge: Callable[[Payout, Looks], Awaitable[Conclusion]],
        deadline: float,
        *,
        applies: Callable[[Payout], bool],
        waits: bool = True,
    ) -> tuple[Payout, _Outcome | None]:
        """Judge a payout as soon as the payouts that it waits for are settled.

        Returns:
            The payout as it was judged, and the outcome; None if the condition does not hold any more, or the deadline
            comes first.
        """
        looks = Looks()
        while applies(payout):
            conclusion = await judge(payout, looks)
            if not isinstance(conclusion, WaitFor):
                return payout, conclusion
            if not waits:
                raise SettleFirst(conclusion.keys)
            waiting_for_this = frozenset({payout.key})
            currency = payout.criteria.currency
            if not await self.wait_until_all_settled(currency, conclusion.keys, waiting_for_this, deadline):
                break
            payout = await self._repository.read(payout.key)
        return payout, None

    async def _try_to_swap(self, payout: Payout, changed: Payout) -> Payout:
        try:
            return await self._repository.compare_and_swap(payout, changed)
        except (StaleRevision, ConflictingPayout):
            return await self._repository.read(payout.key)


def _is_considered_unsent(payout: Payout) -> bool:
    return payout.state in _CONSIDERED_UNSENT


def _may_be_reconsidered(payout: Payout) -> bool:
    """Whether the list may settle a review: not if Upbit's own answers contradict each other."""
    request = payout.sent_request
    is_unidentified = payout.state is PayoutState.NEEDS_REVIEW and payout.uuid is None
    return is_unidentified and request is not None and not request.answered


def _stays_in_review(outcome: _Outcome, request: SentRequest) -> bool:
    if isinstance(outcome, Adopt):  # what the review was not about may have been made after it began
        return request.reopened or outcome.record.uuid.casefold() not in request.candidates
    return isinstance(outcome, RequireReview)


def _changed_by(outcome: _Outcome, payout: Payout, now: Now) -> Payout | None:
    match outcome:
        case Adopt(record):
            return transitions.adopted(payout, record, now)
        case DeclareNotSent():
            return transitions.not_found(payout, now)
        case RequireReview():
            return transitions.doubtful(payout, outcome.why, outcome.uuids, now, new=outcome.new)


def _changed_late(outcome: _Outcome, payout: Payout, now: Now, *, is_settled: bool) -> Payout | None:
    """Return a payout that is considered unsent with what a later list shows; None if nothing changes.

    Args:
        outcome: The outcome by the list.
        payout: The payout.
        now: The present.
        is_settled: Whether the list was requested after the payout's settling time.
    """
    match outcome:
        case Adopt(record):
            doubt = RequireReview(f"withdrawal {record.uuid}, which fits, has turned up since", (record,))
        case RequireReview(_, [_, *_]):
            doubt = outcome
        case DeclareNotSent() | RequireReview(_, _, [_, *_]) if (
            is_settled and payout.state is PayoutState.ABANDONED
        ):
            return transitions.cleared(payout, now)  # other new withdrawals prove nothing
        case _:
            return None
    if payout.state is PayoutState.ABANDONED and payout.candidates == tuple(doubt.uuids):
        return None
    return transitions.doubtful(payout, doubt.why, doubt.uuids, now, new=doubt.new)
