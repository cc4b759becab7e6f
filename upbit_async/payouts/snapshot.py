"""Snapshots: Upbit's newest withdrawals in a currency, and what the journal knows about them.

One snapshot serves all payouts in its currency that asked before its list was requested: those that are to be sent, and
those whose outcome is to be determined. It is read back to the currency's *reconciliation mark*. Everything from the
mark on belongs to a payout, is acknowledged as no payout, or is stored in the journal as unowned. So the list need not
be read further, however long ago a payout was sent.

Each snapshot stores the withdrawals that belong to no payout, and then moves the mark.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from upbit_async.checks import FeeConvention, possible_amounts
from upbit_async.logs import logger
from upbit_async.payouts.baseline import LANDMARKS, TOLERANCE, Baseline, Listing, read_list
from upbit_async.payouts.decision import Claimants, may_turn_up
from upbit_async.payouts.journal import Related
from upbit_async.payouts.journal_time import Moment, Now

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from decimal import Decimal

    from upbit_async.models import Withdrawal
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.shared_reads import SharedReads
    from upbit_async.polling import Watcher
    from upbit_async.protocol.endpoint import Transport

__all__ = [
    "WITHOUT_MARK",
    "Snapshot",
    "SnapshotReader",
    "accounted_for",
    "new_mark",
    "newly_unowned",
    "problem_of",
]

_log = logger("upbit_async.payouts")

WITHOUT_MARK: Final = dt.timedelta(days=7)
"""Age of the oldest withdrawals that are compared with the journal if there is no mark."""


@attrs.frozen(kw_only=True, slots=False)  # slots would exclude cached properties
class Snapshot:
    """Upbit's newest withdrawals in a currency, and what the journal knows about them.

    Attributes:
        currency: The currency's code.
        listing: The list, back to the mark, or for `WITHOUT_MARK` and to the baselines of open payouts.
        mark: The reconciliation mark before the list was requested; None if there was none.
        related: What the journal knew about the withdrawals after the list was read.
        fee_convention: Whether amounts include the fee; None if that is not known.
        now: Time before the list was requested.
        position: Position of the journal's newest change before the list was requested.
    """

    currency: str
    listing: Listing
    mark: str | None
    related: Related
    fee_convention: FeeConvention | None
    now: Now
    position: int

    @property
    def baseline(self) -> Baseline:
        """The baseline for payouts that are sent now."""
        return Baseline(self.listing.uuids, self.position, Moment.at(self.now.journal))

    @cached_property
    def recent(self) -> tuple[Withdrawal, ...]:
        """The withdrawals since the mark, newest first; those of the last days if there is none."""
        if self.mark is not None:
            return self.listing.newer_than(self.mark)
        oldest = self.now.utc - WITHOUT_MARK
        return tuple(row for row in self.listing.rows if row.created_at is None or row.created_at >= oldest)

    @cached_property
    def unowned_by_amount(self) -> Mapping[Decimal, Sequence[Withdrawal]]:
        """The recent withdrawals and those that are stored as unowned, by the amounts that they may be payments of."""
        rows = {row.uuid.casefold(): row for row in (*self.related.unowned, *self.recent)}
        found: dict[Decimal, list[Withdrawal]] = {}
        for row in rows.values():
            for amount in possible_amounts(row):
                found.setdefault(amount, []).append(row)
        return found

    @cached_property
    def claimed(self) -> frozenset[str]:
        """The withdrawals that a payout with an unknown withdrawal may own, by their ids; none if there is a mark.

        The mark has passed none of them.
        """
        if self.mark is not None:
            return frozenset()
        claimants = Claimants(
            each
            for each in self.related.payouts
            if each.state.may_have_unknown_withdrawal or may_turn_up(each, self.now)
        )
        claimed = (row for row in self.listing.rows if any(claimants.of(row, self.fee_convention)))
        return frozenset(row.uuid.casefold() for row in claimed)

    @cached_property
    def times(self) -> Mapping[str, dt.datetime]:
        """The times at which withdrawals were made, as far as they are known, by the ids in lower case."""
        payouts = (*self.related.payouts, *self.related.matched)
        recorded = (each.record for each in payouts if each.record is not None)
        rows = (*recorded, *self.related.unowned, *self.listing.rows)
        return {row.uuid.casefold(): row.created_at for row in rows if row.created_at is not None}


def newly_unowned(
    rows: Sequence[Withdrawal], related: Related, fee_convention: FeeConvention | None
) -> list[Withdrawal]:
    """Return the withdrawals that belong to no payout, and are neither acknowledged nor stored yet.

    One that an unsettled payout may own is left out: it belongs to that payout, or is unowned later.
    """
    known = {each.uuid.casefold() for each in related.payouts if each.uuid is not None}
    known |= {*related.acknowledged, *(row.uuid.casefold() for row in related.unowned)}
    under_way = Claimants(each for each in related.payouts if each.state.is_under_way)
    return [
        row for row in rows if row.uuid.casefold() not in known and not any(under_way.of(row, fee_convention))
    ]


def accounted_for(related: Related, unowned: Sequence[Withdrawal]) -> frozenset[str]:
    """Return the withdrawals that belong to a payout, are acknowledged, or are stored as unowned, by their ids."""
    owned = {each.uuid.casefold() for each in related.payouts if each.uuid is not None}
    stored = (row.uuid.casefold() for row in (*related.unowned, *unowned))
    return frozenset({*owned, *related.acknowledged, *stored})


def problem_of(listing: Listing, accounted: frozenset[str]) -> str:
    """Return why a list does not show all withdrawals; empty if it does."""
    unread = [error for error in listing.unreadable if (error.uuid or "").casefold() not in accounted]
    if not unread:
        return listing.gap
    return f"Upbit's list has {len(unread)} withdrawals that can't be read ({unread[0]})"


def new_mark(
    rows: Sequence[Withdrawal],
    mark: str | None,
    accounted: frozenset[str],
    *,
    latest: dt.datetime,
    oldest: dt.datetime | None = None,
    claimed: Collection[str] = (),
) -> str | None:
    """Return the newest withdrawal up to which every withdrawal is accounted for.

    Args:
        rows: The withdrawals since the mark, newest first.
        mark: The present mark; None if there is none.
        accounted: The withdrawals that are accounted for, by their ids in lower case.
        latest: Time at which the mark ends; a withdrawal that was made before it can't turn up any more.
        oldest: Time before which withdrawals count as accounted for; None for no time.
        claimed: Withdrawals that do not, by their ids in lower case: the clock that `oldest` is from may be wrong.
    """
    for row in reversed(rows):
        if row.created_at is None or row.created_at > latest:
            break
        uuid = row.uuid.casefold()
        is_old = oldest is not None and row.created_at < oldest and uuid not in claimed
        if not is_old and uuid not in accounted:
            break
        mark = uuid
    return mark


class SnapshotReader:
    """Reader of snapshots. Concurrent tasks share them.

    Args:
        transport: Transport that reads Upbit's list.
        repository: Repository of the payouts.
        reads: Reads that the tasks share.
        watcher: What polls accepted payouts; it is given every list, which spares polls.
        trailing: Longest lag of Upbit's list, in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        repository: PayoutRepository,
        reads: SharedReads,
        watcher: Watcher[Withdrawal],
        *,
        trailing: float,
    ) -> None:
        self._transport = transport
        self._repository = repository
        self._trailing = dt.timedelta(seconds=trailing)
        self._reads = reads
        self._watcher = watcher

    async def read(
        self,
        currency: str,
        *,
        confirm: bool = False,
        delay: float = 0.0,
        since: int | None = None,
        period: float = 0.0,
    ) -> Snapshot:
        """Return a snapshot whose list is requested after this call, or was after an earlier moment.

        Args:
            currency: The currency's code.
            confirm: Whether to read further pages, to find rows that the list does not sort by time.
            delay: Wait before the request, in seconds, in which other tasks may join.
            since: That moment; see `SharedReads.share`.
            period: Shortest time since the previous request while many tasks ask, in seconds; see `SharedReads.share`.

        Raises:
            DecodeError: The list lacks the mark, or ends after a full page.
            JournalError: The journal can't be used.
            UpbitError: The list could not be read.
        """
        read = partial(self._read, currency, confirm=confirm)
        return await self._reads.share((currency, confirm), read, delay=delay, since=since, period=period)

    async def _read(self, currency: str, *, confirm: bool) -> Snapshot:
        journal = self._repository.journal
        position = await journal.position()
        now = await self._repository.now()
        mark = await journal.mark(currency)
        baselines: Sequence[Sequence[str]] = ()
        if mark is None:
            baselines = list(_open_baselines(await journal.related(currency, ()), now))
        oldest = now.utc - WITHOUT_MARK
        listing = await self.read_list(
            currency, mark=mark, oldest=oldest, baselines=baselines, confirm=confirm
        )
        snapshot = await self.with_journal(currency, listing, mark=mark, now=now, position=position)
        await self._store(snapshot)
        return snapshot

    async def read_list(
        self,
        currency: str | None,
        *,
        mark: str | None,
        oldest: dt.datetime,
        baselines: Sequence[Sequence[str]] = (),
        confirm: bool = False,
    ) -> Listing:
        """Return Upbit's list, as `baseline.read_list` does. Accepted payouts that it shows need not be polled."""
        began = anyio.current_time()
        listing = await read_list(
            self._transport, currency, mark=mark, oldest=oldest, baselines=baselines, confirm=confirm
        )
        self._watcher.offer(listing.rows, began=began)
        return listing

    async def with_journal(
        self, currency: str, listing: Listing, *, mark: str | None, now: Now, position: int
    ) -> Snapshot:
        """Return a snapshot with a list that was read already.

        Args:
            currency: The currency's code.
            listing: The list, without withdrawals in other currencies.
            mark: The reconciliation mark that the list was read back to; None if there was none.
            now: Time before the list was requested.
            position: Position of the journal's newest change before the list was requested.
        """
        # The journal is read after the list, so that it has the payout of every withdrawal in the list.
        unsorted = (row.uuid.casefold() for row in listing.further) if listing.gap else ()
        related = await self._repository.journal.related(currency, (*listing.uuids, *unsorted))
        if mark is not None:
            related = await self._with_ends(currency, related, listing, now)
        return Snapshot(
            currency=currency,
            listing=listing,
            mark=mark,
            related=related,
            fee_convention=await self._repository.fee_convention(),
            now=now,
            position=position,
        )

    async def with_present_journal(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot of the same list with what the journal knows now. Concurrent tasks share the reads."""
        read = partial(
            self.with_journal,
            snapshot.currency,
            snapshot.listing,
            mark=snapshot.mark,
            now=snapshot.now,
            position=snapshot.position,
        )
        return await self._reads.share(("journal", id(snapshot.listing)), read)

    async def _with_ends(self, currency: str, related: Related, listing: Listing, now: Now) -> Related:
        """Add the payouts that made the oldest withdrawals of baselines that the list does not reach.

        Their times show which withdrawals are older than these baselines.
        """
        if not related.unowned and not related.matched:
            return related
        shown = frozenset(listing.uuids)
        ends = {
            baseline[-1]
            for baseline in _open_baselines(related, now)
            if baseline and not shown.issuperset(baseline[:LANDMARKS])
        }
        if not ends:
            return related
        more = await self._repository.journal.related(currency, ends)
        makers = [each for each in more.payouts if each.uuid is not None and each.uuid.casefold() in ends]
        return attrs.evolve(related, payouts=[*related.payouts, *makers])

    async def _store(self, snapshot: Snapshot) -> None:
        """Store the unowned withdrawals in the journal, and move the mark over what is accounted for."""
        listing, mark = snapshot.listing, snapshot.mark
        unowned = newly_unowned(snapshot.recent, snapshot.related, snapshot.fee_convention)
        accounted = accounted_for(snapshot.related, unowned)
        moved, latest = mark, self.settled_until(listing)
        if latest is not None and not problem_of(listing, accounted):
            oldest = None if mark is not None else snapshot.now.utc - WITHOUT_MARK
            rows = listing.newer_than(mark)
            moved = new_mark(rows, mark, accounted, latest=latest, oldest=oldest, claimed=snapshot.claimed)
        if unowned or moved != mark:
            await self._repository.journal.reconcile(
                snapshot.currency, unowned, old_mark=mark, new_mark=moved, at=snapshot.now.utc
            )
        if unowned:
            _log.info("%d withdrawals in %s belong to no payout", len(unowned), snapshot.currency)

    def settled_until(self, listing: Listing) -> dt.datetime | None:
        """Return a time; a withdrawal that was made before it can't turn up in the list any more.

        It trails the newest withdrawal, because the list may lag. None if the list shows no time.
        """
        times = [row.created_at for row in listing.rows if row.created_at is not None]
        return max(times) - self._trailing - TOLERANCE if times else None


def _open_baselines(related: Related, now: Now) -> Iterator[Sequence[str]]:
    """Yield the baselines of the payouts whose withdrawals are not known."""
    for each in related.payouts:
        if each.sent_request is None or each.uuid is not None:
            continue
        if each.state.may_have_unknown_withdrawal or may_turn_up(each, now):
            yield each.sent_request.baseline
