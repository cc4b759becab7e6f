"""Claims of runners on payouts, as SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from upbit_async.errors import JournalError, raise_alone
from upbit_async.payouts.journal_time import JournalTime, Moment, lease_is_over
from upbit_async.payouts.sqlite.damage import damaged
from upbit_async.payouts.sqlite.json_text import encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from upbit_async.payouts.payout import PayoutState
    from upbit_async.payouts.sqlite.damage import OnDamage

__all__ = ["FREE", "claim", "renew", "retire"]

FREE: Final = (
    "SELECT number FROM payouts WHERE is_open AND claimed_by IS NULL AND state = ? ORDER BY number LIMIT ?"
)


def renew(
    connection: sqlite3.Connection, runner: str, lease: float, now: JournalTime, on_damage: OnDamage
) -> None:
    """Renew the lease of a runner, and release the claims of all others whose leases are over.

    A call that was made in another epoch counts from when it is first read in this one.
    """
    for row in connection.execute("SELECT name, called_at, lease FROM runners").fetchall():
        if row["name"] == runner:
            continue
        try:
            called_at = _called_at(row)
        except JournalError as damage:
            # Claims only divide the work. If that runner is alive, its next call makes the row again.
            on_damage(damage)
            retire(connection, row["name"])
            continue
        if lease_is_over(called_at, row["lease"], now):
            retire(connection, row["name"])
        elif (seen_at := called_at.seen(now)) != called_at:
            connection.execute(
                "UPDATE runners SET called_at = ? WHERE name = ?", (encoded(seen_at.readings), row["name"])
            )
    connection.execute(
        "INSERT INTO runners VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET called_at = excluded.called_at, lease = excluded.lease",
        (runner, encoded(Moment.at(now).readings), float(lease)),
    )


def claim(
    connection: sqlite3.Connection,
    runner: str,
    limit: int,
    states: Collection[PayoutState],
    released: Collection[str],
) -> list[Any]:
    """Release and claim payouts, and return the rows of those that are newly claimed, oldest first."""
    connection.executemany(
        "UPDATE payouts SET claimed_by = NULL WHERE key = ? AND claimed_by = ?",
        [(key, runner) for key in released],
    )
    free: list[int] = []
    for state in set(states):  # a query for each, because one for all of them would sort all that are free
        found = connection.execute(FREE, (state.value, limit)).fetchall()
        free += [row["number"] for row in found]
    claimed = sorted(free)[:limit]
    connection.executemany(
        "UPDATE payouts SET claimed_by = ? WHERE number = ?", [(runner, number) for number in claimed]
    )
    return [
        connection.execute("SELECT * FROM payouts WHERE number = ?", (number,)).fetchone()
        for number in claimed
    ]


def retire(connection: sqlite3.Connection, runner: str) -> None:
    """Release all claims of a runner."""
    connection.execute("UPDATE payouts SET claimed_by = NULL WHERE claimed_by = ?", (runner,))
    connection.execute("DELETE FROM runners WHERE name = ?", (runner,))


def _called_at(row: Any) -> Moment:
    try:
        float(row["lease"])
        return Moment(tuple((str(epoch), float(seconds)) for epoch, seconds in json.loads(row["called_at"])))
    except (TypeError, ValueError) as damage:
        raise_alone(damaged(f"runner {row['name']!r}", damage))
