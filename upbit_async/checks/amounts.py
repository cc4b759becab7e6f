"""Preflight checks of the amount: decimals, minimum and balance."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from upbit_async.checks.reconcile import EXACT
from upbit_async.models import TransactionType
from upbit_async.models.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upbit_async.checks.request import PreflightRequest
    from upbit_async.models import WithdrawalChance

__all__ = ["fee_for", "reasons", "sendable", "truncated", "warnings"]

_NOTHING = Decimal(0)


def truncated(amount: Decimal, places: int) -> Decimal:
    """Return a positive amount without the decimals beyond `places`, exactly."""
    sign, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int) or exponent >= -places:
        return amount
    kept = digits[: max(len(digits) + exponent + places, 0)]
    return Decimal((sign, kept or (0,), -places))


def sendable(request: PreflightRequest, chance: WithdrawalChance | None) -> Decimal:
    """Return the amount to send: truncated, if the caller allows it and the currency's number of decimals is known."""
    places = None if chance is None else chance.withdraw_limit.fixed
    return truncated(request.amount, places) if request.round_down and places is not None else request.amount


def fee_for(request: PreflightRequest, chance: WithdrawalChance | None) -> Decimal | None:
    """Return the fee: zero between Upbit accounts, None if it is unknown."""
    if request.transaction_type is TransactionType.INTERNAL:
        return _NOTHING
    return None if chance is None else chance.currency.withdraw_fee


def reasons(
    request: PreflightRequest, amount: Decimal, fee: Decimal | None, chance: WithdrawalChance | None
) -> Iterator[Reason]:
    """Yield the reasons why the amount can't be sent."""
    if chance is None or fee is None:
        return
    currency, limit, balance = request.currency, chance.withdraw_limit, chance.account.balance
    if limit.fixed is not None and truncated(amount, limit.fixed) != amount:
        yield Reason(
            "too_many_decimals",
            f"{amount:f} {currency} has more than {limit.fixed} decimals: use fewer, or let withdraws.send truncate "
            "them with round_down=True",
        )
    if not amount:
        yield Reason(
            "below_minimum",
            f"{request.amount:f} {currency} is 0 when rounded down to {limit.fixed} decimals",
        )
    elif limit.minimum is not None and amount < limit.minimum:
        yield Reason(
            "below_minimum", f"{amount:f} {currency} is less than the minimum, {limit.minimum:f} {currency}"
        )
    if balance < EXACT.add(amount, fee):
        yield Reason(
            "insufficient_balance",
            f"the balance of {balance:f} {currency} does not cover {amount:f} and the fee of {fee:f}",
        )


def warnings(amount: Decimal, fee: Decimal | None, chance: WithdrawalChance | None) -> Iterator[Reason]:
    """Yield a warning if the balance covers the amount only depending on which side bears the fee."""
    if chance is None or not fee:
        return
    balance, needed = chance.account.balance, EXACT.add(amount, fee)
    if needed <= balance < EXACT.add(needed, fee):
        yield Reason(
            "fee_side_undocumented",
            f"Upbit does not document whether the fee of {fee:f} is part of the amount or added to it, and "
            f"the balance of {balance:f} barely covers both: check what arrives",
        )
