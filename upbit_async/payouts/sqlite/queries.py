"""Queries about payouts and their changes, as SQL.

A query for one payout raises if its row is damaged. One for several payouts leaves the row out and reports it.
"""

from __future__ import annotations

import functools
import heapq
from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.errors import JournalError, raise_alone
from upbit_async.payouts.compacted import missing_changes
from upbit_async.payouts.journal import RECENT_ANSWERS
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.sqlite import status
from upbit_async.payouts.sqlite.damage import readable
from upbit_async.payouts.sqlite.rows import change_of, compacted_of, entry_of, key_of, payout_of, time_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from upbit_async.payouts.changes import PayoutChange
    from upbit_async.payouts.payout_query import PayoutQuery
    from upbit_async.payouts.sqlite.damage import OnDamage

__all__ = [
    "BY_KEY",
    "CHANGES",
    "HISTORY",
    "OPEN",
    "RECENT",
    "changes",
    "find",
    "open_keys",
    "position",
    "recent_answered",
    "select",
    "selection",
    "without_histories",
]

BY_KEY: Final = "SELECT * FROM payouts WHERE key = ?"
HISTORY: Final = "SELECT state, at, note, actor FROM history WHERE key = ? ORDER BY position"
RECENT: Final = (
    "SELECT * FROM payouts WHERE evidence = 'answer' AND uuid IS NOT NULL ORDER BY number DESC LIMIT ?"
)
CHANGES: Final = "SELECT * FROM history WHERE position > ? ORDER BY position LIMIT ?"
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


def open_keys(connection: sqlite3.Connection, on_damage: OnDamage) -> list[str]:
    """Return the keys of all open payouts, and of abandoned ones of which a copy was recorded."""
    return readable(connection.execute(OPEN).fetchall(), key_of, on_damage)


def without_histories(rows: Iterable[Any], on_damage: OnDamage) -> list[Payout]:
    """Return the payouts of the rows, without their histories."""
    return readable(rows, lambda row: payout_of(row, ()), on_damage)


def _with_history(connection: sqlite3.Connection, row: Any) -> Payout:
    # All rows at once: an open cursor in an error's traceback would keep the file open.
    entries = connection.execute(HISTORY, (row["key"],)).fetchall()
    return payout_of(row, map(entry_of, entries))


def recent_answered(connection: sqlite3.Connection, on_damage: OnDamage) -> list[Payout]:
    """Return the newest payouts whose withdrawals Upbit's own answers named."""
    return without_histories(connection.execute(RECENT, (RECENT_ANSWERS,)).fetchall(), on_damage)


# -- selections ------------------------------------------------------------------------------------


def select(connection: sqlite3.Connection, query: PayoutQuery, on_damage: OnDamage) -> list[Payout]:
    """Return the payouts of a selection with their histories, newest first.

    A damaged row makes no page shorter: a reader takes a short page for the last one.

    Raises:
        ValueError: No payout has the key `PayoutQuery.before_key`.
    """
    bounds = {} if query.before_key is None else _bounds(connection, query.before_key)
    payouts: list[Payout] = []
    while missing := query.limit - len(payouts):
        places = _places(connection, attrs.evolve(query, limit=missing), bounds)
        rows = [
            connection.execute("SELECT * FROM payouts WHERE number = ?", (number,)).fetchone()
            for _, number in places
        ]
        found = readable(rows, functools.partial(_with_history, connection), on_damage)
        payouts += filter(query.selects, found)
        if len(places) < missing:
            break
        bounds = _after(places[-1])
    return payouts


def _after(place: tuple[str, int]) -> dict[str, object]:
    return {"before_time": place[0], "before_number": place[1]}


def _bounds(connection: sqlite3.Connection, key: str) -> dict[str, object]:
    """Return the place of a payout in the order of selections."""
    row = connection.execute("SELECT created_at, number FROM payouts WHERE key = ?", (key,)).fetchone()
    if row is not None:
        return _after((row["created_at"], row["number"]))
    row = connection.execute("SELECT * FROM compacted WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise ValueError(f"before_key must be the key of a payout, got {key!r}")
    return _after((time_text(compacted_of(row).created_at), row["number"]))


def _places(
    connection: sqlite3.Connection, query: PayoutQuery, bounds: dict[str, object]
) -> list[tuple[str, int]]:
    """Return the places of the payouts of a selection: when each was requested, and its number."""
    found: list[tuple[str, int]] = []
    # A query for each state, because one for all of them would sort all payouts in them.
    for state in [None] if query.states is None or query.uuid is not None else query.states:
        rows = connection.execute(*selection(query, state, bounds)).fetchall()
        found += [(row["created_at"], row["number"]) for row in rows]
    return heapq.nlargest(query.limit, found, key=_in_the_order_of_sqlite)


def _in_the_order_of_sqlite(place: tuple[object, int]) -> tuple[bool, tuple[object, int]]:
    """Return what sorts places as SQLite does, also if the time of a damaged row is bytes: they come after all text."""
    return isinstance(place[0], bytes), place


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


# -- changes ---------------------------------------------------------------------------------------


def position(connection: sqlite3.Connection) -> int:
    """Return the position of the newest change; 0 if there is none."""
    newest = connection.execute("SELECT max(position) AS newest FROM history").fetchone()["newest"]
    return max(newest or 0, status.compacted_to(connection))


def changes(connection: sqlite3.Connection, after: int, limit: int) -> Sequence[PayoutChange]:
    """Return the changes after a position, up to the first one that is damaged.

    Raises:
        ChangesCompacted: Some of them were removed.
        JournalError: The first of them is damaged. A reader must miss no change without knowing it.
    """
    oldest = status.compacted_to(connection)
    if after < oldest:
        raise missing_changes(after, oldest)
    found: list[PayoutChange] = []
    for row in connection.execute(CHANGES, (after, limit)).fetchall():
        try:
            found.append(change_of(row))
        except JournalError as damage:
            if found:
                break
            advice = f"to leave this change out, continue with changes(after={row['position']})"
            raise_alone(JournalError(f"{damage}; {advice}"))
    return found
