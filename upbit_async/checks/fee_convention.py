"""Whether a withdrawal matches a request, and whether its amount includes the fee. Pure.

Upbit does not document whether the amount that it shows includes the fee. An amount that differs by exactly the fee is
therefore no contradiction.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from upbit_async.checks.reconcile import EXACT, differs_by_fee, is_alike
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from decimal import Decimal

    from upbit_async.models import Intent, Withdrawal

__all__ = ["FeeConvention", "contradictions", "fee_convention_of", "fits", "possible_amounts"]


class FeeConvention(enum.Enum):
    """Whether the amount that Upbit shows for a withdrawal includes the fee."""

    GROSS = "as requested"
    """The amount is shown as it was requested."""
    NET = "without the fee"
    """The amount is shown without the fee: requested amount minus fee."""


def contradictions(intent: Intent, record: Withdrawal) -> str:
    """Return how a withdrawal contradicts the request; an empty text if it does not."""
    amount = intent.amount
    fits_somehow = amount is not None and (record.amount == amount or differs_by_fee(record, amount))
    if fits_somehow and is_alike(intent, record):
        return ""
    kind = record.transaction_type.value if record.transaction_type else "default"
    return escaped(
        f"{record.amount:f} {record.currency} on {record.net_type} ({kind}), not what was requested"
    )


def fits(intent: Intent, record: Withdrawal, fee_convention: FeeConvention) -> bool:
    """Return whether a withdrawal may be the requested one under a fee convention."""
    amount, fee = intent.amount, record.fee
    if amount is None or not is_alike(intent, record):
        return False
    match fee_convention:
        case FeeConvention.GROSS:
            return record.amount == amount
        case FeeConvention.NET:
            return fee is not None and EXACT.add(record.amount, fee) == amount


def possible_amounts(record: Withdrawal) -> Collection[Decimal]:
    """Return the amounts of the requests that a withdrawal may fit, under any fee convention."""
    amounts = [record.amount, *(() if record.fee is None else [EXACT.add(record.amount, record.fee)])]
    return dict.fromkeys(amounts)


def fee_convention_of(known: Iterable[tuple[Intent, Withdrawal]]) -> FeeConvention | None:
    """Return the fee convention that follows from withdrawals whose request is known.

    A withdrawal without a fee says nothing. None if nothing follows, or if the withdrawals contradict each other.
    """
    conventions = {
        fee_convention
        for intent, record in known
        if record.fee
        for fee_convention in FeeConvention
        if fits(intent, record, fee_convention)
    }
    return conventions.pop() if len(conventions) == 1 else None
