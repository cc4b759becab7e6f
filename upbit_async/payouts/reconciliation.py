"""Reconciliation: compares all withdrawals of the account with the journal, and reports what belongs to no payout.

A pass reads one list of all currencies, back to the account's reconciliation mark. It stores the withdrawals that
belong to no payout, and moves the marks. A withdrawal that is still unowned after the settling time is reported. A
payout that was considered unsent, and that an unowned withdrawal may be, needs review. No money is sent.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import DecodeError
from upbit_async.events import UnownedWithdrawal
from upbit_async.models import Withdrawal
from upbit_async.payouts.decision import Adopt, Conclusion, DeclareNotSent, may_claim, may_turn_up
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.payouts.shared_reads import SharedReads
from upbit_async.payouts.snapshot import (
    WITHOUT_MARK,
    accounted_for,
    new_mark,
    newly_unowned,
    problem_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.judging import Judge
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler
    from upbit_async.payouts.snapshot import Snapshot, SnapshotReader
    from upbit_async.protocol.endpoint import Transport

__all__ = ["AccountReconciliation", "Reconciler"]

_ACCOUNT: Final = ""
"""The journal's name for all currencies together."""
_PAGE: Final = 100


@attrs.frozen(kw_only=True)
class AccountReconciliation:
    """Result of a comparison of the account's withdrawals with the journal.

    Attributes:
        read_at: Time before Upbit's list was requested, UTC.
        unowned: All withdrawals that belong to no payout and are not acknowledged. Call `Payouts.acknowledge` for one
            that was made elsewhere on purpose, or `Payouts.resolve` if it is a payout.
        reviews: Keys of the payouts that people must look at: those that need review, and abandoned ones that may have
            been paid.
        is_complete: Whether every withdrawal was compared. If not, `problem` says why.
        problem: Why Upbit's list does not show all withdrawals; empty if it does.

    Example:
        .. code-block:: python

            from upbit_async.payouts.reconciliation import AccountReconciliation


            def alert(found: AccountReconciliation) -> None:
                for withdrawal in found.unowned:
                    print("no payout:", withdrawal.uuid, withdrawal.amount, withdrawal.currency)
                for key in found.reviews:
                    print("needs review:", key)
                if not found.is_complete:
                    print("incomplete:", found.problem)
    """

    read_at: dt.datetime
    unowned: tuple[Withdrawal, ...]
    reviews: tuple[str, ...]
    is_complete: bool
    problem: str = ""


class Reconciler:
    """Reconciles the account with the journal. Concurrent passes share one list.

    Args:
        transport: Transport that reads Upbit's list, and emits events.
        repository: Repository of the payouts.
        snapshots: Reader of snapshots.
        judge: Judge of payouts that need review.
        settler: Settler of payouts that were considered unsent.
        settling_time: Time after which an unowned withdrawal is reported, in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        repository: PayoutRepository,
        snapshots: SnapshotReader,
        judge: Judge,
        settler: Settler,
        *,
        settling_time: float,
    ) -> None:
        self._transport = transport
        self._repository = repository
        self._snapshots = snapshots
        self._judge = judge
        self._settler = settler
        self._settling_time = settling_time
        self._reads = SharedReads()
        self._judged: dict[str, tuple[int, Conclusion]] = {}

    async def run_pass(self, currency: str | None = None) -> AccountReconciliation:
        """Compare the account's withdrawals with the journal. The list is requested after this call.

        Args:
            currency: The currency's code; None, the default, for all currencies.

        Raises:
            DecodeError: The list lacks the mark, or ends after a full page.
            JournalError: The journal can't be used.
            UpbitError: The list could not be read.
        """
        await self._repository.open()
        return await self._reads.share(currency, partial(self._run_pass, currency))

    async def _run_pass(self, currency: str | None) -> AccountReconciliation:
        in_review = await self._in_review(currency)  # before the list is requested
        if currency is None:
            needed = [each.criteria.currency for each in in_review]
            now, snapshots, problem = await self._reconcile_account(needed)
        else:
            snapshot = await self._snapshots.read(currency)
            now, snapshots = snapshot.now, {currency: snapshot}
            problem = problem_of(snapshot.listing, accounted_for(snapshot.related, ()))
        for snapshot in snapshots.values():
            await self._compare_unsent(snapshot)
        await self._judge_again(in_review, snapshots)
        await self._report(now)
        unowned = await self._repository.journal.unowned()
        return AccountReconciliation(
            read_at=now.utc,
            unowned=tuple(row for row in unowned if currency in {None, row.currency}),
            reviews=await self._reviews(currency, snapshots),
            is_complete=not problem,
            problem=problem,
        )

    async def _reviews(self, currency: str | None, compared: Iterable[str]) -> tuple[str, ...]:
        """Return the keys of the payouts that people must look at, abandoned ones in the compared currencies."""
        keys = {each.key: None for each in await self._in_review(currency)}
        for each in compared:
            related = await self._repository.journal.related(each, ())
            abandoned = (payout for payout in related.payouts if payout.state is PayoutState.ABANDONED)
            keys |= {payout.key: None for payout in abandoned if payout.is_open}
        return tuple(keys)

    # -- the list and the marks --------------------------------------------------------------------

    async def _reconcile_account(self, needed: Iterable[str]) -> tuple[Now, Mapping[str, Snapshot], str]:
        """Read the list of all currencies, store the unowned withdrawals, and move the marks.

        Args:
            needed: Currencies that need a snapshot in any case.

        Returns:
            The time before the list was requested, a snapshot for each currency, and why the list does not show all
            withdrawals.
        """
        journal = self._repository.journal
        position = await journal.position()
        now = await self._repository.now()
        mark = await journal.mark(_ACCOUNT)
        oldest = now.utc - WITHOUT_MARK
        listing = await self._snapshots.read_list(None, mark=mark, oldest=oldest)
        rows = listing.newer_than(mark)
        currencies = dict.fromkeys(needed)
        currencies |= {row.currency: None for row in (*rows, *await journal.unowned())}
        snapshots: dict[str, Snapshot] = {}
        unowned: dict[str, list[Withdrawal]] = {}
        accounted: frozenset[str] = frozenset()
        for currency in currencies:
            in_currency = attrs.evolve(
                listing,
                rows=tuple(row for row in rows if row.currency == currency),
                is_whole=listing.is_whole and mark is None,
            )
            snapshot = await self._snapshots.with_journal(
                currency, in_currency, mark=mark, now=now, position=position
            )
            snapshots[currency] = snapshot
            unowned[currency] = newly_unowned(snapshot.recent, snapshot.related, snapshot.fee_convention)
            accounted |= accounted_for(snapshot.related, unowned[currency])
        problem = problem_of(listing, accounted)
        latest = None if problem else self._snapshots.settled_until(listing)
        for currency, snapshot in snapshots.items():
            await self._store(snapshot, unowned[currency], accounted, latest)
        moved = mark
        if latest is not None:
            claimed = frozenset[str]().union(*(snapshot.claimed for snapshot in snapshots.values()))
            oldest_compared = None if mark is not None else oldest
            moved = new_mark(rows, mark, accounted, latest=latest, oldest=oldest_compared, claimed=claimed)
        await journal.reconcile(
            _ACCOUNT, (), old_mark=mark, new_mark=moved, at=now.utc, is_complete=not problem
        )
        return now, snapshots, problem

    async def _store(
        self,
        snapshot: Snapshot,
        unowned: Sequence[Withdrawal],
        accounted: frozenset[str],
        latest: dt.datetime | None,
    ) -> None:
        """Store the unowned withdrawals in one currency, and move its mark over what is accounted for.

        A currency's mark that the list does not show is older than the account's.
        """
        journal, currency = self._repository.journal, snapshot.currency
        mark = await journal.mark(currency)
        moved = mark
        if latest is not None:
            oldest = None if snapshot.mark is not None else snapshot.now.utc - WITHOUT_MARK
            rows = snapshot.listing.newer_than(mark)
            claimed = snapshot.claimed
            moved = new_mark(rows, mark, accounted, latest=latest, oldest=oldest, claimed=claimed)
        if unowned or moved != mark:
            await journal.reconcile(currency, unowned, old_mark=mark, new_mark=moved, at=snapshot.now.utc)

    # -- payouts -----------------------------------------------------------------------------------

    async def _compare_unsent(self, snapshot: Snapshot) -> None:
        """Compare the payouts that are considered unsent with the withdrawals that belong to no payout."""
        owned = {each.uuid.casefold() for each in snapshot.related.payouts if each.uuid is not None}
        owned |= {*snapshot.related.acknowledged}
        rows = [
            row for row in (*snapshot.recent, *snapshot.related.unowned) if row.uuid.casefold() not in owned
        ]
        for each in snapshot.related.payouts:
            if not may_turn_up(each, snapshot.now):
                continue
            if any(may_claim(each, row, snapshot.fee_convention) for row in rows):
                await self._compare(each.key, snapshot)

    async def _compare(self, key: str, snapshot: Snapshot) -> None:
        payout = await self._repository.read(key)
        if payout.sent_request is None:  # it has changed since
            return
        with contextlib.suppress(DecodeError):  # its baseline is not in Upbit's list any more
            try:
                await self._settler.compare_late(payout, snapshot)
            except DecodeError:  # a first list without a mark need not reach its baseline
                await self._settler.read_again(payout, -math.inf)

    async def _in_review(self, currency: str | None) -> list[Payout]:
        """Return the payouts that need review, newest first."""
        found: list[Payout] = []
        states, before_key = (PayoutState.NEEDS_REVIEW,), None
        while True:
            query = PayoutQuery(states=states, currency=currency, before_key=before_key, limit=_PAGE)
            page = await self._repository.journal.select(query)
            found += page
            if len(page) < _PAGE:
                return found
            before_key = page[-1].key

    async def _judge_again(self, in_review: Sequence[Payout], snapshots: Mapping[str, Snapshot]) -> None:
        """Judge payouts that need review again, if a list of this pass means something else than the last one did."""
        before, self._judged = self._judged, {}
        for payout in in_review:
            snapshot = snapshots.get(payout.criteria.currency)
            if snapshot is None or payout.sent_request is None or payout.uuid is not None:
                continue
            try:
                conclusion = await self._judge.judge_by(snapshot, payout)
            except DecodeError:
                continue
            judged = payout.revision, conclusion
            self._judged[payout.key] = judged
            if isinstance(conclusion, (Adopt, DeclareNotSent)) and before.get(payout.key) != judged:
                await self._settler.reconsider(payout)

    # -- reports -----------------------------------------------------------------------------------

    async def _report(self, now: Now) -> None:
        """Report each withdrawal that belonged to no payout for the settling time, once."""
        for record in await self._repository.journal.unreported(now.utc, self._settling_time):
            self._transport.emit(
                UnownedWithdrawal(host=self._transport.host, uuid=record.uuid, record=record)
            )
