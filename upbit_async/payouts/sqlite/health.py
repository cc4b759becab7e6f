"""Query for the state of all payouts, as SQL."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Final

from upbit_async.payouts.health import PayoutsHealth
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.sqlite import status
from upbit_async.payouts.sqlite.departures import paused_by

if TYPE_CHECKING:
    import sqlite3

__all__ = ["COUNTS", "TIMES", "health"]

COUNTS: Final = (
    "SELECT state, count(*) AS number, min(nullif(created_at, '')) AS oldest FROM payouts GROUP BY state"
)
TIMES: Final = "SELECT created_at FROM payouts WHERE state = ? ORDER BY created_at"


def health(connection: sqlite3.Connection) -> PayoutsHealth:
    """Return the state of all payouts. A damaged row is counted, and hides nothing of the others."""
    counts: dict[PayoutState, int] = {}
    oldest: dict[PayoutState, dt.datetime | None] = {}
    unreadable = 0
    for row in connection.execute(COUNTS).fetchall():
        try:
            state = PayoutState(row["state"])
        except ValueError:
            unreadable += row["number"]
            continue
        counts[state] = row["number"]
        oldest[state] = _time_of(row["oldest"]) or _oldest(connection, state)
    return PayoutsHealth(
        journal_ok=True,
        paused=paused_by(connection) is not None,
        counts=counts,
        unreadable=unreadable,
        oldest_queued=oldest.get(PayoutState.QUEUED),
        oldest_unknown=oldest.get(PayoutState.UNKNOWN),
        oldest_needs_review=oldest.get(PayoutState.NEEDS_REVIEW),
        runner_seen_at=status.time_of(connection, status.RUNNER_SEEN_AT),
        reconciled_at=status.time_of(connection, status.RECONCILED_AT),
    )


def _oldest(connection: sqlite3.Connection, state: PayoutState) -> dt.datetime | None:
    """Return the oldest time of the payouts in a state that can be read, where the first one can't be."""
    for row in connection.execute(TIMES, (state.value,)).fetchall():
        if (time := _time_of(row["created_at"])) is not None:
            return time
    return None


def _time_of(text: object) -> dt.datetime | None:
    with contextlib.suppress(TypeError, ValueError):
        return dt.datetime.fromisoformat(text)  # type: ignore[arg-type] # a damaged row may hold anything
    return None
