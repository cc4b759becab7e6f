"""Whether Upbit's list and the journal allow only one conclusion about a payout."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.payouts import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from upbit_async.sandbox import Knobs, LedgerEntry

__all__ = ["is_plain"]

_MOMENT: Final = timedelta(seconds=1)


@attrs.frozen
class _Claim:
    """A payout of which a request may have left."""

    key: str
    network: str | None
    amount: Decimal
    since: datetime

    def fits(self, row: LedgerEntry, asked: Decimal, *, networks: bool) -> bool:
        return (
            row.at >= self.since and asked == self.amount and (not networks or row.net_type == self.network)
        )


def is_plain(payout: Payout, payouts: Sequence[Payout], rows: Sequence[LedgerEntry], knobs: Knobs) -> bool:
    """Whether whoever reads the list to its end and knows of no strangers could tell what became of a payout.

    A story gives each withdrawal in the currency to one payout whose request had left before, of the same amount and,
    where Upbit tells it, of the same network. It reads all amounts in one way: as asked for, without the fee or with
    it; a way that contradicts an answer is out. What an answer has told is settled. It is plain if there is a story,
    and all that there are agree about this payout.

    Args:
        payout: The payout.
        payouts: All payouts, it among them.
        rows: All withdrawals that were made, as the books have them.
        knobs: What the exchange shows.
    """
    told = {each.uuid for each in payouts if each.evidence is Evidence.ANSWER}
    claims = [
        _Claim(each.key, each.intent.net_type, each.intent.amount or Decimal(0), since)
        for each in payouts
        if each.evidence is not Evidence.ANSWER
        and each.intent.currency == payout.intent.currency
        and (since := _first_request(each)) is not None
    ]
    if payout.key not in {claim.key for claim in claims}:
        return True  # an answer has told, and a person is asked all the same
    # A payer looks at the list a moment before its request leaves; what comes between is new to it.
    first = min(claim.since for claim in claims) - _MOMENT
    mine = [
        row
        for row in rows
        if row.currency == payout.intent.currency and row.at >= first and row.uuid not in told
    ]
    networks = knobs.list_net_type or knobs.single_get_net_type
    outcomes = {
        story.get(payout.key)
        for read in _ways_to_read(payouts, rows, knobs)
        for story in _stories(mine, claims, read, networks=networks)
    }
    return len(outcomes) == 1


def _first_request(payout: Payout) -> datetime | None:
    return next((step.at for step in payout.history if step.state is PayoutState.SENDING), None)


def _ways_to_read(
    payouts: Sequence[Payout], rows: Sequence[LedgerEntry], knobs: Knobs
) -> list[Callable[[LedgerEntry], Decimal]]:
    """Return the ways to get from what is shown to what was asked for that no answer contradicts."""

    def shown(row: LedgerEntry) -> Decimal:
        return row.amount - row.fee if knobs.amounts == "net of fee" else row.amount

    ways: list[Callable[[LedgerEntry], Decimal]] = [
        shown,
        lambda row: shown(row) + row.fee,
        lambda row: shown(row) - row.fee,
    ]
    by_uuid = {row.uuid: row for row in rows}
    for payout in payouts:
        row = by_uuid.get(payout.uuid or "")
        if row is not None and payout.evidence is Evidence.ANSWER:
            ways = [way for way in ways if way(row) == payout.intent.amount]
    return ways


def _stories(
    rows: Sequence[LedgerEntry],
    claims: Sequence[_Claim],
    read: Callable[[LedgerEntry], Decimal],
    *,
    networks: bool,
) -> Iterator[Mapping[str, str]]:
    """Yield all ways to give each withdrawal to one payout."""
    if not rows:
        yield {}
        return
    row, *others = rows
    for claim in claims:
        if claim.fits(row, read(row), networks=networks):
            left = [each for each in claims if each is not claim]
            for story in _stories(others, left, read, networks=networks):
                yield {**story, claim.key: row.uuid}
