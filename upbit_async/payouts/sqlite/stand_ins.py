"""Stand-ins: what a payout whose row is damaged may own, by those columns of the row that can be read.

Other payouts are compared with Upbit's list although a row is damaged. Without stand-ins, a withdrawal of the damaged
payout could be taken for theirs, and the damaged payout be paid again once its row is repaired. A stand-in claims what
its payout may own, so a payout that may be confused with it needs review. All others are judged as usual. A stand-in is
never sent, and never waited for, because nothing settles it.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.errors import JournalError, raise_alone
from upbit_async.models import Intent, TransactionType
from upbit_async.payouts.payout import Evidence, MatchCriteria, Payout, PayoutState
from upbit_async.payouts.sqlite.rows import intent_of, record_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["claimants", "matched", "owner"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_REVIEW: Final = PayoutState.NEEDS_REVIEW
"""State of each stand-in: it may have a withdrawal, and does not change by itself."""


def owner(row: Mapping[str, Any]) -> list[Payout]:
    """Return the stand-in of a payout that has a withdrawal. The owner is not certain: the row was changed."""
    intent = Intent(endpoint="", host="", members={}, started_at=_EPOCH)
    return [
        Payout(key=_key(row), state=_REVIEW, intent=intent, uuid=str(row["uuid"]), evidence=Evidence.MATCH)
    ]


def matched(row: Mapping[str, Any]) -> list[Payout]:
    """Return the stand-in of a payout whose withdrawal was only matched.

    Raises:
        JournalError: The record of the withdrawal is damaged too.
    """
    record = record_of(row["record"])
    return [attrs.evolve(each, record=record) for each in owner(row)]


def claimants(row: Mapping[str, Any]) -> list[Payout]:
    """Return the stand-ins of a payout that may have a withdrawal whose id is not known: one for each type.

    Raises:
        JournalError: The row does not show what was requested, so the withdrawal may be any in the currency.
    """
    criteria = _criteria(row)
    common = {
        "currency": criteria.currency,
        "net_type": criteria.net_type,
        "amount": format(criteria.amount, "f"),
    }
    return [
        Payout(
            key=_key(row),
            state=_REVIEW,
            intent=Intent(
                endpoint="", host="", members={**common, "transaction_type": each.value}, started_at=_EPOCH
            ),
        )
        for each in TransactionType
    ]


def _criteria(row: Mapping[str, Any]) -> MatchCriteria:
    try:
        amount = Decimal(row["amount"])
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise_alone(JournalError("its amount can't be read"))
    criteria = MatchCriteria(str(row["currency"]), str(row["net_type"]), amount)
    try:
        intent = intent_of(row["intent"], what="")
    except (JournalError, LookupError, TypeError, ValueError):
        return criteria  # the columns repeat what was requested
    if criteria != MatchCriteria(intent.currency or "", intent.net_type or "", intent.amount or Decimal()):
        raise JournalError("its columns contradict each other")
    return criteria


def _key(row: Mapping[str, Any]) -> str:
    return str(row["key"])
