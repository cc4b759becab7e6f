"""Whether Upbit's list and the journal leave only one possible outcome for a payout."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.payouts import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from upbit_async.sandbox import Knobs, LedgerEntry

__all__ = ["is_unambiguous"]

_MOMENT: Final = timedelta(seconds=1)


@attrs.frozen
class _Claim:
    """A payout of which a request may have been sent."""

    key: str
    network: str | None
    amount: Decimal
    since: datetime

    def fits(self, row: LedgerEntry, asked: Decimal, *, networks: bool) -> bool:
        return (
            row.at >= self.since and asked == self.amount and (not networks or row.net_type == self.network)
        )


def is_unambiguous(
    payout: Payout, payouts: Sequence[Payout], rows: Sequence[LedgerEntry], knobs: Knobs
) -> bool:
    """Return whether the list leaves one outcome for a payout, if no withdrawal was made elsewhere.

    An assignment gives each withdrawal in the currency to one payout of the same amount whose request was sent before,
    and of the same network where Upbit shows it. It reads all amounts under one fee convention: as asked for, without
    the fee or with it. A convention that contradicts an answer is excluded, and what an answer has shown is settled.
    The outcome is unambiguous if there is an assignment, and all assignments agree about this payout.

    Args:
        payout: The payout.
        payouts: All payouts, including this one.
        rows: All withdrawals that were made, by the ledger.
        knobs: What the exchange shows.
    """
    answered = {each.uuid for each in payouts if each.evidence is Evidence.ANSWER}
    claims = [
        _Claim(each.key, each.intent.net_type, each.intent.amount or Decimal(0), since)
        for each in payouts
        if each.evidence is not Evidence.ANSWER
        and each.intent.currency == payout.intent.currency
        and (since := _first_request(each)) is not None
    ]
    if payout.key not in {claim.key for claim in claims}:
        return True  # an answer has shown the outcome, and the payout is in review all the same
    # A payer reads the list a moment before it sends its request. What is made between the two is new to it.
    first = min(claim.since for claim in claims) - _MOMENT
    mine = [
        row
        for row in rows
        if row.currency == payout.intent.currency and row.at >= first and row.uuid not in answered
    ]
    networks = knobs.list_net_type or knobs.single_get_net_type
    outcomes = {
        assignment.get(payout.key)
        for read in _fee_conventions(payouts, rows, knobs)
        for assignment in _assignments(mine, claims, read, networks=networks)
    }
    return len(outcomes) == 1


def _first_request(payout: Payout) -> datetime | None:
    return next((step.at for step in payout.history if step.state is PayoutState.SENDING), None)


def _fee_conventions(
    payouts: Sequence[Payout], rows: Sequence[LedgerEntry], knobs: Knobs
) -> list[Callable[[LedgerEntry], Decimal]]:
    """Return the functions from a row to the amount that was asked for which no answer contradicts."""

    def shown(row: LedgerEntry) -> Decimal:
        return row.amount - row.fee if knobs.amounts == "net of fee" else row.amount

    conventions: list[Callable[[LedgerEntry], Decimal]] = [
        shown,
        lambda row: shown(row) + row.fee,
        lambda row: shown(row) - row.fee,
    ]
    by_uuid = {row.uuid: row for row in rows}
    for payout in payouts:
        row = by_uuid.get(payout.uuid or "")
        if row is not None and payout.evidence is Evidence.ANSWER:
            conventions = [
                convention for convention in conventions if convention(row) == payout.intent.amount
            ]
    return conventions


def _assignments(
    rows: Sequence[LedgerEntry],
    claims: Sequence[_Claim],
    read: Callable[[LedgerEntry], Decimal],
    *,
    networks: bool,
) -> Iterator[Mapping[str, str]]:
    """Yield every assignment of each withdrawal to one payout."""
    if not rows:
        yield {}
        return
    row, *others = rows
    for claim in claims:
        if claim.fits(row, read(row), networks=networks):
            left = [each for each in claims if each is not claim]
            for assignment in _assignments(others, left, read, networks=networks):
                yield {**assignment, claim.key: row.uuid}
