"""Decides the outcome of a payout whose answer was lost, by Upbit's list and the journal. Pure.

Money depends on two rules that lean opposite ways:

- *It is this one* is said by the **narrowest** match: of all withdrawals that are new since the baseline and belong to
  no payout, exactly one has the currency, the network, the type and exactly the amount.
- *It was not sent* is said by the **widest**: every new withdrawal in that currency belongs to another payout, or was
  acknowledged as no payout; and the list is newest first, so that reading it back to the baseline has missed nothing.

Everything between needs a review. Time excludes nothing, and neither does what Upbit leaves out.

The owner of a withdrawal is certain if Upbit's own answer named it, or a manual decision did. If it was only found by a
match, it may have been taken for the wrong payout; so if it could be this one's too, it explains nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import attrs

from upbit_async.checks import FeeConvention, fits
from upbit_async.errors import DecodeError
from upbit_async.models import Withdrawal
from upbit_async.payouts.journal_time import CLAIM_DAYS, is_recent
from upbit_async.payouts.payout import Evidence, Payout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upbit_async.payouts.journal_time import Now

__all__ = [
    "Adopt",
    "Conclusion",
    "DeclareNotSent",
    "Observation",
    "RequireReview",
    "WaitFor",
    "decide",
    "may_claim",
    "may_turn_up",
    "other_claimants",
]


@attrs.frozen
class Adopt:
    """It is this withdrawal."""

    record: Withdrawal


@attrs.frozen
class DeclareNotSent:
    """Upbit does not have it."""


@attrs.frozen
class RequireReview:
    """It can't be told.

    Attributes:
        why: Why not, for people.
        candidates: The withdrawals that may be it; none where some are only unexplained.
        unexplained: Those that nothing explains.
        unreadable: The ids, in lower case, of rows that can't be read.
    """

    why: str
    candidates: tuple[Withdrawal, ...] = ()
    unexplained: tuple[Withdrawal, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def uuids(self) -> list[str]:
        """The withdrawals that a review is about, by their ids in lower case."""
        rows = dict.fromkeys((*self.candidates, *self.unexplained))
        return [*(row.uuid.casefold() for row in rows), *self.unreadable]


@attrs.frozen
class WaitFor:
    """Other payouts must be settled first: they may explain what this one's can't.

    Attributes:
        keys: Their keys.
    """

    keys: tuple[str, ...]


Conclusion = Adopt | DeclareNotSent | RequireReview | WaitFor

_MOST_SHOWN = 5


@attrs.frozen(kw_only=True)
class Observation:
    """What is known when a payout is judged.

    Attributes:
        rows: All withdrawals in its currency that are new since its baseline.
        others: Other payouts in its currency: those that have one of the rows, those that are not settled, and those
            of which a copy may turn up late. They were read after the rows, so the owner of a row is among them.
        made_without_payout: The ids, in lower case, of withdrawals that the same client made without a payout. They
            are not this payout. But another process may not know of them, so they don't prove that it was not sent.
        excluded: The ids, in lower case, that are known to be no payout, or not this one.
        fee_convention: How amounts are to be read, if that is known.
        waiting_for_this: The keys of payouts that wait for this one; it does not wait for them.
        gap: Why the rows may not be all that there are; empty if they are.
        unreadable: An error for each further row that can't be read, and so may be any withdrawal.
    """

    rows: Sequence[Withdrawal]
    others: Sequence[Payout]
    made_without_payout: Collection[str] = ()
    excluded: Collection[str] = ()
    fee_convention: FeeConvention | None = None
    waiting_for_this: Collection[str] = ()
    gap: str = ""
    unreadable: Sequence[DecodeError] = ()

    def will_tell(self, other: Payout) -> bool:
        """Whether another payout will be settled by itself, and does not wait for this one."""
        return other.state.is_under_way and other.key not in self.waiting_for_this


def decide(payout: Payout, sight: Observation) -> Conclusion:
    """Say what became of a payout whose answer was lost, at the end of its settling time."""
    owners = {other.uuid.casefold(): other for other in sight.others if other.uuid is not None}
    taken = {*owners, *sight.excluded, *sight.made_without_payout}
    free = [row for row in sight.rows if row.uuid.casefold() not in taken]
    fee_convention = sight.fee_convention or _reading_that_explains_all(payout, free, sight.others)
    mine = [row for row in free if fits(payout.intent, row, fee_convention or FeeConvention.GROSS)]
    match mine:
        case [only]:
            return _for_the_only(only, sight, fee_convention)
        case [_, *_]:
            return RequireReview(f"several withdrawals fit: {_ids(mine)}", tuple(mine))
        case _:
            return _for_none(payout, free, owners, sight, fee_convention)


def _for_the_only(row: Withdrawal, sight: Observation, fee_convention: FeeConvention | None) -> Conclusion:
    """Judge by the only withdrawal that fits: unless another payout may have it too, it is the one."""
    for other in sight.others:
        if not may_claim(other, row, fee_convention):
            continue
        if sight.will_tell(other):
            return WaitFor((other.key,))
        return RequireReview(
            f"withdrawal {row.uuid} may belong to this one or to payout {other.key!r}", (row,)
        )
    return Adopt(row)


def _for_none(
    payout: Payout,
    free: Sequence[Withdrawal],
    owners: Mapping[str, Payout],
    sight: Observation,
    fee_convention: FeeConvention | None,
) -> Conclusion:
    """Judge where no withdrawal fits: unless all are explained, it can't be told."""
    matched = {uuid for uuid, owner in owners.items() if owner.evidence is Evidence.MATCH}
    uncertain = matched - {*sight.made_without_payout, *sight.excluded}
    near = [row for row in sight.rows if _fits_somehow(payout, row, fee_convention)]
    candidates = tuple(row for row in near if row in free or row.uuid.casefold() in uncertain)
    explained = {*owners, *sight.excluded}
    unexplained = [row for row in sight.rows if row.uuid.casefold() not in explained or row in candidates]
    if not unexplained:
        if sight.gap:
            return RequireReview(f"{sight.gap}, so it does not follow from the list that nothing was sent")
        if unread := [each for each in sight.unreadable if (each.uuid or "").casefold() not in explained]:
            shown = ", ".join(each.uuid or each.path for each in unread[:_MOST_SHOWN])
            return RequireReview(
                f"Upbit's list has withdrawals that can't be read and may be this payout: {shown} ({unread[0]})",
                unreadable=tuple(each.uuid.casefold() for each in unread if each.uuid),
            )
        if payout.sent_request is not None and payout.sent_request.arrived:
            return RequireReview(
                "Upbit has said that the request arrived, and its list does not show a withdrawal"
            )
        return DeclareNotSent()
    waited_for = [other for other in sight.others if sight.will_tell(other)]
    explanations = [
        [other.key for other in waited_for if may_claim(other, row, fee_convention)] for row in unexplained
    ]
    if all(explanations):
        return WaitFor(tuple(dict.fromkeys(key for keys in explanations for key in keys)))
    why = f"whose are these withdrawals in the same currency? {_ids(unexplained)}"
    return RequireReview(why, candidates, tuple(unexplained))


def other_claimants(payouts: Sequence[Payout], key: str, now: Now) -> list[Payout]:
    """Return the payouts but one, without those whose copies left so long ago that none can turn up any more."""
    return [
        other
        for other in payouts
        if other.key != key
        and (other.uuid is not None or other.state.is_unsettled or may_turn_up(other, now))
    ]


def may_turn_up(other: Payout, now: Now) -> bool:
    """Whether a copy that is held for not sent left so recently that it may turn out to have been carried out."""
    sent_request = other.sent_request
    if sent_request is None or not other.may_be_unseen:
        return False
    return is_recent(sent_request.left_at, sent_request.left_utc, dt.timedelta(days=CLAIM_DAYS), now)


def may_claim(other: Payout, row: Withdrawal, fee_convention: FeeConvention | None) -> bool:
    """Whether a withdrawal may be another payout's, whose copy may be on its way or may turn up late."""
    sent_request = other.sent_request
    if other.uuid is not None and not (sent_request is not None and sent_request.reopened):
        return False
    if not (other.state.is_unsettled or other.may_be_unseen):
        return False
    uuid = row.uuid.casefold()
    cannot_be_its = sent_request is not None and uuid in {*sent_request.baseline, *sent_request.excluded}
    return not cannot_be_its and _fits_somehow(other, row, fee_convention)


def _fits_somehow(payout: Payout, row: Withdrawal, fee_convention: FeeConvention | None) -> bool:
    return any(
        fits(payout.intent, row, each)
        for each in ([fee_convention] if fee_convention is not None else FeeConvention)
    )


def _reading_that_explains_all(
    payout: Payout, free: Sequence[Withdrawal], beside: Sequence[Payout]
) -> FeeConvention | None:
    """Return that amounts are shown as asked for, if only so every withdrawal is somebody's.

    Nothing but this plain reading is ever concluded so: a stranger's withdrawal might look like one net of a fee.
    """
    seekers = [payout, *(other for other in beside if other.uuid is None)]

    def explains_all(fee_convention: FeeConvention) -> bool:
        return all(
            any(
                each is payout or may_claim(each, row, fee_convention)
                for each in seekers
                if fits(each.intent, row, fee_convention)
            )
            for row in free
        )

    only_plainly = bool(free) and explains_all(FeeConvention.GROSS) and not explains_all(FeeConvention.NET)
    return FeeConvention.GROSS if only_plainly else None


def _ids(rows: Sequence[Withdrawal]) -> str:
    shown = ", ".join(f"{row.uuid} of {row.amount:f} {row.currency}" for row in rows[:_MOST_SHOWN])
    return shown + (f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else "")
