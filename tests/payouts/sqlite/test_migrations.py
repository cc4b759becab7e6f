"""A file of the first version keeps every payout, and gets what later versions need."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from typing import TYPE_CHECKING

import attrs
import pytest
from journal_files import opened, refused
from payout_samples import ANN, EVERY, NOT_SENT, PLANNED, SENDING, WHEN, departing, planned, record

from upbit_async import errors
from upbit_async.payouts import AmountLimit, DepartureConditions, PayoutQuery, PayoutState, StaleBaseline
from upbit_async.payouts.journal_time import Now
from upbit_async.payouts.sqlite.migrations import MIGRATIONS
from upbit_async.payouts.sqlite.rows import record_text, row_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from upbit_async.payouts import Payout

UTC = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
COLUMNS = (
    "key",
    "revision",
    "state",
    "is_open",
    "holds_up_equals",
    "may_be_unseen",
    "currency",
    "net_type",
    "amount",
    "intent",
    "uuid",
    "evidence",
    "record",
    "error",
    "sent_request",
    "mac",
)
"""The columns of the first version."""


def first_version(path: Path, payouts: Iterable[Payout], *statements: str) -> None:
    """Write a journal as the first version did."""
    path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in filter(str.strip, MIGRATIONS[0].split(";\n")):
            connection.execute(statement)
        connection.execute("PRAGMA application_id = 1431325233")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO binding VALUES ('h', 'sg')")
        for payout in payouts:
            marks = ", ".join(f":{column}" for column in COLUMNS)
            connection.execute(
                f"INSERT INTO payouts ({', '.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608 - our own names
                row_of(payout),
            )
            for number, entry in enumerate(payout.history):
                connection.execute(
                    "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)",
                    (payout.key, number, entry.at.isoformat(), entry.state.value, entry.note, entry.actor),
                )
        connection.execute(
            "INSERT INTO unowned (uuid, currency, is_acknowledged, record) VALUES ('x8', 'USDT', 0, ?)",
            (record_text(record("X8")),),
        )
        connection.execute("INSERT INTO marks VALUES ('USDT', 'x8')")
        for statement in statements:
            connection.execute(statement)


def every() -> dict[str, Payout]:
    """Return a payout in every state, each with its own key and amount."""
    payouts: dict[str, Payout] = {}
    for number, payout in enumerate(EVERY.values()):
        assert payout is not None
        members = {**payout.intent.members, "amount": f"{number + 1}"}
        uuid = None if payout.uuid is None else f"w-{number}"
        key = f"k{number}"
        payouts[key] = attrs.evolve(
            payout, key=key, intent=attrs.evolve(payout.intent, members=members), uuid=uuid
        )
    return payouts


def test_every_payout_is_kept(path: Path) -> None:
    payouts = every()
    first_version(path, payouts.values())
    store = opened(path)
    for key, payout in payouts.items():
        assert store.get(key) == payout
    assert len(store.select(PayoutQuery())) == len(payouts)
    related = store.related("USDT", [])
    assert [each.uuid for each in related.unowned] == ["X8"]
    assert store.mark("USDT") == "x8"
    assert [each.uuid for each in store.unreported(UTC, 30.0)] == ["X8"]
    store.close()
    assert store.get("k0") == payouts["k0"]
    store.close()


def test_open_payouts_are_claimed_and_continue(path: Path) -> None:
    payouts = every()
    first_version(path, payouts.values())
    store = opened(path)
    claimed = store.claim("a", 60.0, 100, list(PayoutState), (), WHEN)
    assert [each.key for each in claimed] == [key for key, payout in payouts.items() if payout.is_open]
    sent = store.compare_and_swap(payouts["k0"], departing(payouts["k0"]))
    assert sent.revision == payouts["k0"].revision + 1
    assert store.get("k0") == sent
    store.close()


def test_changes_are_in_order_by_payout_and_time(path: Path) -> None:
    early = attrs.evolve(PLANNED, key="early")
    late = planned("late", amount="14")
    entry = attrs.evolve(late.history[0], at=UTC + dt.timedelta(days=1))
    set_back = attrs.evolve(entry, at=UTC - dt.timedelta(days=1), state=PayoutState.QUEUED)
    late = attrs.evolve(late, state=PayoutState.QUEUED, history=(entry, set_back))
    abandoned = attrs.evolve(
        entry, at=UTC + dt.timedelta(hours=1), state=PayoutState.ABANDONED, actor=ANN.actor
    )
    early = attrs.evolve(early, state=PayoutState.ABANDONED, history=(*early.history, abandoned))
    first_version(path, [late, early])
    store = opened(path)
    changes = store.changes(0, 10)
    assert [(each.key, each.previous, each.state) for each in changes] == [
        ("early", None, "planned"),
        ("early", "planned", "abandoned"),
        ("late", None, "planned"),
        ("late", "planned", "queued"),
    ]
    assert [each.position for each in changes] == [1, 2, 3, 4]
    assert changes[1].actor == "Ann"
    assert store.position() == 4
    assert store.get("late") == late
    added = store.add(planned("new", amount="15"))
    assert [each.key for each in store.changes(4, 10)] == [added.key]
    store.close()


def test_departures_before_the_migration_count_for_limits_and_baselines(path: Path) -> None:
    unsent = attrs.evolve(NOT_SENT, key="unsent")
    first_version(path, [unsent, attrs.evolve(SENDING, key="other", intent=planned("x", amount="20").intent)])
    store = opened(path)
    payout = store.add(planned("new"))
    limit = AmountLimit("USDT", per_day="45.99")
    with pytest.raises(errors.AmountLimitExceeded) as exceeded:
        store.compare_and_swap(payout, departing(payout), DepartureConditions(amount_limits=[limit]))
    assert exceeded.value.departed == 33
    with pytest.raises(StaleBaseline):
        store.compare_and_swap(payout, departing(payout), DepartureConditions(baseline_position=0))
    store.compare_and_swap(payout, departing(payout), DepartureConditions(baseline_position=store.position()))
    store.close()


def test_final_payouts_of_the_first_version_are_compacted(path: Path) -> None:
    payouts = every()
    first_version(path, payouts.values())
    store = opened(path)
    later = Now(UTC + dt.timedelta(days=8), attrs.evolve(WHEN.journal, seconds=WHEN.journal.seconds + 1e6))
    finals = {key for key, payout in payouts.items() if not payout.is_open}
    assert store.compact(later.utc, later, 100) == len(finals)
    assert {each.key for each in store.select(PayoutQuery())} == payouts.keys() - finals
    store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE payouts SET intent = 'no JSON' WHERE key = 'damaged'",
        "UPDATE payouts SET intent = '[]' WHERE key = 'damaged'",
        "UPDATE payouts SET sent_request = '{' WHERE key = 'damaged'",
        "UPDATE payouts SET sent_request = '{\"left_at\": 7}' WHERE key = 'damaged'",
        "UPDATE payouts SET intent = x'ff00' WHERE key = 'damaged'",
        "UPDATE payouts SET sent_request = x'ff00' WHERE key = 'damaged'",
        "UPDATE payouts SET intent = cast(x'ff' AS TEXT) WHERE key = 'damaged'",
        "UPDATE payouts SET state = 'odd' WHERE key = 'damaged'",
    ],
)
def test_damaged_row_keeps_no_other_payout_from_being_migrated(path: Path, damage: str) -> None:
    first_version(path, [attrs.evolve(SENDING, key="damaged"), PLANNED], damage)
    store = opened(path)
    assert store.get("k") == PLANNED
    with pytest.raises(errors.JournalError):
        store.get("damaged")
    store.close()


def test_interrupted_migration_changes_nothing(path: Path) -> None:
    payouts = every()
    # The key of one table is missing, so the last step of the migration fails.
    first_version(path, payouts.values(), "CREATE TABLE status (name TEXT)")
    assert "table 'status' is not this library's" in refused(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE status")
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    store = opened(path)
    assert store.get("k0") == payouts["k0"]
    store.close()
