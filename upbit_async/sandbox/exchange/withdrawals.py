"""Withdrawal records and orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import attrs

from upbit_async.sandbox.exchange.transfers import TransferRecord

__all__ = ["GIVEN_BACK", "Order", "WithdrawalRecord"]

GIVEN_BACK = frozenset({"FAILED", "CANCELLED", "REJECTED"})
"""The states in which the money is the account's again."""


@attrs.frozen(kw_only=True)
class Order:
    """A request to withdraw, well formed but not yet judged.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        amount: How much.
        amount_text: The same as it was written.
        address: Where to.
        secondary_address: The memo, if any.
        transaction_type: ``default`` or ``internal``.
        uuid: The id that the withdrawal is to have, a new one; ``None`` means a random one.
    """

    currency: str
    net_type: str
    amount: Decimal
    amount_text: str
    address: str
    secondary_address: str | None = None
    transaction_type: str = "default"
    uuid: str | None = None


@attrs.define(kw_only=True)
class WithdrawalRecord(TransferRecord):
    """One withdrawal as the exchange knows it, which is more than it tells.

    Attributes:
        total: What it takes from the account.
        address: Where it goes, empty for fiat; never told by the API.
        secondary_address: The memo that goes with it; never told by the API.
        money: Whether the money is held, left the exchange, or was given back.
    """

    total: Decimal
    address: str = ""
    secondary_address: str | None = None
    money: Literal["held", "settled", "released"] = "held"

    @property
    def is_cancelable(self) -> bool:
        """Whether it may be cancelled right now; fiat never may."""
        return self.net_type is not None and self.state in self.progress.transitions.cancelable
