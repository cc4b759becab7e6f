"""State that all services of an exchange share, with the queue of timed transitions."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from upbit_async.region import Region
from upbit_async.sandbox.exchange.accounts import AccountRecord
from upbit_async.sandbox.exchange.assets import WalletRecord, Wallets
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.ledger import Ledger
from upbit_async.sandbox.knobs import Knobs

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.transitions import TransitionState

__all__ = ["ExchangeState", "TransitionQueue"]


class TransitionQueue:
    """Timed transitions of all transfers, applied in the order in which they are due."""

    def __init__(self) -> None:
        self._entries: list[tuple[datetime, int, TransitionState, Callable[[datetime], None]]] = []
        self._entries_made = 0

    def add(self, progress: TransitionState, apply: Callable[[datetime], None]) -> None:
        """Schedule the next transition of a transfer; do nothing if it does not depend on time.

        Args:
            progress: Transitions of the transfer.
            apply: Function that applies the transition; it receives the time at which it was due.
        """
        due_at = progress.due_at
        if due_at is not None:
            self._entries_made += 1  # keeps equal times in order, and `progress` out of the comparison
            heapq.heappush(self._entries, (due_at, self._entries_made, progress, apply))

    def catch_up(self, now: datetime) -> None:
        """Apply every transition that is due, in order."""
        while self._entries and self._entries[0][0] <= now:
            due_at, _, progress, apply = heapq.heappop(self._entries)
            if progress.due_at == due_at:  # else its state was set meanwhile
                apply(due_at)


@attrs.define(kw_only=True)
class ExchangeState:
    """Account, wallets, knobs and ledger of one exchange.

    Attributes:
        region: Region of the exchange.
        account: Account of the member.
        wallets: Listed wallets.
        knobs: Undocumented choices of the server.
        new_uuid: Generator of ids.
        ledger: Movements of money.
        transition_queue: Transitions that depend on time.
    """

    region: Region
    account: AccountRecord
    wallets: Wallets
    knobs: Knobs
    new_uuid: Callable[[], str]
    ledger: Ledger = attrs.field(factory=Ledger)
    transition_queue: TransitionQueue = attrs.field(factory=TransitionQueue)

    def wallet(self, currency: str, net_type: str) -> WalletRecord:
        """Return the wallet of a currency on a network.

        Raises:
            Refusal: No such wallet is listed.
        """
        try:
            return self.wallets[currency, net_type]
        except KeyError:
            raise Refusal(self.knobs.unknown_wallet) from None
