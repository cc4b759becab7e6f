"""Intent: what a request asks for, as errors and payouts keep it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import attrs

from upbit_async.escaping import escaped

__all__ = ["Intent", "shortened"]

_LONGEST_SHOWN = 12


def shortened(address: str) -> str:
    """Return an address as messages show it: its first and last four characters."""
    return address if len(address) <= _LONGEST_SHOWN else f"{address[:4]}…{address[-4:]}"


@attrs.frozen(kw_only=True)
class Intent:
    """What a request asks for.

    `OutcomeUnknown` and payouts keep it, so that a withdrawal whose answer was lost can be found in Upbit's list.

    Attributes:
        endpoint: Method and path, such as ``POST /v1/withdraws/coin``.
        host: Host that the request is for.
        members: Members of the body, in order, as text.
        started_at: Start of the call, UTC, by this machine's clock.

    Example:
        .. code-block:: python

            try:
                await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
            except errors.OutcomeUnknown as unknown:
                print(unknown.intent.amount, unknown.intent.currency, unknown.intent.started_at)
    """

    endpoint: str
    host: str
    members: Mapping[str, str] = attrs.field(repr=False)
    started_at: dt.datetime

    @property
    def currency(self) -> str | None:
        """Currency code; None if the request has none."""
        return self.members.get("currency")

    @property
    def net_type(self) -> str | None:
        """Network identifier; None if the request has none."""
        return self.members.get("net_type")

    @property
    def amount(self) -> Decimal | None:
        """Amount; None if the request has none that is a number."""
        try:
            amount = Decimal(self.members.get("amount", "NaN"))
        except InvalidOperation:
            return None
        return amount if amount.is_finite() else None

    @property
    def address(self) -> str | None:
        """Whole destination address; None if the request has none."""
        return self.members.get("address")

    @property
    def secondary_address(self) -> str | None:
        """Tag or memo of the destination; None if the request has none."""
        return self.members.get("secondary_address")

    @property
    def transaction_type(self) -> str | None:
        """``default`` or ``internal``; None if the request has none."""
        return self.members.get("transaction_type")

    def __str__(self) -> str:
        if self.amount is None:
            return escaped(self.endpoint)
        address = shortened(self.address or "")
        return escaped(f"withdrawal of {self.amount} {self.currency} on {self.net_type} to {address}")
