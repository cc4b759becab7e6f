"""Noting down what a person has found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.checks import contradictions
from upbit_async.errors import PayoutConflict
from upbit_async.payouts import transitions
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.books import Books

__all__ = ["raise_if_settled", "resolve_as", "resolve_as_not_sent"]

_RESOLVABLE = frozenset({PayoutState.UNKNOWN, PayoutState.NOT_SENT, PayoutState.NEEDS_PERSON})


def raise_if_settled(payout: Payout) -> None:
    """Make sure that a payout is lost or in doubt, or was only found by a match.

    Raises:
        ValueError: It is not.
    """
    if payout.state not in _RESOLVABLE and payout.evidence is not Evidence.MATCH:
        raise ValueError(f"{payout} is {payout.state}: there is nothing to resolve")


async def resolve_as(books: Books, payout: Payout, record: Withdrawal, note: str) -> Payout:
    """Note down that a payout is a certain withdrawal.

    Raises:
        ValueError: The withdrawal is of another currency, network or amount.
        PayoutConflict: It is another payout's.
    """
    told_before = payout.uuid is not None and payout.uuid.casefold() == record.uuid.casefold()
    if (wrong := contradictions(payout.intent, record)) and not told_before:
        raise ValueError(f"{payout} can't be withdrawal {record.uuid}, which is {wrong}")
    return await _swap(books, payout, transitions.resolved(payout, record, note, books.clock()))


async def resolve_as_not_sent(books: Books, payout: Payout, note: str) -> Payout:
    """Note down that Upbit does not have a payout.

    Raises:
        ValueError: Upbit itself has told its withdrawal.
    """
    if payout.uuid is not None and payout.evidence is not Evidence.MATCH:
        raise ValueError(f"{payout} was told by Upbit as withdrawal {payout.uuid}: it was sent")
    return await _swap(books, payout, transitions.resolved_as_not_sent(payout, note, books.clock()))


async def _swap(books: Books, payout: Payout, resolved: Payout) -> Payout:
    try:
        return await books.swap(payout, resolved)
    except Taken as taken:
        raise PayoutConflict(f"withdrawal {resolved.uuid} belongs to payout {taken.by_key!r}") from None
    except Outdated:
        raise PayoutConflict(f"{payout} has changed just now; look at it again") from None
