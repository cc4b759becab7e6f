"""Whether a withdrawal is what was asked for, and whether its amount includes the fee. Pure.

It is undocumented whether the amount that Upbit shows contains the fee, so an amount that differs by exactly the
fee is no contradiction.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from upbit_async.checks.reconcile import EXACT, differs_by_fee, is_alike
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from upbit_async.models import Intent, Withdrawal

__all__ = ["FeeConvention", "contradictions", "fee_convention_of", "fits"]


class FeeConvention(enum.Enum):
    """What the amount of a withdrawal is, as Upbit shows it."""

    GROSS = "as asked for"
    NET = "without the fee"


def contradictions(intent: Intent, record: Withdrawal) -> str:
    """Say what a withdrawal is, if that is not what was asked for; empty if it is."""
    amount = intent.amount
    fits_somehow = amount is not None and (record.amount == amount or differs_by_fee(record, amount))
    if fits_somehow and is_alike(intent, record):
        return ""
    kind = record.transaction_type.value if record.transaction_type else "default"
    return escaped(
        f"{record.amount:f} {record.currency} on {record.net_type} ({kind}), and not what was asked for"
    )


def fits(intent: Intent, record: Withdrawal, fee_convention: FeeConvention) -> bool:
    """Whether a withdrawal may be the one that was asked for, if its amount is read so."""
    amount, fee = intent.amount, record.fee
    if amount is None or not is_alike(intent, record):
        return False
    match fee_convention:
        case FeeConvention.GROSS:
            return record.amount == amount
        case FeeConvention.NET:
            return fee is not None and EXACT.add(record.amount, fee) == amount


def fee_convention_of(known: Iterable[tuple[Intent, Withdrawal]]) -> FeeConvention | None:
    """Return how amounts are to be read, by withdrawals of which it is certain what was asked for.

    Without a fee a withdrawal tells nothing. None if nothing is told, or if it is told in different ways.
    """
    told = {
        fee_convention
        for intent, record in known
        if record.fee
        for fee_convention in FeeConvention
        if fits(intent, record, fee_convention)
    }
    return told.pop() if len(told) == 1 else None
