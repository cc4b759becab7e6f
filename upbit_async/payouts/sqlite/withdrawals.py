"""Withdrawals that belong to no payout, and reconciliation marks, as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from upbit_async.errors import JournalError
from upbit_async.payouts.journal import ConflictingPayout
from upbit_async.payouts.sqlite.damage import readable
from upbit_async.payouts.sqlite.rows import record_of, record_text, time_text

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from upbit_async.models import Withdrawal
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.sqlite.damage import OnDamage

__all__ = [
    "ACKNOWLEDGED",
    "ALL_UNOWNED",
    "OWNER",
    "UNOWNED",
    "UNREPORTED",
    "acknowledge",
    "mark",
    "move_mark",
    "owner_of",
    "store",
    "unowned",
    "unowned_in",
    "unreported",
]

OWNER: Final = (
    "SELECT key FROM payouts WHERE uuid = :uuid COLLATE NOCASE "
    "UNION ALL SELECT key FROM compacted WHERE uuid = :uuid COLLATE NOCASE"
)
_HAS_NO_OWNER: Final = (
    "NOT EXISTS (SELECT 1 FROM payouts WHERE payouts.uuid = unowned.uuid COLLATE NOCASE) "
    "AND NOT EXISTS (SELECT 1 FROM compacted WHERE compacted.uuid = unowned.uuid COLLATE NOCASE)"
)
UNOWNED: Final = (
    f"SELECT uuid, record FROM unowned WHERE NOT is_acknowledged AND currency = ? AND {_HAS_NO_OWNER}"  # noqa: S608 - our own words
)
ALL_UNOWNED: Final = (
    f"SELECT uuid, record FROM unowned WHERE NOT is_acknowledged AND {_HAS_NO_OWNER} ORDER BY currency"  # noqa: S608
)
UNREPORTED: Final = (
    "SELECT uuid, record FROM unowned WHERE NOT is_acknowledged AND NOT is_reported AND stored_at <= ? "  # noqa: S608
    f"AND {_HAS_NO_OWNER} ORDER BY stored_at"
)
ACKNOWLEDGED: Final = "SELECT uuid FROM unowned WHERE is_acknowledged AND uuid = ?"


def owner_of(connection: sqlite3.Connection, uuid: str) -> str | None:
    """Return the key of the payout that has a withdrawal, compacted ones included; None if there is none."""
    found = connection.execute(OWNER, {"uuid": uuid}).fetchone()
    return None if found is None else str(found["key"])


def mark(connection: sqlite3.Connection, currency: str) -> str | None:
    """Return a currency's reconciliation mark; None if it has none."""
    row = connection.execute("SELECT uuid FROM marks WHERE currency = ?", (currency,)).fetchone()
    return None if row is None else str(row["uuid"])


def move_mark(
    connection: sqlite3.Connection, currency: str, old_mark: str | None, new_mark: str | None
) -> None:
    """Move a currency's mark if it is still the old one."""
    if new_mark is not None and mark(connection, currency) == old_mark:
        connection.execute(
            "INSERT INTO marks VALUES (?, ?) ON CONFLICT DO UPDATE SET uuid = excluded.uuid",
            (currency, new_mark),
        )


def store(connection: sqlite3.Connection, records: Iterable[Withdrawal], at: dt.datetime) -> None:
    """Store withdrawals that belong to no payout, unless they are stored already."""
    for record in records:
        uuid = record.uuid.casefold()
        if owner_of(connection, uuid) is None:
            connection.execute(
                "INSERT INTO unowned (uuid, currency, is_acknowledged, record, stored_at) VALUES (?, ?, 0, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (uuid, record.currency, record_text(record), time_text(at)),
            )


def acknowledge(
    connection: sqlite3.Connection, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime
) -> None:
    """Record that a withdrawal is no payout.

    Raises:
        ConflictingPayout: It belongs to a payout.
    """
    if (by_key := owner_of(connection, uuid)) is not None:
        raise ConflictingPayout(by_key)
    connection.execute(
        "INSERT INTO unowned (uuid, currency, is_acknowledged, at, note, actor) VALUES (?, ?, 1, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET is_acknowledged = 1, at = excluded.at, note = excluded.note, actor = excluded.actor",
        (uuid.casefold(), currency, time_text(at), decision.note, decision.actor),
    )


def unowned_in(
    connection: sqlite3.Connection, currency: str, on_damage: OnDamage
) -> tuple[list[Withdrawal], list[str]]:
    """Return the withdrawals in a currency that belong to no payout and are not acknowledged.

    Returns:
        The withdrawals, and the ids, in lower case, of those whose records are damaged.
    """
    found: list[Withdrawal] = []
    damaged: list[str] = []
    for row in connection.execute(UNOWNED, (currency,)).fetchall():
        try:
            found.append(_record_of(row))
        except JournalError as damage:
            on_damage(damage)
            damaged.append(str(row["uuid"]).casefold())
    return found, damaged


def unowned(connection: sqlite3.Connection, on_damage: OnDamage) -> Sequence[Withdrawal]:
    """Return the withdrawals in any currency that belong to no payout and are not acknowledged."""
    return readable(connection.execute(ALL_UNOWNED).fetchall(), _record_of, on_damage)


def unreported(
    connection: sqlite3.Connection, before: dt.datetime, on_damage: OnDamage
) -> Sequence[Withdrawal]:
    """Return the withdrawals that were stored by a time and not reported yet, and mark them as reported."""
    rows = connection.execute(UNREPORTED, (time_text(before),)).fetchall()
    found = readable(rows, lambda row: (row["uuid"], _record_of(row)), on_damage)
    connection.executemany(
        "UPDATE unowned SET is_reported = 1 WHERE uuid = ?", [(uuid,) for uuid, _ in found]
    )
    return [record for _, record in found]


def _record_of(row: Mapping[str, Any]) -> Withdrawal:
    return record_of(row["record"], what=f"withdrawal {row['uuid']!r}, which belongs to no payout,")
