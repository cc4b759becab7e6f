"""Model of a balance."""

from __future__ import annotations

import attrs

from upbit_async.models._base import Amount

__all__ = ["Account"]


@attrs.frozen(kw_only=True)
class Account:
    """The balance of one currency. See https://global-docs.upbit.com/reference/get-balance.

    Attributes:
        currency: The currency's code.
        balance: What can be used; it excludes `locked`.
        locked: What open orders and pending withdrawals hold.
        avg_buy_price: The average price paid, in `unit_currency`.
        avg_buy_price_modified: Whether the user has edited that average.
        unit_currency: The currency of the average, the region's fiat.
    """

    currency: str
    balance: Amount
    locked: Amount
    avg_buy_price: Amount | None = None
    avg_buy_price_modified: bool | None = None
    unit_currency: str | None = None
