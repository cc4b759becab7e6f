"""Facts about a whole journal, one row each, as SQL."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from upbit_async.errors import raise_alone
from upbit_async.payouts.sqlite.damage import damaged
from upbit_async.payouts.sqlite.rows import time_text

if TYPE_CHECKING:
    import sqlite3

__all__ = ["RECONCILED_AT", "RUNNER_SEEN_AT", "compacted_to", "set_compacted_to", "set_time", "time_of"]

RUNNER_SEEN_AT: Final = "runner_seen_at"
RECONCILED_AT: Final = "reconciled_at"
_COMPACTED_TO: Final = "compacted_to"


def time_of(connection: sqlite3.Connection, name: str) -> dt.datetime | None:
    """Return a stored time; None if there is none."""
    text = _value(connection, name)
    try:
        return None if text is None else dt.datetime.fromisoformat(text)
    except ValueError as damage:
        raise_alone(damaged(f"its {name}", damage))


def set_time(connection: sqlite3.Connection, name: str, time: dt.datetime) -> None:
    """Store a time."""
    _set(connection, name, time_text(time))


def compacted_to(connection: sqlite3.Connection) -> int:
    """Return the newest position whose change was removed; 0 if there is none."""
    text = _value(connection, _COMPACTED_TO)
    try:
        return 0 if text is None else int(text)
    except ValueError as damage:
        raise_alone(damaged(f"its {_COMPACTED_TO}", damage))


def set_compacted_to(connection: sqlite3.Connection, position: int) -> None:
    """Store the newest position whose change was removed."""
    _set(connection, _COMPACTED_TO, str(position))


def _value(connection: sqlite3.Connection, name: str) -> str | None:
    found = connection.execute("SELECT value FROM status WHERE name = ?", (name,)).fetchone()
    return None if found is None else str(found["value"])


def _set(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(
        "INSERT INTO status VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value)
    )
