"""No statement of the journal reads a whole table, however many payouts there are."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from internals import reading

from upbit_async.payouts import PayoutQuery, PayoutState
from upbit_async.payouts.sqlite import (
    claims,
    compaction,
    departures,
    health,
    queries,
    related,
    withdrawals,
)

if TYPE_CHECKING:
    import sqlite3

    from upbit_async.payouts.sqlite.store import Store

SCAN = re.compile(r"SCAN (?!CONSTANT)(?!\w+ USING)")
"""A step of a plan that reads a table or sorts it; one that uses an index says so."""

STATEMENTS = {
    "payout by key": queries.BY_KEY,
    "history": queries.HISTORY,
    "possible owners": related.MAY_OWN,
    "matched": related.MATCHED,
    "by uuid": related.BY_UUID,
    "compacted by uuid": related.COMPACTED_BY_UUID,
    "recent answers": queries.RECENT,
    "changes": queries.CHANGES,
    "open": queries.OPEN,
    "times of a state": health.TIMES,
    "free payouts": claims.FREE,
    "claims of a runner": "SELECT number FROM payouts WHERE claimed_by = ?",
    "compactable": compaction.COMPACTABLE,
    "holding up": departures.HOLDING_UP,
    "newer": departures.NEWER,
    "departed": departures.DEPARTED,
    "owner": withdrawals.OWNER,
    "unowned": withdrawals.UNOWNED,
    "all unowned": withdrawals.ALL_UNOWNED,
    "unreported": withdrawals.UNREPORTED,
    "acknowledged": withdrawals.ACKNOWLEDGED,
}
TIME = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
BOUNDS: dict[str, object] = {"before_time": "t", "before_number": 7}
SELECTIONS: dict[str, tuple[PayoutQuery, PayoutState | None, dict[str, object]]] = {
    "all": (PayoutQuery(), None, {}),
    "next page": (PayoutQuery(), None, BOUNDS),
    "state": (PayoutQuery(), PayoutState.DONE, {}),
    "next page of a state": (PayoutQuery(currency="USDT"), PayoutState.DONE, BOUNDS),
    "times": (PayoutQuery(created_after=TIME, created_before=TIME), None, {}),
    "uuid": (PayoutQuery(uuid="W-1"), None, {}),
}


def steps(connection: sqlite3.Connection, statement: str) -> list[str]:
    """Return the steps of SQLite's plan for a statement."""
    text = re.sub(r"\?|:\w+", "'1'", statement)
    return [str(step["detail"]) for step in connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()]


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_uses_an_index(store: Store, name: str) -> None:
    with reading(store) as connection:
        plan = steps(connection, STATEMENTS[name])
    assert any("USING" in step for step in plan), plan
    assert not [step for step in plan if SCAN.search(step)], plan


@pytest.mark.parametrize("name", SELECTIONS)
def test_selection_follows_an_index_in_its_order(store: Store, name: str) -> None:
    query, state, bounds = SELECTIONS[name]
    with reading(store) as connection:
        plan = steps(connection, queries.selection(query, state, bounds)[0])
    assert any("USING" in step for step in plan), plan
    assert not [step for step in plan if SCAN.search(step)], plan
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan or query.uuid is not None


def test_departures_of_equal_payouts_are_found_by_their_positions(store: Store) -> None:
    with reading(store) as connection:
        assert any(
            "equal_ones" in step and "position>" in step for step in steps(connection, departures.NEWER)
        )
        assert any("unidentified" in step for step in steps(connection, departures.HOLDING_UP))


def test_health_reads_one_index_and_no_payout(store: Store) -> None:
    with reading(store) as connection:
        plan = steps(connection, health.COUNTS)
    assert plan == ["SCAN payouts USING COVERING INDEX by_state"]


def test_sum_of_a_day_reads_indexes(store: Store) -> None:
    with reading(store) as connection:
        plan = " ".join(steps(connection, departures.DEPARTED))
    assert "USING COVERING INDEX departed_by_utc" in plan
    assert "USING COVERING INDEX departed_by_journal_time" in plan
