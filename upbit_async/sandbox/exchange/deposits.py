"""Deposit records and arrivals."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from upbit_async.sandbox.exchange.transfers import TransferRecord
from upbit_async.sandbox.exchange.transitions import Transitions

__all__ = ["SUSPECTED", "Arrival", "DepositRecord"]

SUSPECTED: Final = "TRAVEL_RULE_SUSPECTED"
"""The state in which money has arrived, but is held up until it is known whose it was."""


@attrs.frozen(kw_only=True)
class Arrival:
    """Money that somebody sends to the account.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier; ``None`` for fiat.
        amount: How much.
        amount_text: The same as it was written.
        txid: The chain's id, or the bank's; several arrivals may have one. It is made up where there is none.
        transaction_type: ``default`` or ``internal``.
        vasp_name: The exchange that it comes from, if any.
        plan: How it progresses; ``None`` is as the desk's deposits do.
        uuid: The id that the deposit is to have, a new one; ``None`` means a random one.
    """

    currency: str
    net_type: str | None
    amount: Decimal
    amount_text: str
    txid: str | None = None
    transaction_type: str = "default"
    vasp_name: str | None = None
    transitions: Transitions | None = None
    uuid: str | None = None


@attrs.define(kw_only=True)
class DepositRecord(TransferRecord):
    """One deposit as the exchange knows it, which is more than it tells.

    Attributes:
        vasp_name: The exchange that it comes from, if any; never told by the API.
        credited: Whether the account got its money.
    """

    vasp_name: str | None = None
    credited: bool = False
