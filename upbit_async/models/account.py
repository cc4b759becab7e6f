"""Models of an account: its balances and its API keys."""

from __future__ import annotations

import datetime as dt

import attrs

from upbit_async.models._base import Amount, in_utc

__all__ = ["Account", "ApiKey"]


@attrs.frozen(kw_only=True)
class Account:
    """Balance of one currency. See https://global-docs.upbit.com/reference/get-balance.

    Attributes:
        currency: Currency code.
        balance: Available balance; it does not include `locked`.
        locked: Amount reserved for open orders and pending withdrawals.
        avg_buy_price: Average buying price, in `unit_currency`.
        avg_buy_price_modified: Whether the user has edited the average price.
        unit_currency: Currency of the average price: the region's fiat currency.

    Example:
        .. code-block:: python

            account = await client.accounts.get("USDT")
            total = account.balance + account.locked
    """

    currency: str
    balance: Amount
    locked: Amount
    avg_buy_price: Amount | None = None
    avg_buy_price_modified: bool | None = None
    unit_currency: str | None = None


@attrs.frozen(kw_only=True)
class ApiKey:
    """One API key of the account. See https://docs.upbit.com/kr/reference/list-api-keys.

    Attributes:
        access_key: The access key. It is left out of the repr, so that it reaches no log.
        expire_at: Time at which the key expires.

    Example:
        .. code-block:: python

            async with UpbitClient("kr") as client:
                expiring = [key.expire_at for key in await client.accounts.api_keys()]
    """

    access_key: str = attrs.field(repr=False)
    expire_at: dt.datetime | None = None

    def __attrs_post_init__(self) -> None:
        in_utc(self, "expire_at")
