"""Rows that another program has changed are refused, and named, one at a time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from internals import writing
from payout_samples import ANN, PLANNED, WHEN, at, planned

from upbit_async import errors
from upbit_async.payouts import PayoutQuery, PayoutState

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.payouts.sqlite.store import Store

UTC = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def change(store: Store, statement: str) -> None:
    with writing(store) as connection:
        connection.execute(statement)


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(errors.JournalError) as caught:
        work()
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "changed by something else" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("state = 'odd'", "'odd' is not a valid PayoutState"),
        ("previous = 'odd'", "'odd' is not a valid PayoutState"),
        ("at = 'then'", "then"),
        ("note = x'07'", "an entry of its history is not text"),
        ("actor = x'00'", "an entry of its history is not text"),
        ("key = x'00'", "text was expected, found bytes"),
    ],
)
def test_damaged_change_is_named_by_its_position(store: Store, damage: str, words: str) -> None:
    store.add(PLANNED)
    store.add(planned("another", amount="14"))
    change(store, f"UPDATE history SET {damage} WHERE position = 1")  # noqa: S608 - the test's own words
    text = refused(lambda: store.changes(0, 10))
    assert "change 1 can't be read from the journal" in text
    assert words in text
    assert [each.key for each in store.changes(1, 10)] == ["another"]


def test_damaged_status_is_named(store: Store) -> None:
    store.claim("a", 60.0, 1, [PayoutState.QUEUED], (), at(0))
    change(store, "UPDATE status SET value = 'odd' WHERE name = 'runner_seen_at'")
    assert "its runner_seen_at can't be read" in refused(store.health)
    change(store, "INSERT INTO status VALUES ('compacted_to', 'odd')")
    assert "its compacted_to can't be read" in refused(store.position)


def test_damaged_state_makes_health_an_error(store: Store) -> None:
    store.add(PLANNED)
    change(store, "UPDATE payouts SET state = 'odd'")
    assert "the state of its payouts can't be read" in refused(store.health)


def test_missing_time_of_a_damaged_payout_is_left_out_of_health(store: Store) -> None:
    store.add(PLANNED)
    change(store, "UPDATE payouts SET created_at = '', state = 'queued'")
    health = store.health()
    assert (dict(health.counts), health.oldest_queued) == ({PayoutState.QUEUED: 1}, None)


@pytest.mark.parametrize(
    "damage",
    [
        "state = 'sending'",
        "state = 'queued', uuid = 'w-9'",
        "amount = '14'",
        "currency = 'XRP'",
        "is_open = 0",
        "may_be_unseen = 1",
        "left_seconds = 'then'",
        "not_after = 'then'",
    ],
)
def test_damaged_payout_fails_only_what_returns_it(store: Store, damage: str) -> None:
    store.add(PLANNED)
    another = store.add(planned("another", amount="20", net_type="ETH"))
    change(store, f"UPDATE payouts SET {damage} WHERE key = 'k'")  # noqa: S608 - the test's own words
    assert "payout 'k' can't be read" in refused(lambda: store.get("k"))
    assert "payout 'k' can't be read" in refused(lambda: store.select(PayoutQuery()))
    assert store.get("another") == another


def test_resumed_journal_keeps_every_decision(store: Store) -> None:
    store.pause(ANN, UTC)
    store.resume(ANN, WHEN.utc)
    with writing(store) as connection:
        rows = connection.execute("SELECT is_paused, note, actor FROM pauses ORDER BY number").fetchall()
    assert [tuple(row) for row in rows] == [(1, "looked", "Ann"), (0, "looked", "Ann")]
