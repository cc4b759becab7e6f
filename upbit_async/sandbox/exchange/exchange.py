"""In-memory exchange with one account: the services and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.sandbox.exchange.deposit_addresses import AddressService
from upbit_async.sandbox.exchange.deposit_service import DepositService
from upbit_async.sandbox.exchange.keys import Keys
from upbit_async.sandbox.exchange.transitions import Transitions
from upbit_async.sandbox.exchange.travel_rule import TravelRuleService
from upbit_async.sandbox.exchange.withdrawal_service import WithdrawalService

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.assets import WalletRecord
    from upbit_async.sandbox.exchange.state import ExchangeState

__all__ = ["Exchange"]


class Exchange:
    """Exchange of one region with one account.

    Args:
        state: State that its services share.
        transitions: Transitions of new withdrawals, and of new deposits unless they name states.

    Attributes:
        region: Region of the exchange.
        account: Account of the member.
        keys: API keys of the account.
        wallets: Listed wallets.
        knobs: Undocumented choices of the server.
        ledger: Movements of money.
        withdrawals: Service for withdrawals.
        deposits: Service for deposits.
        deposit_addresses: Service for the account's deposit addresses.
        travel_rule: Service that verifies deposits.
    """

    def __init__(self, state: ExchangeState, transitions: Transitions) -> None:
        self.region = state.region
        self.account = state.account
        self.keys = Keys()
        self.wallets = state.wallets
        self.knobs = state.knobs
        self.ledger = state.ledger
        self.withdrawals = WithdrawalService(state, transitions)
        common = Transitions.after_seconds() if transitions.names_states else transitions
        self.deposits = DepositService(state, common)
        self.deposit_addresses = AddressService(state)
        self.travel_rule = TravelRuleService(state, self.deposits)
        self._state = state

    def wallet(self, currency: str, net_type: str) -> WalletRecord:
        """Return the wallet of a currency on a network.

        Raises:
            Refusal: No such wallet is listed.
        """
        return self._state.wallet(currency, net_type)

    def catch_up(self, now: datetime) -> None:
        """Apply every transition that has become due, in the order in which they were due."""
        self._state.transition_queue.catch_up(now)
