"""State that all services of an exchange share."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from upbit_async.region import Region
from upbit_async.sandbox.exchange.accounts import AccountRecord
from upbit_async.sandbox.exchange.assets import WalletRecord, Wallets
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.ledger import Ledger
from upbit_async.sandbox.exchange.transition_queue import TransitionQueue
from upbit_async.sandbox.knobs import Knobs

__all__ = ["ExchangeState"]


@attrs.define(kw_only=True)
class ExchangeState:
    """The account, the rules and the ledger that every service of an exchange works with.

    Attributes:
        region: Which exchange.
        account: The account.
        wallets: What is listed.
        knobs: The undocumented choices.
        new_uuid: Makes ids.
        ledger: What really moved.
        transition_queue: The transitions that wait for time.
    """

    region: Region
    account: AccountRecord
    wallets: Wallets
    knobs: Knobs
    new_uuid: Callable[[], str]
    ledger: Ledger = attrs.field(factory=Ledger)
    transition_queue: TransitionQueue = attrs.field(factory=TransitionQueue)

    def wallet(self, currency: str, net_type: str) -> WalletRecord:
        """The wallet of a currency on a network.

        Raises:
            Refusal: It is not listed.
        """
        try:
            return self.wallets[currency, net_type]
        except KeyError:
            raise Refusal(self.knobs.unknown_wallet) from None
