"""The exchange: all its desks around one account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.sandbox.exchange.deposit_addresses import AddressDesk
from upbit_async.sandbox.exchange.deposit_desk import DepositDesk
from upbit_async.sandbox.exchange.keys import Keys
from upbit_async.sandbox.exchange.travel_rule import TravelRuleDesk
from upbit_async.sandbox.exchange.withdrawal_desk import WithdrawalDesk

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.assets import Wallet
    from upbit_async.sandbox.exchange.shared import Shared

__all__ = ["Exchange"]


class Exchange:
    """One region's exchange with one account.

    Args:
        shared: What its desks share.

    Attributes:
        region: Which exchange.
        account: The account.
        keys: The account's keys.
        wallets: What is listed.
        knobs: The undocumented choices.
        ledger: What really moved.
        withdrawals: The desk for withdrawals.
        deposits: The desk for deposits.
        deposit_addresses: The desk for the account's own addresses.
        travel_rule: The desk that verifies deposits.
    """

    def __init__(self, shared: Shared) -> None:
        self.region = shared.region
        self.account = shared.account
        self.keys = Keys()
        self.wallets = shared.wallets
        self.knobs = shared.knobs
        self.ledger = shared.ledger
        self.withdrawals = WithdrawalDesk(shared)
        self.deposits = DepositDesk(shared)
        self.deposit_addresses = AddressDesk(shared)
        self.travel_rule = TravelRuleDesk(shared, self.deposits)
        self._shared = shared

    def wallet(self, currency: str, net_type: str) -> Wallet:
        """The wallet of a currency on a network.

        Raises:
            Refusal: It is not listed.
        """
        return self._shared.wallet(currency, net_type)

    def catch_up(self, now: datetime) -> None:
        """Takes every step that has become due, in the order in which they were due."""
        self._shared.timetable.catch_up(now)
