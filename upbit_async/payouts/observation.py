"""Observation of a payout in a snapshot: the withdrawals that may be it. Pure.

If the snapshot's list reaches the payout's baseline, these are the rows that are new since then. If the baseline lies
behind the reconciliation mark, the list shows the rows since the mark. The rows between come from the journal, which
accounts for each of them. Those that Upbit's own answer or a manual decision has given to a payout are explained, and
so are acknowledged ones. The others are *recorded*: they belong to no payout, or were only matched to one. A recorded
one may be older than the baseline, unless an earlier list has shown it to be new, and a review has stored that.

`docs/explanation/payouts.md` proves that a conclusion from recorded rows is never bolder than one from the whole list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from upbit_async.checks.reconcile import is_alike
from upbit_async.models import Withdrawal
from upbit_async.payouts.baseline import (
    TOLERANCE,
    does_not_reach_back,
    new_since,
    provable_end,
    reaches,
    unreadable_since,
)
from upbit_async.payouts.decision import Observation, other_claimants
from upbit_async.payouts.journal import RETAINED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.snapshot import Snapshot

__all__ = ["NewRows", "new_rows", "observation"]


@attrs.frozen
class NewRows:
    """The withdrawals in a snapshot that may be a payout.

    Attributes:
        listed: Those that the list shows.
        known_as_new: Those that only the journal shows, but an earlier list has shown to be newer than the baseline.
        recorded: Other ones that only the journal shows, by records that may be out of date.
        is_partial: Whether the list shows the withdrawals since the mark only.
    """

    listed: tuple[Withdrawal, ...]
    known_as_new: tuple[Withdrawal, ...] = ()
    recorded: tuple[Withdrawal, ...] = ()
    is_partial: bool = False


def new_rows(payout: Payout, snapshot: Snapshot) -> NewRows:
    """Return the withdrawals that may be a payout.

    Raises:
        DecodeError: The list lacks withdrawals of the payout's baseline that it would have to show.
    """
    listing, baseline = snapshot.listing, payout.required_request.baseline
    if reaches(listing, baseline):
        return NewRows(tuple(new_since(listing, baseline)))
    if snapshot.mark is None:
        raise does_not_reach_back()
    listed = (*listing.newer_than(snapshot.mark), *_unsorted(snapshot))
    recorded = _without(_recorded(payout, snapshot), {row.uuid.casefold() for row in listed})
    known_as_new = [row for row in recorded if _is_known_as_new(payout, row)]
    return NewRows(
        listed=_without(listed, baseline),
        known_as_new=tuple(known_as_new),
        recorded=_without(recorded, {*baseline, *(row.uuid.casefold() for row in known_as_new)}),
        is_partial=True,
    )


def _is_known_as_new(payout: Payout, row: Withdrawal) -> bool:
    """Return whether an earlier list has shown a withdrawal to be new, and its record lacks nothing to compare."""
    is_whole = row.fee is not None and row.transaction_type is not None
    return is_whole and row.uuid.casefold() in payout.required_request.new_candidates


def observation(
    payout: Payout,
    snapshot: Snapshot,
    rows: NewRows,
    *,
    made_without_payout: Collection[str],
    waiting_for_this: Collection[str],
) -> Observation:
    """Return what is known about a payout.

    Args:
        payout: The payout.
        snapshot: The snapshot.
        rows: The withdrawals in the snapshot that may be it.
        made_without_payout: The ids, in lower case, of withdrawals that the same client made without a payout.
        waiting_for_this: The keys of payouts that wait for this one.
    """
    related = snapshot.related
    known = {each.key for each in related.payouts}
    matched = (each for each in related.matched if rows.is_partial and each.key not in known)
    return Observation(
        rows=(*rows.listed, *rows.known_as_new, *rows.recorded),
        others=other_claimants([*related.payouts, *matched], payout.key, snapshot.now),
        made_without_payout=made_without_payout,
        excluded={*payout.required_request.excluded, *related.acknowledged},
        fee_convention=snapshot.fee_convention,
        waiting_for_this=waiting_for_this,
        gap=snapshot.listing.gap,
        unreadable=unreadable_since(snapshot.listing, payout.required_request.baseline),
        recorded={row.uuid.casefold() for row in rows.recorded},
        reservation=_reservation(payout, snapshot, rows),
    )


def _recorded(payout: Payout, snapshot: Snapshot) -> list[Withdrawal]:
    """Return the recorded withdrawals whose owner is uncertain, unless they are provably older than a payout."""
    matched = (each.record for each in snapshot.related.matched if each.record is not None)
    end = provable_end(payout.required_request.baseline, snapshot.times.get)
    return [
        row
        for row in (*snapshot.related.unowned, *matched)
        if end is None or row.created_at is None or row.created_at >= end
    ]


def _unsorted(snapshot: Snapshot) -> list[Withdrawal]:
    """Return the rows of a list behind the mark that are not older than the mark."""
    listing = snapshot.listing
    newer = len(listing.newer_than(snapshot.mark))
    mark_time = snapshot.times.get(snapshot.mark or "")
    return [
        row
        for row in (*listing.rows[newer + 1 :], *listing.further)
        if mark_time is None or row.created_at is None or row.created_at > mark_time + TOLERANCE
    ]


def _reservation(payout: Payout, snapshot: Snapshot, rows: NewRows) -> str:
    """Return why the rows prove neither a match nor that nothing was sent; empty if they may."""
    if unreadable := [*snapshot.related.unreadable, *snapshot.related.unreadable_unowned]:
        return f"the journal's row of {unreadable[0]!r} is damaged, so any withdrawal may belong to it"
    if not rows.is_partial:
        return ""
    if snapshot.now.utc - payout.created_at >= RETAINED:
        return (
            f"the payout was requested more than {RETAINED.days} days ago, and the journal does not keep every "
            "withdrawal since then"
        )
    for row in rows.recorded:
        if row.fee is None and is_alike(payout.intent, row) and row.amount <= payout.criteria.amount:
            return f"the journal does not have the fee of withdrawal {row.uuid}, which may be this payment"
    return ""


def _without(rows: Sequence[Withdrawal], uuids: Collection[str]) -> tuple[Withdrawal, ...]:
    excluded = frozenset(uuids)
    return tuple(row for row in rows if row.uuid.casefold() not in excluded)
