"""Ledger of what really happened to the money, whatever a client was told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, overload

import attrs

__all__ = ["Ledger", "LedgerEntry"]


@attrs.frozen(kw_only=True)
class LedgerEntry:
    """One movement of money.

    Attributes:
        kind: ``created`` (money held for a withdrawal), ``settled`` (it left the exchange), ``released`` (it
            was given back), or ``credited`` (a deposit became the account's).
        uuid: The withdrawal or deposit.
        currency: The currency's code.
        net_type: The network's identifier; ``None`` for fiat.
        amount: What the withdrawal was asked for, or what arrived.
        fee: Its fee.
        total: What it takes from the account, or gives to it: the amount, with the fee where that comes on
            top.
        address: Where a withdrawal goes.
        secondary_address: The memo that goes with it.
        at: When (aware, UTC).
    """

    kind: Literal["created", "settled", "released", "credited"]
    uuid: str
    currency: str
    net_type: str | None
    amount: Decimal
    fee: Decimal
    total: Decimal
    address: str = ""
    secondary_address: str | None = None
    at: datetime


class Ledger(Sequence[LedgerEntry]):
    """Every movement of money since the sandbox was made, oldest first; nothing is ever taken back."""

    def __init__(self) -> None:
        self._entries: list[LedgerEntry] = []

    @overload
    def __getitem__(self, index: int) -> LedgerEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LedgerEntry]: ...
    def __getitem__(self, index: int | slice) -> LedgerEntry | Sequence[LedgerEntry]:
        """One entry, or a copy of several."""
        return self._entries[index]

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def __iter__(self) -> Iterator[LedgerEntry]:
        """The entries as of now, oldest first."""
        return iter(tuple(self._entries))

    def append(self, entry: LedgerEntry) -> None:
        """Writes one more entry."""
        self._entries.append(entry)

    @property
    def created(self) -> tuple[LedgerEntry, ...]:
        """The withdrawals that were accepted."""
        return self._of("created")

    @property
    def settled(self) -> tuple[LedgerEntry, ...]:
        """The withdrawals whose money left the exchange."""
        return self._of("settled")

    @property
    def released(self) -> tuple[LedgerEntry, ...]:
        """The withdrawals whose money was given back."""
        return self._of("released")

    @property
    def credited(self) -> tuple[LedgerEntry, ...]:
        """The deposits that became the account's."""
        return self._of("credited")

    def moved(self, currency: str) -> Decimal:
        """How much of a currency left the account in all, fees included."""
        return sum((entry.total for entry in self.settled if entry.currency == currency), Decimal(0))

    def _of(self, kind: str) -> tuple[LedgerEntry, ...]:
        return tuple(entry for entry in self._entries if entry.kind == kind)
