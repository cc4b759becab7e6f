"""The request that a preflight judges."""

from __future__ import annotations

from decimal import Decimal

import attrs

from upbit_async.models import TransactionType
from upbit_async.models.intent import shortened

__all__ = ["PreflightRequest"]


def _short_repr(address: str | None) -> str:
    return repr(None if address is None else shortened(address))


@attrs.frozen(kw_only=True)
class PreflightRequest:
    """A withdrawal that somebody would like to make.

    Attributes:
        currency: The currency's code, exactly.
        net_type: The network's identifier, exactly.
        amount: How much; positive.
        address: The destination, exactly, or None to choose by `exchange_name` or to take the only one.
        exchange_name: The exchange that issued the destination, in any case, or None.
        transaction_type: Over the chain, or inside Upbit.
        round_down: Whether decimals that the currency does not have are cut off.
    """

    currency: str
    net_type: str
    amount: Decimal
    address: str | None = attrs.field(default=None, repr=_short_repr)
    exchange_name: str | None = None
    transaction_type: TransactionType = attrs.field(
        default=TransactionType.DEFAULT, converter=TransactionType
    )
    round_down: bool = False
