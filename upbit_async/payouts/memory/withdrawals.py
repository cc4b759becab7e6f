"""Withdrawals that belong to no payout, and reconciliation marks, in memory. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs

from upbit_async.models import Withdrawal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["UnownedWithdrawals"]


@attrs.define
class _Unowned:
    """A withdrawal that belongs to no payout, or is acknowledged as none; the record is None if it was never read."""

    record: Withdrawal | None
    at: dt.datetime
    is_acknowledged: bool
    is_reported: bool = False


class UnownedWithdrawals:
    """Withdrawals that belong to no payout, by their ids in lower case, and the mark of each currency.

    Attributes:
        marks: The marks, by currency.

    Args:
        is_owned: Returns whether a withdrawal belongs to a payout by now.
    """

    def __init__(self, is_owned: Callable[[str], bool]) -> None:
        self.marks: dict[str, str] = {}
        self._is_owned = is_owned
        self._known: dict[str, _Unowned] = {}

    def store(self, records: Iterable[Withdrawal], at: dt.datetime) -> None:
        """Store those that are not stored yet."""
        for record in records:
            if not self._is_owned(record.uuid):
                self._known.setdefault(record.uuid.casefold(), _Unowned(record, at, is_acknowledged=False))

    def acknowledge(self, uuid: str, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout."""
        known = self._known.setdefault(uuid.casefold(), _Unowned(None, at, is_acknowledged=True))
        known.is_acknowledged = True

    def acknowledged(self, uuids: Collection[str]) -> frozenset[str]:
        """Return those of the withdrawals that are acknowledged."""
        return frozenset(uuid for uuid in uuids if uuid in self._known and self._known[uuid].is_acknowledged)

    def open(self) -> list[Withdrawal]:
        """Return the withdrawals that belong to no payout and are not acknowledged."""
        known = (each.record for each in self._known.values() if not each.is_acknowledged)
        return [record for record in known if record is not None and not self._is_owned(record.uuid)]

    def in_currency(self, currency: str) -> list[Withdrawal]:
        """Return those in a currency."""
        return [record for record in self.open() if record.currency == currency]

    def report(self, before: dt.datetime) -> list[Withdrawal]:
        """Return the withdrawals that were stored by a time, and mark them as reported; each only once."""
        reported: list[Withdrawal] = []
        for known in self._known.values():
            is_due = known.at <= before and not (known.is_acknowledged or known.is_reported)
            if is_due and known.record is not None and not self._is_owned(known.record.uuid):
                known.is_reported = True
                reported.append(known.record)
        return reported
