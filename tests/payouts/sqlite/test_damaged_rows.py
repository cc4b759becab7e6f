"""Rows that another program has changed are named, one at a time, and stop no other."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

import pytest
from internals import writing
from payout_samples import ANN, PLANNED, WHEN, at, departing, planned, record

from upbit_async import errors
from upbit_async.payouts import JournalTime, PayoutQuery, PayoutState, manual
from upbit_async.payouts.journal_time import Now
from upbit_async.payouts.transitions import answered

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
    assert "changes(after=1)" in text
    assert [each.key for each in store.changes(1, 10)] == ["another"]


def test_changes_before_a_damaged_one_are_returned(store: Store) -> None:
    for number in range(3):
        store.add(planned(f"k{number}", amount=f"{number + 1}"))
    change(store, "UPDATE history SET state = 'odd' WHERE position = 2")
    assert [each.key for each in store.changes(0, 10)] == ["k0"]
    assert "change 2 can't be read" in refused(lambda: store.changes(1, 10))
    assert [each.key for each in store.changes(2, 10)] == ["k2"]


def test_damaged_status_is_named(store: Store) -> None:
    store.claim("a", 60.0, 1, [PayoutState.QUEUED], (), at(0))
    change(store, "UPDATE status SET value = 'odd' WHERE name = 'runner_seen_at'")
    assert "its runner_seen_at can't be read" in refused(store.health)
    change(store, "INSERT INTO status VALUES ('compacted_to', 'odd')")
    assert "its compacted_to can't be read" in refused(store.position)


def test_damaged_state_is_counted_and_hides_no_other_payout(store: Store) -> None:
    store.add(PLANNED)
    store.add(planned("another", amount="14"))
    change(store, "UPDATE payouts SET state = 'odd' WHERE key = 'k'")
    health = store.health()
    assert (health.unreadable, dict(health.counts)) == (1, {PayoutState.PLANNED: 1})
    change(store, "UPDATE payouts SET state = x'00' WHERE key = 'k'")
    assert store.health().unreadable == 1


def test_damaged_time_hides_no_older_payout_from_health(store: Store) -> None:
    for number in range(3):
        store.add(planned(f"k{number}", amount=f"{number + 1}"))
    change(store, "UPDATE payouts SET state = 'queued'")
    change(store, "UPDATE payouts SET created_at = '0' WHERE key = 'k0'")
    assert store.health().oldest_queued == WHEN.utc


def test_missing_time_of_a_damaged_payout_is_left_out_of_health(store: Store) -> None:
    store.add(PLANNED)
    change(store, "UPDATE payouts SET created_at = '', state = 'queued'")
    health = store.health()
    assert (dict(health.counts), health.oldest_queued) == ({PayoutState.QUEUED: 1}, None)


DAMAGES = [
    "state = 'sending'",
    "state = 'queued', uuid = 'w-9'",
    "amount = '14'",
    "amount = 'many'",
    "currency = 'XRP'",
    "is_open = 0",
    "may_be_unseen = 1",
    "left_seconds = 'then'",
    "not_after = 'then'",
    "created_at = x'00'",
    "intent = '{'",
    'error = \'{"kind":"UpbitError","text":"","amounts":[]}\'',
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_payout_fails_only_what_reads_it_alone(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.add(PLANNED)
    another = store.add(planned("another", amount="20", net_type="ETH"))
    change(store, f"UPDATE payouts SET {damage} WHERE key = 'k'")  # noqa: S608 - the test's own words
    text = refused(lambda: store.get("k"))
    assert "payout 'k' can't be read" in text
    assert store.get("another") == another
    for _ in range(3):
        assert store.select(PayoutQuery()) == [another]
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert text in line.getMessage()
    assert vars(line)["key"] == "k"


def test_damaged_row_makes_no_page_shorter(store: Store) -> None:
    for number in range(9):
        store.add(planned(f"k{number}", amount=f"{number + 1}"))
    change(store, "UPDATE payouts SET intent = '{' WHERE number IN (2, 5, 6, 9)")
    first = store.select(PayoutQuery(limit=3))
    assert [each.key for each in first] == ["k7", "k6", "k3"]
    second = store.select(PayoutQuery(limit=3).after(first[-1]))
    assert [each.key for each in second] == ["k2", "k0"]


@pytest.mark.parametrize("damage", ["intent = '{'", "created_at = x'00'", "revision = 'odd'"])
def test_damaged_payout_stays_claimed_and_the_others_are_returned(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        store.add(planned(f"k{number}", amount=f"{number + 1}"))
    change(store, f"UPDATE payouts SET {damage} WHERE key = 'k1'")  # noqa: S608 - the test's own words
    states = [PayoutState.PLANNED]
    assert [each.key for each in store.claim("a", 60.0, 10, states, (), at(0))] == ["k0", "k2"]
    assert "payout 'k1' can't be read" in caplog.text
    assert store.claim("a", 60.0, 10, states, (), at(1)) == []
    assert store.claim("b", 60.0, 10, states, (), at(2)) == []


def test_key_that_is_no_text_is_shown_and_stops_no_other_payout(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.add(PLANNED)
    store.add(planned("another", amount="14"))
    change(store, "UPDATE payouts SET key = x'07' WHERE key = 'k'")
    assert [each.key for each in store.claim("a", 60.0, 10, [PayoutState.PLANNED], (), at(0))] == ["another"]
    assert "payout b'\\x07' can't be read" in caplog.text
    assert store.open_keys() == ["another"]


def test_damaged_answer_is_left_out_of_the_recent_ones(store: Store) -> None:
    for number in range(2):
        payout = store.add(planned(f"k{number}", amount=f"{number + 13}"))
        payout = store.compare_and_swap(payout, departing(payout))
        named = answered(payout, record(f"w-{number}", amount=f"{number + 13}"), WHEN)
        assert named is not None
        store.compare_and_swap(payout, named)
    change(store, "UPDATE payouts SET record = '{' WHERE key = 'k1'")
    assert [each.key for each in store.recent_answered()] == ["k0"]


def test_damaged_final_payout_is_not_compacted_and_the_others_are(store: Store) -> None:
    for number in range(3):
        payout = store.add(planned(f"k{number}", amount=f"{number + 1}"))
        store.compare_and_swap(payout, manual.abandoned(payout, ANN, WHEN))
    change(store, "UPDATE payouts SET intent = '{' WHERE key = 'k1'")
    week = Now(WHEN.utc + dt.timedelta(days=8), JournalTime(WHEN.journal.seconds + 8 * 86400, "boot/clock"))
    assert store.compact(week.utc, week, 10) == 2
    assert "payout 'k1' can't be read" in refused(lambda: store.get("k1"))
    assert store.compact(week.utc, week, 10) == 0


def test_damaged_unowned_withdrawal_is_named_and_hides_no_other(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.reconcile("USDT", [record("w-1"), record("W-2"), record("w-3")], None, None, UTC)
    change(store, "UPDATE unowned SET record = '{' WHERE uuid = 'w-2'")
    assert [each.uuid for each in store.unowned()] == ["w-1", "w-3"]
    related = store.related("USDT", [])
    assert [each.uuid for each in related.unowned] == ["w-1", "w-3"]
    assert list(related.unreadable_unowned) == ["w-2"]
    assert list(store.related("XRP", []).unreadable_unowned) == []
    assert [each.uuid for each in store.unreported(UTC, 0.0)] == ["w-1", "w-3"]
    assert store.unreported(UTC, 0.0) == []
    assert "withdrawal 'w-2'" in caplog.text
    store.acknowledge("w-2", "USDT", ANN, UTC)
    assert list(store.related("USDT", []).unreadable_unowned) == []


def test_resumed_journal_keeps_every_decision(store: Store) -> None:
    store.pause(ANN, UTC)
    store.resume(ANN, WHEN.utc)
    with writing(store) as connection:
        rows = connection.execute("SELECT is_paused, note, actor FROM pauses ORDER BY number").fetchall()
    assert [tuple(row) for row in rows] == [(1, "looked", "Ann"), (0, "looked", "Ann")]
