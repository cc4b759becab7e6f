"""Validation of amounts that a test passes."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

__all__ = ["amount_of"]

_DIGITS: Final = 40
"""The most digits before or after the point, as for the amounts of the API."""


def amount_of(amount: Decimal | str | int, *, positive: bool = False) -> Decimal:
    """Return an amount as a number.

    Args:
        amount: The amount.
        positive: Whether it must be above zero.

    Raises:
        ValueError: It is no finite number, has more than 40 digits before or after the point, or is not
            positive though it must be.
    """
    try:
        value = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no amount") from None
    if positive and not (value.is_finite() and value > 0):
        raise ValueError(f"an amount is above zero, and not {amount}")
    if not value.is_finite():
        raise ValueError(f"an amount must be finite, got {amount}")
    if value.adjusted() >= _DIGITS or value.as_tuple().exponent < -_DIGITS:  # type: ignore[operator]  # finite
        raise ValueError(f"an amount has at most {_DIGITS} digits before and after the point, got {amount}")
    return value
