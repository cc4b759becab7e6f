"""Intended withdrawal, as the preflight checks receive it."""

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
    """Intended withdrawal.

    Attributes:
        currency: Currency code, exactly.
        net_type: Network identifier, exactly.
        amount: Amount; positive.
        address: Destination, exactly; None to select it by `exchange_name`, or to use the only one.
        exchange_name: Exchange that issued the destination, in any case, or None.
        transaction_type: Whether the transfer is on the chain or between Upbit accounts.
        round_down: Whether to truncate decimals that the currency does not have.
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
