"""Compacted payouts in the journal's file: their size, and what is not compacted."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import uuid
from typing import TYPE_CHECKING

import attrs
import pytest
from internals import reading, writing
from payout_samples import ANN, PLANNED, SENDING, WHEN, planned, record

from upbit_async import errors
from upbit_async.payouts import Evidence, PayoutState, SqliteJournal, manual, transitions
from upbit_async.payouts.journal_time import Now

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.payouts.sqlite.store import Store

DAY = 24 * 3600.0


def later(*, utc: float, journal: float) -> Now:
    seconds = WHEN.journal.seconds + journal
    return Now(WHEN.utc + dt.timedelta(seconds=utc), attrs.evolve(WHEN.journal, seconds=seconds))


def compact(store: Store, now: Now, limit: int = 10_000) -> int:
    return store.compact(now.utc, now, limit)


def vacuumed_size(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def test_compacted_payout_needs_at_most_250_bytes(store: Store, path: Path) -> None:
    store.close()
    empty = vacuumed_size(path)
    ends = ("DONE", "FAILED", "CANCELLED", "REJECTED")
    number_of_payouts = 2000
    with store.batch(writes=True):
        for number in range(number_of_payouts):
            payout = planned(f"invoice-{number:032}", amount=f"{number + 1}")
            assert len(payout.key) == 40
            sent = attrs.evolve(SENDING, key=payout.key, intent=payout.intent)
            withdrawal = record(str(uuid.uuid5(uuid.NAMESPACE_URL, payout.key)), ends[number % 4])
            done = transitions.identified(sent, withdrawal, WHEN, Evidence.MANUAL, "found")
            store.compare_and_swap(attrs.evolve(payout, revision=-1), done)
    assert compact(store, later(utc=8 * DAY, journal=8 * DAY)) == number_of_payouts
    store.close()
    assert (vacuumed_size(path) - empty) / number_of_payouts <= 250


@pytest.mark.parametrize(
    ("utc", "journal", "compacted"),
    [(8 * DAY, 8 * DAY, 1), (8 * DAY, 6 * DAY, 0), (6 * DAY, 8 * DAY, 0)],
)
def test_payout_is_kept_for_a_week_after_its_departure_by_either_clock(
    store: Store, utc: float, journal: float, compacted: int
) -> None:
    store.add(PLANNED)
    payout = store.compare_and_swap(PLANNED, SENDING)
    store.compare_and_swap(payout, attrs.evolve(payout, state=PayoutState.DONE))
    assert compact(store, later(utc=utc, journal=journal)) == compacted


def test_departure_before_the_last_boot_counts_by_the_time_of_day(store: Store) -> None:
    payout = store.compare_and_swap(attrs.evolve(PLANNED, revision=-1), SENDING)
    store.compare_and_swap(payout, attrs.evolve(payout, state=PayoutState.DONE))
    now = later(utc=8 * DAY, journal=0.0)
    other_boot = attrs.evolve(now, journal=attrs.evolve(now.journal, epoch="another boot/time"))
    assert compact(store, other_boot) == 1


def test_nothing_else_remains_of_a_compacted_payout(store: Store) -> None:
    for number in range(3):
        payout = store.add(planned(f"k{number}", amount=f"{number + 1}"))
        store.compare_and_swap(payout, manual.abandoned(payout, ANN, WHEN))
    assert compact(store, later(utc=8 * DAY, journal=8 * DAY), limit=2) == 2
    with reading(store) as connection:
        assert connection.execute("SELECT count(DISTINCT key) FROM history").fetchone()[0] == 1
        assert connection.execute("SELECT count(*) FROM payouts").fetchone()[0] == 1
        content = "\n".join(connection.iterdump())
    assert content.count("TCANARYADDRESS") == 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("digest = x''", "its digest is missing"),
        ("digest = 'text'", "its digest is missing"),
        ("state = 'odd'", "'odd' is not a valid PayoutState"),
        ("uuid = x'00'", "text was expected, found bytes"),
        ("created_at = 'then'", "unsupported"),
        ("created_at = 9223372036854775807", "date value out of range"),
    ],
)
def test_damaged_compacted_payout_is_an_error(store: Store, damage: str, words: str) -> None:
    store.add(PLANNED)
    store.compare_and_swap(PLANNED, manual.abandoned(PLANNED, ANN, WHEN))
    compact(store, later(utc=8 * DAY, journal=8 * DAY))
    with writing(store) as connection:
        connection.execute(f"UPDATE compacted SET {damage}")  # noqa: S608 - the test's own words
    with pytest.raises(errors.JournalError, match="payout 'k' can't be read from the journal") as caught:
        store.get("k")
    assert words in str(caught.value)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_journal_compacts_in_several_transactions(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SqliteJournal(path)
    await journal.bind("h", "sg")
    for number in range(5):
        payout = await journal.add(planned(f"k{number}", amount=f"{number + 1}"))
        await journal.compare_and_swap(payout, manual.abandoned(payout, ANN, WHEN))
    monkeypatch.setattr("upbit_async.payouts.sqlite.journal._MOST_COMPACTED", 2)
    now = WHEN.utc + dt.timedelta(days=8)
    assert await journal.compact(now, now) == 5
    assert await journal.compact(now, now) == 0
    await journal.aclose()
