"""Decision about a payout whose answer was lost, by Upbit's list and the journal. Pure.

Money depends on two rules that lean opposite ways:

- *It is this withdrawal* is concluded from the **narrowest** match. Of all withdrawals that are new since the baseline
  and belong to no payout, exactly one has the payout's currency, network, type and exact amount.
- *It was not sent* is concluded from the **widest**. Every new withdrawal in the currency belongs to another payout, or
  was acknowledged as no payout. And the list is newest first, so that reading it back to the baseline missed nothing.

Everything between requires a review. Time excludes no withdrawal, and neither does a field that Upbit leaves out.

The owner of a withdrawal is certain if Upbit's own answer named it, or a manual decision did. If it was only matched,
the match may be wrong. A withdrawal that was only matched to another payout, and could be this one's too, counts as
unexplained.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import attrs

from upbit_async.checks import FeeConvention, fits, possible_amounts
from upbit_async.errors import DecodeError
from upbit_async.models import Withdrawal
from upbit_async.payouts.journal_time import CLAIM_DAYS, is_recent
from upbit_async.payouts.payout import Evidence, Payout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal

    from upbit_async.payouts.journal_time import Now

__all__ = [
    "Adopt",
    "Claimants",
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
    """Conclusion that the payout is this withdrawal."""

    record: Withdrawal


@attrs.frozen
class DeclareNotSent:
    """Conclusion that Upbit does not have the payout."""


@attrs.frozen
class RequireReview:
    """Conclusion that only a review can determine the outcome.

    Attributes:
        why: Reason, as text for people.
        candidates: The withdrawals that may be the payout.
        unexplained: The withdrawals that belong to no known payout.
        unreadable: The ids, in lower case, of rows that can't be read.
        new: The ids, in lower case, of those candidates that are newer than the payout's baseline.
    """

    why: str
    candidates: tuple[Withdrawal, ...] = ()
    unexplained: tuple[Withdrawal, ...] = ()
    unreadable: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def uuids(self) -> list[str]:
        """All withdrawals that the review is about, by their ids in lower case."""
        rows = dict.fromkeys((*self.candidates, *self.unexplained))
        return [*(row.uuid.casefold() for row in rows), *self.unreadable]


@attrs.frozen
class WaitFor:
    """Conclusion that other payouts must be settled first: they may explain a withdrawal.

    Attributes:
        keys: The keys of these payouts.
    """

    keys: tuple[str, ...]


Conclusion = Adopt | DeclareNotSent | RequireReview | WaitFor

_MOST_SHOWN = 5


@attrs.frozen(kw_only=True)
class Observation:
    """What is known about a payout when it is judged.

    Attributes:
        rows: All withdrawals in its currency that are new since its baseline, without those whose owner is certain
            and that the list did not show.
        others: Other payouts in its currency: those that have one of the rows, those that are unsettled, and those
            of which a copy may turn up late. They were read after the rows, so the owner of a row is among them.
        made_without_payout: The ids, in lower case, of withdrawals that the same client made without a payout. They
            are not this payout. But another process may not know them, so they don't prove that it was not sent.
        excluded: The ids, in lower case, of withdrawals that are no payout, or not this one.
        fee_convention: Whether amounts include the fee; None if that is not known.
        waiting_for_this: The keys of payouts that wait for this one; it does not wait for them.
        gap: Why rows may be missing; empty if none can be.
        unreadable: An error for each further row that can't be read, and so may be any withdrawal.
        recorded: The ids, in lower case, of those rows that only the journal shows. They may be older than the
            baseline.
        reservation: Why the rows prove neither a match nor that nothing was sent; empty if they may.
    """

    rows: Sequence[Withdrawal]
    others: Sequence[Payout]
    made_without_payout: Collection[str] = ()
    excluded: Collection[str] = ()
    fee_convention: FeeConvention | None = None
    waiting_for_this: Collection[str] = ()
    gap: str = ""
    unreadable: Sequence[DecodeError] = ()
    recorded: Collection[str] = ()
    reservation: str = ""

    def will_be_settled(self, other: Payout) -> bool:
        """Return whether another payout will be settled by itself, and does not wait for this one."""
        return other.state.is_under_way and other.key not in self.waiting_for_this


class Claimants:
    """Payouts that may own withdrawals, found by their amounts.

    Args:
        payouts: The payouts.
    """

    def __init__(self, payouts: Iterable[Payout]) -> None:
        self._by_amount: dict[Decimal | None, list[Payout]] = {}
        for payout in payouts:
            self._by_amount.setdefault(payout.intent.amount, []).append(payout)

    def of(self, row: Withdrawal, fee_convention: FeeConvention | None) -> Iterator[Payout]:
        """Yield those that may own a withdrawal."""
        for amount in possible_amounts(row):
            for payout in self._by_amount.get(amount, ()):
                if may_claim(payout, row, fee_convention):
                    yield payout


def decide(payout: Payout, seen: Observation) -> Conclusion:
    """Return the conclusion about a payout whose answer was lost, at the end of its settling time."""
    conclusion = _with_reservations(_conclusion(payout, seen), seen)
    if not isinstance(conclusion, RequireReview):
        return conclusion
    uuids = dict.fromkeys(row.uuid.casefold() for row in conclusion.candidates)
    new = tuple(uuid for uuid in uuids if uuid not in seen.recorded)
    return attrs.evolve(conclusion, new=new)


def _with_reservations(conclusion: Conclusion, seen: Observation) -> Conclusion:
    match conclusion:
        case Adopt(record) if record.uuid.casefold() in seen.recorded:
            why = f"withdrawal {record.uuid}, which fits, may be older than this payout"
            return RequireReview(why, (record,))
        case Adopt(record) if seen.reservation:
            return RequireReview(f"withdrawal {record.uuid} fits, but {seen.reservation}", (record,))
        case DeclareNotSent() if seen.reservation:
            return RequireReview(f"no withdrawal fits, but {seen.reservation}")
        case _:
            return conclusion


def _conclusion(payout: Payout, seen: Observation) -> Conclusion:
    owners = {other.uuid.casefold(): other for other in seen.others if other.uuid is not None}
    taken = {*owners, *seen.excluded, *seen.made_without_payout}
    unowned = [row for row in seen.rows if row.uuid.casefold() not in taken]
    claimants = Claimants(seen.others)
    fee_convention = seen.fee_convention
    if fee_convention is None and not seen.recorded:
        fee_convention = _convention_that_explains_all(payout, unowned, claimants)
    mine = [row for row in unowned if fits(payout.intent, row, fee_convention or FeeConvention.GROSS)]
    match mine:
        case [only]:
            return _for_the_only(only, claimants, seen, fee_convention)
        case [_, *_]:
            return RequireReview(f"several withdrawals fit: {_ids(mine)}", tuple(mine))
        case _:
            return _for_none(payout, unowned, owners, seen, fee_convention)


def _for_the_only(
    row: Withdrawal, claimants: Claimants, seen: Observation, fee_convention: FeeConvention | None
) -> Conclusion:
    """Judge by the only withdrawal that fits: it is the payout's, unless another payout may claim it too."""
    for other in claimants.of(row, fee_convention):
        if seen.will_be_settled(other):
            return WaitFor((other.key,))
        return RequireReview(
            f"withdrawal {row.uuid} may belong to this one or to payout {other.key!r}", (row,)
        )
    return Adopt(row)


def _for_none(
    payout: Payout,
    unowned: Sequence[Withdrawal],
    owners: Mapping[str, Payout],
    seen: Observation,
    fee_convention: FeeConvention | None,
) -> Conclusion:
    """Judge where no withdrawal fits: it was not sent if every new withdrawal is explained."""
    matched = {uuid for uuid, owner in owners.items() if owner.evidence is Evidence.MATCH}
    uncertain = matched - {*seen.made_without_payout, *seen.excluded}
    similar = [row for row in seen.rows if _fits_somehow(payout, row, fee_convention)]
    candidates = tuple(row for row in similar if row in unowned or row.uuid.casefold() in uncertain)
    explained = {*owners, *seen.excluded}
    unexplained = [row for row in seen.rows if row.uuid.casefold() not in explained or row in candidates]
    if not unexplained:
        if seen.gap:
            return RequireReview(f"{seen.gap}, so the list does not prove that nothing was sent")
        if unread := [each for each in seen.unreadable if (each.uuid or "").casefold() not in explained]:
            shown = ", ".join(each.uuid or each.path for each in unread[:_MOST_SHOWN])
            return RequireReview(
                f"Upbit's list has withdrawals that can't be read and may be this payout: {shown} ({unread[0]})",
                unreadable=tuple(each.uuid.casefold() for each in unread if each.uuid),
            )
        if payout.sent_request is not None and payout.sent_request.arrived:
            return RequireReview(
                "Upbit has shown that the request arrived, but its list does not show a withdrawal"
            )
        return DeclareNotSent()
    waited_for = Claimants(other for other in seen.others if seen.will_be_settled(other))
    explanations = [[other.key for other in waited_for.of(row, fee_convention)] for row in unexplained]
    if all(explanations):
        return WaitFor(tuple(dict.fromkeys(key for keys in explanations for key in keys)))
    why = f"no payout explains these withdrawals in the same currency: {_ids(unexplained)}"
    return RequireReview(why, candidates, tuple(unexplained))


def other_claimants(payouts: Sequence[Payout], key: str, now: Now) -> list[Payout]:
    """Return the other payouts that may own a withdrawal: all but those whose copies can't turn up any more."""
    return [
        other
        for other in payouts
        if other.key != key
        and (other.uuid is not None or other.state.may_have_unknown_withdrawal or may_turn_up(other, now))
    ]


def may_turn_up(other: Payout, now: Now) -> bool:
    """Return whether the last copy of an unsent or abandoned payout is recent enough to turn up late."""
    sent_request = other.sent_request
    if sent_request is None or not other.may_be_unseen:
        return False
    return is_recent(sent_request.left_at, sent_request.left_utc, dt.timedelta(days=CLAIM_DAYS), now)


def may_claim(other: Payout, row: Withdrawal, fee_convention: FeeConvention | None) -> bool:
    """Return whether a withdrawal may be another payout's, of which a copy is under way or may turn up late."""
    sent_request = other.sent_request
    if other.uuid is not None and not (sent_request is not None and sent_request.reopened):
        return False
    if not (other.state.may_have_unknown_withdrawal or other.may_be_unseen):
        return False
    if not _fits_somehow(other, row, fee_convention):
        return False
    uuid = row.uuid.casefold()
    return sent_request is None or (uuid not in sent_request.excluded and uuid not in sent_request.baseline)


def _fits_somehow(payout: Payout, row: Withdrawal, fee_convention: FeeConvention | None) -> bool:
    return any(
        fits(payout.intent, row, each)
        for each in ([fee_convention] if fee_convention is not None else FeeConvention)
    )


def _convention_that_explains_all(
    payout: Payout, unowned: Sequence[Withdrawal], others: Claimants
) -> FeeConvention | None:
    """Return `FeeConvention.GROSS` if every withdrawal belongs to a payout under it, and not under `NET`.

    The opposite is never concluded: a withdrawal made elsewhere might look like one net of a fee.
    """

    def explains_all(fee_convention: FeeConvention) -> bool:
        return all(
            fits(payout.intent, row, fee_convention)
            or any(other.uuid is None for other in others.of(row, fee_convention))
            for row in unowned
        )

    only_gross = bool(unowned) and explains_all(FeeConvention.GROSS) and not explains_all(FeeConvention.NET)
    return FeeConvention.GROSS if only_gross else None


def _ids(rows: Sequence[Withdrawal]) -> str:
    shown = ", ".join(f"{row.uuid} of {row.amount:f} {row.currency}" for row in rows[:_MOST_SHOWN])
    return shown + (f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else "")
