"""Conditions of a departure as SQL, checked in the transaction that records it; see `upbit_async.payouts.departure`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from upbit_async.errors import raise_alone
from upbit_async.payouts.departure import (
    LIMIT_PERIOD,
    DepartureConditions,
    DeparturePaused,
    StaleBaseline,
    check_amounts,
    departure_time,
)
from upbit_async.payouts.journal import ConflictingPayout
from upbit_async.payouts.manual import ManualDecision
from upbit_async.payouts.pause import Pause
from upbit_async.payouts.sqlite.damage import damaged
from upbit_async.payouts.sqlite.json_text import time_of
from upbit_async.payouts.sqlite.rows import time_text

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3
    from collections.abc import Mapping

    from upbit_async.payouts.payout import Payout

__all__ = [
    "ALIKE",
    "DEPARTED",
    "HOLDING_UP",
    "NEWER",
    "check_conditions",
    "check_equals",
    "check_pause",
    "pause",
    "pause_in_force",
]

ALIKE: Final = "currency = :currency AND net_type = :net_type AND amount = :amount AND key <> :key"
# SQLite would prefer the larger index of all payouts with the same criteria, of which there may be thousands.
HOLDING_UP: Final = (
    "SELECT key FROM payouts INDEXED BY unidentified "  # noqa: S608 - our own words
    f"WHERE {ALIKE} AND state IN ('sending', 'unknown', 'needs_review') "
    "AND (state <> 'needs_review' OR (:departs AND holds_up_equals))"
)
NEWER: Final = (
    f"SELECT key FROM payouts WHERE {ALIKE} AND position > :position "  # noqa: S608 - our own words
    "AND (state NOT IN ('planned', 'queued') OR left_utc IS NOT NULL)"
)
# One query for each clock: an OR over both would read all payouts in the currency.
DEPARTED: Final = (
    "SELECT amount FROM payouts WHERE currency = :currency AND left_utc > :utc AND number <> :number UNION ALL "
    "SELECT amount FROM payouts WHERE currency = :currency AND left_epoch = :epoch AND left_seconds > :seconds "
    "AND left_utc <= :utc AND number <> :number"
)


def check_pause(connection: sqlite3.Connection) -> None:
    """Raise if the journal is paused.

    Raises:
        DeparturePaused: It is.
    """
    pause = pause_in_force(connection)
    if pause is not None:
        raise DeparturePaused(ManualDecision(note=pause.note, actor=pause.actor))


def check_equals(connection: sqlite3.Connection, row: Mapping[str, Any], *, departs: bool) -> None:
    """Raise if a payout with the same criteria forbids that this one departs, or is not settled.

    Raises:
        ConflictingPayout: One is not settled either, or needs a review that holds up this one's departure.
    """
    found = connection.execute(HOLDING_UP, {**row, "departs": departs}).fetchone()
    if found is not None:
        raise ConflictingPayout(str(found["key"]))


def check_conditions(
    connection: sqlite3.Connection,
    departing: Payout,
    row: Mapping[str, Any],
    number: int,
    conditions: DepartureConditions,
) -> None:
    """Check the conditions of a departure.

    Args:
        connection: The transaction that records the departure.
        departing: The payout.
        row: Its row.
        number: The row's number, by which it is left out of the sum of the others; any if it is not stored yet.
        conditions: The conditions.

    Raises:
        StaleBaseline: A payout with the same criteria has changed since the baseline was requested.
        AmountLimitExceeded: The payout would exceed a limit.
    """
    if conditions.baseline_position is not None:
        found = connection.execute(NEWER, {**row, "position": conditions.baseline_position}).fetchone()
        if found is not None:
            raise StaleBaseline(str(found["key"]))
    check_amounts(
        departing, conditions.amount_limits, lambda: _departed_lately(connection, departing, number)
    )


def _departed_lately(connection: sqlite3.Connection, departing: Payout, number: int) -> Decimal:
    """Return the sum of the other payouts in the currency whose last copy departed within the period, by any clock."""
    now = departure_time(departing)
    known = {
        "currency": departing.criteria.currency,
        "utc": time_text(now.utc - LIMIT_PERIOD),
        "epoch": now.journal.epoch,
        "seconds": now.journal.seconds - LIMIT_PERIOD.total_seconds(),
        "number": number,
    }
    rows = connection.execute(DEPARTED, known).fetchall()
    return sum((Decimal(row["amount"]) for row in rows), Decimal())


def pause(
    connection: sqlite3.Connection, decision: ManualDecision, at: dt.datetime, *, is_paused: bool
) -> None:
    """Record a decision to pause or to resume."""
    connection.execute(
        "INSERT INTO pauses (is_paused, at, note, actor) VALUES (?, ?, ?, ?)",
        (is_paused, time_text(at), decision.note, decision.actor),
    )


def pause_in_force(connection: sqlite3.Connection) -> Pause | None:
    """Return the pause; None if the journal is not paused."""
    found = connection.execute("SELECT * FROM pauses ORDER BY number DESC LIMIT 1").fetchone()
    if found is None or not found["is_paused"]:
        return None
    try:
        since = time_of(found["at"])
    except (TypeError, ValueError) as damage:
        raise_alone(damaged(f"pause {found['number']}", damage))
    return Pause(since=since, note=str(found["note"]), actor=found["actor"])
