"""Ledger of all movements of money, whatever the answers to a client said."""

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
        kind: ``created`` (money is held for a withdrawal), ``settled`` (it left the exchange), ``released`` (it
            was returned to the account), or ``credited`` (a deposit was added to the account).
        uuid: Id of the withdrawal or deposit.
        currency: Currency code.
        net_type: Network identifier; ``None`` for fiat.
        amount: Requested amount of a withdrawal, or amount that arrived.
        fee: Fee.
        total: Amount by which the account changes, with the fee where it comes on top.
        address: Destination address of a withdrawal.
        secondary_address: Memo of the destination.
        at: Time (aware, UTC).

    Example:
        .. code-block:: python

            await client.withdraws.send(currency="USDT", net_type="TRX", amount="13", exchange_name="Binance")
            entry = sandbox.ledger.created[-1]
            assert (entry.amount, entry.total) == (13, 14)
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
    """Every movement of money since the sandbox was created, oldest first; entries are never removed."""

    def __init__(self) -> None:
        self._entries: list[LedgerEntry] = []

    @overload
    def __getitem__(self, index: int) -> LedgerEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LedgerEntry]: ...
    def __getitem__(self, index: int | slice) -> LedgerEntry | Sequence[LedgerEntry]:
        """Return one entry, or a copy of several."""
        return self._entries[index]

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def __iter__(self) -> Iterator[LedgerEntry]:
        """Iterate over the current entries, oldest first."""
        return iter(tuple(self._entries))

    def append(self, entry: LedgerEntry) -> None:
        """Add an entry."""
        self._entries.append(entry)

    @property
    def created(self) -> tuple[LedgerEntry, ...]:
        """Withdrawals that were accepted."""
        return self._of("created")

    @property
    def settled(self) -> tuple[LedgerEntry, ...]:
        """Withdrawals whose money left the exchange."""
        return self._of("settled")

    @property
    def released(self) -> tuple[LedgerEntry, ...]:
        """Withdrawals whose money was returned to the account."""
        return self._of("released")

    @property
    def credited(self) -> tuple[LedgerEntry, ...]:
        """Deposits that were added to the account."""
        return self._of("credited")

    def moved(self, currency: str) -> Decimal:
        """Return the total amount of a currency that left the account, fees included."""
        return sum((entry.total for entry in self.settled if entry.currency == currency), Decimal(0))

    def _of(self, kind: str) -> tuple[LedgerEntry, ...]:
        return tuple(entry for entry in self._entries if entry.kind == kind)
