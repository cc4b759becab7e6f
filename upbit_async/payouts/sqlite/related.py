"""Query for what a journal knows about withdrawals, as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.errors import JournalError
from upbit_async.payouts.journal import Related
from upbit_async.payouts.sqlite import stand_ins
from upbit_async.payouts.sqlite.damage import OnDamage
from upbit_async.payouts.sqlite.rows import compacted_of, payout_of
from upbit_async.payouts.sqlite.withdrawals import ACKNOWLEDGED, unowned_in

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable

    from upbit_async.payouts.payout import Payout

__all__ = ["BY_UUID", "COMPACTED_BY_UUID", "MATCHED", "MAY_OWN", "related"]

# One query for each index: an OR over several would read the whole table.
MAY_OWN: Final = (
    "SELECT * FROM payouts WHERE state IN ('sending', 'unknown', 'needs_review') AND currency = :currency "
    "UNION ALL SELECT * FROM payouts WHERE may_be_unseen AND currency = :currency"
)
MATCHED: Final = "SELECT * FROM payouts WHERE evidence = 'match' AND uuid IS NOT NULL AND currency = ?"
BY_UUID: Final = "SELECT * FROM payouts WHERE uuid = ? COLLATE NOCASE"
COMPACTED_BY_UUID: Final = "SELECT * FROM compacted WHERE uuid = ? COLLATE NOCASE"


def related(
    connection: sqlite3.Connection, currency: str, uuids: Collection[str], on_damage: OnDamage
) -> Related:
    """Return what is known about withdrawals; see `upbit_async.payouts.journal.Journal.related`.

    Nothing is left out: a payout whose row is damaged has its stand-ins, or is named as unreadable.
    """
    reader = _Reader(on_damage)
    may_own = connection.execute(MAY_OWN, {"currency": currency}).fetchall()
    payouts = reader.read(may_own, _payout_of, stand_ins.claimants)
    acknowledged: set[str] = set()
    for uuid in uuids:
        owners = connection.execute(BY_UUID, (uuid,)).fetchall()
        payouts += reader.read(owners, _payout_of, stand_ins.owner)
        compacted = connection.execute(COMPACTED_BY_UUID, (uuid,)).fetchall()
        payouts += reader.read(compacted, compacted_of, stand_ins.owner)
        acknowledged.update(row["uuid"] for row in connection.execute(ACKNOWLEDGED, (uuid,)).fetchall())
    unowned, unreadable_unowned = unowned_in(connection, currency, on_damage)
    matched = connection.execute(MATCHED, (currency,)).fetchall()
    return Related(
        payouts=_each_once(payouts),
        acknowledged=acknowledged,
        unowned=unowned,
        matched=reader.read(matched, _payout_of, stand_ins.matched),
        unreadable=reader.unreadable,
        unreadable_unowned=unreadable_unowned,
    )


@attrs.define
class _Reader:
    """Reader of rows that uses stand-ins for damaged ones.

    Attributes:
        on_damage: Receives the error for each damaged row.
        unreadable: Keys of the payouts that have no stand-ins.
    """

    on_damage: OnDamage
    unreadable: list[str] = attrs.field(factory=list[str])

    def read(
        self, rows: Iterable[Any], read: Callable[[Any], Payout], stand_in: Callable[[Any], list[Payout]]
    ) -> list[Payout]:
        """Return the payouts of rows, or their stand-ins."""
        found: list[Payout] = []
        for row in rows:
            try:
                found.append(read(row))
            except JournalError as damage:
                self.on_damage(damage)
                found += self._stand_in(row, stand_in)
        return found

    def _stand_in(self, row: Any, stand_in: Callable[[Any], list[Payout]]) -> list[Payout]:
        try:
            return stand_in(row)
        except JournalError:
            self.unreadable.append(str(row["key"]))
            return []


def _payout_of(row: Any) -> Payout:
    return payout_of(row, ())


def _each_once(payouts: Iterable[Payout]) -> list[Payout]:
    """Return payouts without repetitions. A payout may have several stand-ins, which differ."""
    return list({(each.key, each.uuid, each.intent.transaction_type): each for each in payouts}.values())
