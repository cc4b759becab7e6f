"""Compaction of final payouts, as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.payouts.journal import RETAINED
from upbit_async.payouts.sqlite import status
from upbit_async.payouts.sqlite.damage import readable
from upbit_async.payouts.sqlite.rows import compacted_row, payout_of, time_text

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3

    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.sqlite.damage import OnDamage

__all__ = ["COMPACTABLE", "compact"]

COMPACTABLE: Final = (
    "SELECT * FROM payouts WHERE NOT is_open AND updated_at < :changed_before "
    "AND (left_utc IS NULL OR left_utc <= :left_before) "
    "AND NOT (left_epoch IS :epoch AND left_seconds > :left_before_by_journal) LIMIT :limit"
)


def compact(
    connection: sqlite3.Connection, before: dt.datetime, now: Now, limit: int, on_damage: OnDamage
) -> int:
    """Compact some of the payouts that can be, and return how many. Damaged rows are left as they are.

    Args:
        connection: The transaction.
        before: The time, UTC, before which they must have changed last.
        now: The present: by neither clock may a copy have departed lately.
        limit: The largest number of payouts.
        on_damage: Receives the error for each damaged row.
    """
    retained = now.utc - RETAINED
    known = {
        "changed_before": time_text(min(before, retained)),
        "left_before": time_text(retained),
        "epoch": now.journal.epoch,
        "left_before_by_journal": now.journal.seconds - RETAINED.total_seconds(),
        "limit": limit,
    }
    rows = connection.execute(COMPACTABLE, known).fetchall()
    remains = readable(rows, lambda row: (row, compacted_row(payout_of(row, ()), row["number"])), on_damage)
    for row, values in remains:
        connection.execute(
            "INSERT INTO compacted (key, number, state, uuid, evidence, created_at, digest) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        connection.execute("DELETE FROM history WHERE key = ?", (row["key"],))
        connection.execute("DELETE FROM payouts WHERE number = ?", (row["number"],))
    newest = max((int(row["position"]) for row, _ in remains), default=0)
    if newest > status.compacted_to(connection):
        status.set_compacted_to(connection, newest)
    return len(remains)
