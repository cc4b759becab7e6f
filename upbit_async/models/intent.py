"""What a request asked for, kept for the case that its answer is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import attrs

from upbit_async.escaping import escaped

__all__ = ["Intent", "shortened"]

_WHOLE = 12


def shortened(address: str) -> str:
    """Return an address as it may stand in a message: its first and last four characters."""
    return address if len(address) <= _WHOLE else f"{address[:4]}…{address[-4:]}"


@attrs.frozen(kw_only=True)
class Intent:
    """A request that may or may not have been executed.

    Attributes:
        endpoint: The method and path, such as ``POST /v1/withdraws/coin``.
        host: The host that it went to.
        members: The members of its body, in order, all as text.
        started_at: When the call began, UTC, by this machine's clock.
    """

    endpoint: str
    host: str
    members: Mapping[str, str] = attrs.field(repr=False)
    started_at: dt.datetime

    @property
    def currency(self) -> str | None:
        """The currency's code, if one was sent."""
        return self.members.get("currency")

    @property
    def net_type(self) -> str | None:
        """The network's identifier, if one was sent."""
        return self.members.get("net_type")

    @property
    def amount(self) -> Decimal | None:
        """The amount, if a number was sent as one."""
        try:
            amount = Decimal(self.members.get("amount", "NaN"))
        except InvalidOperation:
            return None
        return amount if amount.is_finite() else None

    @property
    def address(self) -> str | None:
        """The whole destination address, if one was sent."""
        return self.members.get("address")

    @property
    def secondary_address(self) -> str | None:
        """The destination's tag or memo, if one was sent."""
        return self.members.get("secondary_address")

    @property
    def transaction_type(self) -> str | None:
        """``default`` or ``internal``, if it was sent."""
        return self.members.get("transaction_type")

    def __str__(self) -> str:
        if self.amount is None:
            return escaped(self.endpoint)
        address = shortened(self.address or "")
        return escaped(f"withdrawal of {self.amount} {self.currency} on {self.net_type} to {address}")
