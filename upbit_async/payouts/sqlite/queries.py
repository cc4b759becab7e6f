"""Queries about payouts and their changes, as SQL."""

from __future__ import annotations

import datetime as dt
import heapq
from typing import TYPE_CHECKING, Any, Final

from upbit_async.errors import raise_alone
from upbit_async.payouts.compacted import missing_changes
from upbit_async.payouts.health import PayoutsHealth
from upbit_async.payouts.journal import RECENT_ANSWERS, Related
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.sqlite import status
from upbit_async.payouts.sqlite.departures import paused_by
from upbit_async.payouts.sqlite.rows import (
    change_of,
    compacted_of,
    damaged,
    entry_of,
    payout_of,
    time_text,
)
from upbit_async.payouts.sqlite.withdrawals import ACKNOWLEDGED, unowned_in

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from upbit_async.payouts.changes import PayoutChange
    from upbit_async.payouts.payout_query import PayoutQuery

__all__ = [
    "BY_KEY",
    "BY_UUID",
    "CHANGES",
    "COMPACTED_BY_UUID",
    "COUNTS",
    "HISTORY",
    "MATCHED",
    "MAY_OWN",
    "OPEN",
    "RECENT",
    "changes",
    "find",
    "health",
    "open_keys",
    "position",
    "recent_answered",
    "related",
    "select",
    "selection",
    "without_histories",
]

BY_KEY: Final = "SELECT * FROM payouts WHERE key = ?"
HISTORY: Final = "SELECT state, at, note, actor FROM history WHERE key = ? ORDER BY position"
# One query for each index: an OR over several would read the whole table.
MAY_OWN: Final = (
    "SELECT * FROM payouts WHERE state IN ('sending', 'unknown', 'needs_review') AND currency = :currency "
    "UNION ALL SELECT * FROM payouts WHERE may_be_unseen AND currency = :currency"
)
MATCHED: Final = "SELECT * FROM payouts WHERE evidence = 'match' AND uuid IS NOT NULL AND currency = ?"
BY_UUID: Final = "SELECT * FROM payouts WHERE uuid = ? COLLATE NOCASE"
COMPACTED_BY_UUID: Final = "SELECT * FROM compacted WHERE uuid = ? COLLATE NOCASE"
RECENT: Final = (
    "SELECT * FROM payouts WHERE evidence = 'answer' AND uuid IS NOT NULL ORDER BY number DESC LIMIT ?"
)
CHANGES: Final = "SELECT * FROM history WHERE position > ? ORDER BY position LIMIT ?"
COUNTS: Final = (
    "SELECT state, count(*) AS number, min(nullif(created_at, '')) AS oldest FROM payouts GROUP BY state"
)
_OPEN_STATES: Final = ", ".join(f"'{state.value}'" for state in PayoutState if not state.is_final)
OPEN: Final = (
    f"SELECT number, key FROM payouts WHERE state IN ({_OPEN_STATES}) "  # noqa: S608 - our own words
    "UNION SELECT number, key FROM payouts WHERE state = 'abandoned' AND may_be_unseen ORDER BY number"
)


def find(connection: sqlite3.Connection, key: str) -> Payout | None:
    """Return the payout of a key, compacted or not; None if there is none."""
    row = connection.execute(BY_KEY, (key,)).fetchone()
    if row is not None:
        return _with_history(connection, row)
    row = connection.execute("SELECT * FROM compacted WHERE key = ?", (key,)).fetchone()
    return None if row is None else compacted_of(row)


def open_keys(connection: sqlite3.Connection) -> list[str]:
    """Return the keys of all open payouts, and of abandoned ones of which a copy was recorded."""
    return [row["key"] for row in connection.execute(OPEN).fetchall()]


def without_histories(rows: Iterable[Any]) -> list[Payout]:
    """Return each payout of the rows once, without its history."""
    return list({row["key"]: payout_of(row, ()) for row in rows}.values())


def _with_history(connection: sqlite3.Connection, row: Any) -> Payout:
    # All rows at once: an open cursor in an error's traceback would keep the file open.
    entries = connection.execute(HISTORY, (row["key"],)).fetchall()
    return payout_of(row, map(entry_of, entries))


# -- withdrawals -----------------------------------------------------------------------------------


def related(connection: sqlite3.Connection, currency: str, uuids: Collection[str]) -> Related:
    """Return what is known about withdrawals; see `upbit_async.payouts.journal.Journal.related`."""
    rows = connection.execute(MAY_OWN, {"currency": currency}).fetchall()
    compacted: list[Payout] = []
    acknowledged: set[str] = set()
    for uuid in uuids:
        rows += connection.execute(BY_UUID, (uuid,)).fetchall()
        found = connection.execute(COMPACTED_BY_UUID, (uuid,)).fetchone()
        compacted += [] if found is None else [compacted_of(found)]
        acknowledged.update(row["uuid"] for row in connection.execute(ACKNOWLEDGED, (uuid,)).fetchall())
    return Related(
        payouts=[*without_histories(rows), *compacted],
        acknowledged=acknowledged,
        unowned=unowned_in(connection, currency),
        matched=without_histories(connection.execute(MATCHED, (currency,)).fetchall()),
    )


def recent_answered(connection: sqlite3.Connection) -> list[Payout]:
    """Return the newest payouts whose withdrawals Upbit's own answers named."""
    return without_histories(connection.execute(RECENT, (RECENT_ANSWERS,)).fetchall())


# -- selections ------------------------------------------------------------------------------------


def select(connection: sqlite3.Connection, query: PayoutQuery) -> list[Payout]:
    """Return the payouts of a selection with their histories, newest first.

    Raises:
        ValueError: No payout has the key `PayoutQuery.before_key`.
    """
    bounds = {} if query.before_key is None else _bounds(connection, query.before_key)
    states = [None] if query.states is None or query.uuid is not None else list(query.states)
    found = [_found(connection, query, state, bounds) for state in states]
    newest = heapq.nlargest(query.limit, (row for rows in found for row in rows))
    payouts = [
        _with_history(
            connection, connection.execute("SELECT * FROM payouts WHERE number = ?", (number,)).fetchone()
        )
        for _, number in newest
    ]
    return [each for each in payouts if query.selects(each)]


def _bounds(connection: sqlite3.Connection, key: str) -> dict[str, object]:
    """Return the place of a payout in the order of selections."""
    row = connection.execute("SELECT created_at, number FROM payouts WHERE key = ?", (key,)).fetchone()
    if row is not None:
        return {"before_time": row["created_at"], "before_number": row["number"]}
    row = connection.execute("SELECT * FROM compacted WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise ValueError(f"before_key must be the key of a payout, got {key!r}")
    return {"before_time": time_text(compacted_of(row).created_at), "before_number": row["number"]}


def _found(
    connection: sqlite3.Connection, query: PayoutQuery, state: PayoutState | None, bounds: dict[str, object]
) -> list[tuple[str, int]]:
    """Return the places of the newest payouts of a selection that are in one state, or in any if that is None.

    A query for several states would sort all payouts in them.
    """
    statement, known = selection(query, state, bounds)
    return [(row["created_at"], row["number"]) for row in connection.execute(statement, known).fetchall()]


def selection(
    query: PayoutQuery, state: PayoutState | None, bounds: dict[str, object]
) -> tuple[str, dict[str, object]]:
    """Return the statement that finds payouts of a selection, with its arguments."""
    known: dict[str, object] = {"limit": query.limit, **bounds}
    conditions = ["TRUE"]
    if query.uuid is not None:
        conditions.append("uuid = :uuid COLLATE NOCASE")
        known["uuid"] = query.uuid
    if state is not None:
        conditions.append("state = :state")
        known["state"] = state.value
    if query.currency is not None:
        conditions.append("currency = :currency")
        known["currency"] = query.currency
    if query.created_after is not None:
        conditions.append("created_at >= :after")
        known["after"] = time_text(query.created_after)
    if query.created_before is not None:
        conditions.append("created_at < :before")
        known["before"] = time_text(query.created_before)
    if bounds:
        conditions.append(
            "created_at <= :before_time AND (created_at < :before_time OR number < :before_number)"
        )
    where = " AND ".join(conditions)
    return (
        (
            f"SELECT created_at, number FROM payouts WHERE {where} "  # noqa: S608 - our own words
            "ORDER BY created_at DESC, number DESC LIMIT :limit"
        ),
        known,
    )


# -- changes and health ----------------------------------------------------------------------------


def position(connection: sqlite3.Connection) -> int:
    """Return the position of the newest change; 0 if there is none."""
    newest = connection.execute("SELECT max(position) AS newest FROM history").fetchone()["newest"]
    return max(newest or 0, status.compacted_to(connection))


def changes(connection: sqlite3.Connection, after: int, limit: int) -> Sequence[PayoutChange]:
    """Return the changes after a position.

    Raises:
        ChangesCompacted: Some of them were removed.
    """
    oldest = status.compacted_to(connection)
    if after < oldest:
        raise missing_changes(after, oldest)
    return [change_of(row) for row in connection.execute(CHANGES, (after, limit)).fetchall()]


def health(connection: sqlite3.Connection) -> PayoutsHealth:
    """Return the state of all payouts."""
    rows = connection.execute(COUNTS).fetchall()
    try:
        oldest = {PayoutState(row["state"]): _time_of(row["oldest"]) for row in rows}
    except ValueError as damage:
        raise_alone(damaged("the state of its payouts", damage))
    return PayoutsHealth(
        journal_ok=True,
        paused=paused_by(connection) is not None,
        counts={PayoutState(row["state"]): row["number"] for row in rows},
        oldest_queued=oldest.get(PayoutState.QUEUED),
        oldest_unknown=oldest.get(PayoutState.UNKNOWN),
        oldest_needs_review=oldest.get(PayoutState.NEEDS_REVIEW),
        runner_seen_at=status.time_of(connection, status.RUNNER_SEEN_AT),
        reconciled_at=status.time_of(connection, status.RECONCILED_AT),
    )


def _time_of(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)
