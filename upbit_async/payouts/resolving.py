"""Noting down what a person has found out, or decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.checks import contradictions, fits
from upbit_async.errors import PayoutConflict, raise_alone
from upbit_async.escaping import escaped
from upbit_async.payouts import transitions
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.books import Books

__all__ = ["abandon", "raise_if_settled", "resolve_as", "resolve_as_not_sent"]

_RESOLVABLE = frozenset({PayoutState.UNKNOWN, PayoutState.NOT_SENT, PayoutState.NEEDS_PERSON})
_ABANDONABLE = frozenset({PayoutState.PLANNED, PayoutState.NOT_SENT})


def raise_if_settled(payout: Payout) -> None:
    """Make sure that a payout is lost or in doubt, or was only found by a match, or by a person.

    Raises:
        ValueError: It is not.
    """
    is_open = payout.state in _RESOLVABLE or payout.evidence in {Evidence.MATCH, Evidence.PERSON}
    has_never_left = payout.departure is None and payout.uuid is None
    if has_never_left or not is_open:
        raise ValueError(f"{payout} is {payout.state}: there is nothing to resolve")


async def resolve_as(books: Books, payout: Payout, record: Withdrawal, note: str) -> Payout:
    """Note down that a payout is a certain withdrawal.

    Raises:
        ValueError: The withdrawal is of another currency, network or amount, or older than the payout.
        PayoutConflict: It is another payout's.
    """
    uuid = record.uuid.casefold()
    for other in await books.journal.beside(payout, [uuid]):
        if other.uuid is not None and other.uuid.casefold() == uuid:
            raise _belongs_to(other.key, uuid)
    told_before = payout.uuid is not None and payout.uuid.casefold() == uuid
    if not told_before and (why := await _why_not(books, payout, record)):
        raise ValueError(f"{payout} can't be withdrawal {escaped(uuid)}, {why}")
    return await _swap(books, payout, transitions.resolved(payout, record, note, books.clock()))


async def _why_not(books: Books, payout: Payout, record: Withdrawal) -> str:
    """Say why a withdrawal can't be a payout; empty if it can."""
    if payout.departure is not None and record.uuid.casefold() in payout.departure.fence:
        return "which was there before the payout was first sent"
    if wrong := contradictions(payout.intent, record):
        return f"which is {wrong}"
    reading = await books.reading()
    if reading is not None and record.fee is not None and not fits(payout.intent, record, reading):
        fee = f"{record.amount:f} with a fee of {record.fee:f}"
        return f"which is of {fee}; Upbit's answers show that amounts are told {reading.value}"
    return ""


async def resolve_as_not_sent(books: Books, payout: Payout, note: str) -> Payout:
    """Note down that Upbit does not have a payout.

    Raises:
        ValueError: Upbit itself has told its withdrawal.
    """
    if payout.departure is None or payout.departure.answered:
        raise ValueError(f"{payout} was told by Upbit as a withdrawal: it was sent")
    if payout.is_abandoned:
        raise ValueError(
            f"{payout} was given up, and stays so; only a withdrawal that is its can change that"
        )
    return await _swap(books, payout, transitions.resolved_as_not_sent(payout, note, books.clock()))


async def abandon(books: Books, payout: Payout, note: str) -> Payout:
    """Note down that a payout is not to be sent any more.

    Raises:
        ValueError: Something of it has left, or may have.
    """
    if payout.is_abandoned:
        return payout
    if payout.state not in _ABANDONABLE:
        raise ValueError(f"{payout} is {payout.state}: only what is planned or not_sent can be abandoned")
    return await _swap(books, payout, transitions.abandoned(payout, note, books.clock()))


def _belongs_to(key: str, uuid: str | None) -> PayoutConflict:
    return PayoutConflict(f"withdrawal {uuid} belongs to payout {key!r}")


async def _swap(books: Books, payout: Payout, resolved: Payout) -> Payout:
    try:
        return await books.swap(payout, resolved)
    except Taken as taken:
        raise_alone(_belongs_to(taken.by_key, resolved.uuid))
    except Outdated:
        raise_alone(PayoutConflict(f"{payout} has changed just now; look at it again"))
