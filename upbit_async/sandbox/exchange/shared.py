"""What all desks of an exchange share."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from upbit_async.region import Region
from upbit_async.sandbox.exchange.accounts import Account
from upbit_async.sandbox.exchange.assets import Wallet, Wallets
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.ledger import Ledger
from upbit_async.sandbox.exchange.plan import Plan
from upbit_async.sandbox.exchange.timetable import Timetable
from upbit_async.sandbox.knobs import Knobs

__all__ = ["Shared"]


@attrs.define(kw_only=True)
class Shared:
    """The account, the rules and the books that every desk works with.

    Attributes:
        region: Which exchange.
        account: The account.
        wallets: What is listed.
        knobs: The undocumented choices.
        plan: How new transfers progress.
        new_uuid: Makes ids.
        ledger: What really moved.
        timetable: What is due when.
    """

    region: Region
    account: Account
    wallets: Wallets
    knobs: Knobs
    plan: Plan
    new_uuid: Callable[[], str]
    ledger: Ledger = attrs.field(factory=Ledger)
    timetable: Timetable = attrs.field(factory=Timetable)

    def wallet(self, currency: str, net_type: str) -> Wallet:
        """The wallet of a currency on a network.

        Raises:
            Refusal: It is not listed.
        """
        try:
            return self.wallets[currency, net_type]
        except KeyError:
            raise Refusal(self.knobs.unknown_wallet) from None
