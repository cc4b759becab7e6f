"""The journal's file: what it keeps, and what it says when it can't."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import MAY_OWN_QUERY, OPEN_QUERY, reading, store_of, writing
from journals import InlineJournal
from payout_samples import EVERY, INTENT, LOST, PLANNED, SENDING, WHEN, departing, record

from upbit_async import errors
from upbit_async.models import Intent
from upbit_async.payouts import (
    ConflictingPayout,
    Payout,
    PayoutState,
    SqliteJournal,
    StaleRevision,
    manual,
    transitions,
)
from upbit_async.payouts.sqlite import schema
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(str(path), 0.2)
    store.bind("h", "sg")
    yield store
    store.close()


def planned(key: str, **members: str) -> Payout:
    return transitions.planned(key, attrs.evolve(INTENT, members={**INTENT.members, **members}))


def unsettled(store: Store, key: str, **members: str) -> Payout:
    payout = store.add(planned(key, **members))
    return store.compare_and_swap(payout, departing(payout))


@pytest.mark.parametrize("name", EVERY)
def test_what_is_kept_comes_back(store: Store, name: str) -> None:
    payout: Any = EVERY[name]
    store.add(PLANNED)
    kept = store.compare_and_swap(PLANNED, payout)
    store.close()
    again = store.get("k")
    assert again == kept == attrs.evolve(payout, revision=1)
    assert again is not None
    assert type(again.error) is type(payout.error)
    assert str(again.error) == str(payout.error)


ERRORS = [
    LOST,
    errors.OutcomeUnknown("x", intent=INTENT, status=401, name="nonce_used"),
    errors.OutcomeUnknown("x", intent=INTENT, status=201, uuid="u"),
    errors.NotFound("none", status=404, asked_for="uuid u"),
    errors.OutcomeUnknown("x", intent=INTENT, connection_bounded=True),
    errors.ValidationError("no", status=400, name="n", message="m", endpoint="POST /v1/withdraws/coin"),
    errors.RateLimited("slow", retry_after=1.5, status=429),
    errors.Banned("banned", until=NOW, status=418),
    errors.NotSent("down"),
    errors.PreflightFailed("no", reasons=(errors.Reason("a", "b"),)),
    errors.JournalError("full"),
    errors.DecodeError("odd", path="$.x"),
    errors.PayoutBlocked("wait", by_key="j"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_what_it_was(store: Store, error: errors.UpbitError) -> None:
    store.add(PLANNED)
    store.compare_and_swap(PLANNED, attrs.evolve(PLANNED, error=error))
    kept = store.get("k")
    assert kept is not None
    again = kept.error
    assert type(again) is type(error)
    assert str(again) == str(error)
    told = {name: value for name, value in vars(error).items() if name not in {"raw", "intent"}}
    assert {name: vars(again)[name] for name in told} == told


def test_an_error_of_a_later_version_is_an_error(store: Store) -> None:
    store.add(PLANNED)
    store.compare_and_swap(PLANNED, attrs.evolve(PLANNED, error=errors.NotSent("down")))
    with writing(store) as connection:
        connection.execute("UPDATE payouts SET error = replace(error, 'NotSent', 'FromTheFuture')")
    kept = store.get("k")
    assert kept is not None
    assert type(kept.error) is errors.UpbitError


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_key_and_any_text_comes_back(text: str) -> None:
    payout = planned(text, address=text)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Store(f"{folder}/any.db", 1)) as store:
        store.bind("h", "sg")
        store.add(payout)
        assert store.get(text) == payout


def test_a_key_is_added_once(store: Store) -> None:
    assert store.add(PLANNED) is PLANNED
    assert store.add(planned("k", amount="99")) == PLANNED


def test_of_two_who_change_one_payout_one_succeeds(store: Store, path: Path) -> None:
    other = Store(str(path), 1)
    known = store.add(PLANNED)
    same = other.get("k")
    assert same is not None
    store.compare_and_swap(known, departing(known))
    with pytest.raises(StaleRevision):
        other.compare_and_swap(same, departing(same))
    other.close()


@pytest.mark.parametrize("amount", ["13", "13.0", "013.000"])
def test_two_equal_ones_are_not_unsettled_at_once(store: Store, amount: str) -> None:
    unsettled(store, "a")
    with pytest.raises(ConflictingPayout) as caught:
        unsettled(store, "b", amount=amount)
    assert caught.value.by_key == "a"
    for name, value in (("amount", "13.01"), ("currency", "XRP"), ("net_type", "ETH")):
        unsettled(store, f"c {name}", **{name: value})


def test_what_needs_a_person_lets_nothing_like_it_leave_and_is_always_noted(store: Store) -> None:
    first = unsettled(store, "a")
    doubt = store.compare_and_swap(first, attrs.evolve(first, state=PayoutState.NEEDS_REVIEW))
    with pytest.raises(ConflictingPayout) as caught:
        unsettled(store, "b", amount="13.0")
    assert caught.value.by_key == "a"
    second = store.get("b")
    assert second is not None
    store.compare_and_swap(second, attrs.evolve(second, state=PayoutState.NEEDS_REVIEW))
    assert store.get("a") == doubt


@pytest.mark.parametrize("state", [state for state in PayoutState if not state.is_unsettled])
def test_a_settled_one_is_in_nobodys_way(store: Store, state: PayoutState) -> None:
    first = unsettled(store, "a")
    store.compare_and_swap(first, attrs.evolve(first, state=state))
    unsettled(store, "b")


def test_a_withdrawal_is_one_payouts(store: Store) -> None:
    first = unsettled(store, "a")
    answered = transitions.answered(first, record("w-1"), WHEN)
    assert answered is not None
    store.compare_and_swap(first, answered)
    second = unsettled(store, "b")
    same = transitions.answered(second, record("W-1"), WHEN)
    assert same is not None
    with pytest.raises(ConflictingPayout) as caught:
        store.compare_and_swap(second, same)
    assert caught.value.by_key == "a"
    assert store.get("b") == second


def test_open_ones_are_listed_oldest_first(store: Store) -> None:
    for number in range(3):
        store.add(planned(f"k{number}", amount=str(number + 1)))
    last = unsettled(store, "k3", amount="50")
    done = transitions.answered(last, record(state="DONE", amount="50"), WHEN)
    assert done is not None
    store.compare_and_swap(last, done)
    assert store.open_keys() == ["k0", "k1", "k2"]


def test_what_may_explain_withdrawals_is_found(store: Store) -> None:
    unsettled(store, "me")
    unsettled(store, "unsettled", amount="20")
    unsettled(store, "other currency", currency="XRP")
    store.add(planned("planned"))
    owner = unsettled(store, "owner", amount="30", currency="BTC")
    answered = transitions.answered(owner, record("w-9"), WHEN)
    assert answered is not None
    store.compare_and_swap(owner, attrs.evolve(answered, uuid="W-9"))
    gone = unsettled(store, "not sent", amount="40")
    store.compare_and_swap(gone, attrs.evolve(gone, state=PayoutState.NOT_SENT))
    given_up = unsettled(store, "given up", amount="41")
    store.compare_and_swap(given_up, attrs.evolve(given_up, state=PayoutState.ABANDONED))
    store.acknowledge("x7", "USDT", manual.ManualDecision(note="mine"), NOW)
    store.reconcile("USDT", [record("X8"), record("X7"), record("W-9")], None, "x8")
    found = store.related("USDT", ["w-9", *(f"x{number}" for number in range(1200))])
    assert {payout.key for payout in found.payouts} == {"me", "unsettled", "not sent", "given up", "owner"}
    assert found.acknowledged == {"x7"}
    assert [each.uuid for each in found.unowned] == ["X8"]
    assert (store.mark("USDT"), store.mark("XRP")) == ("x8", None)
    store.reconcile("USDT", [], "somebody else's", "x9")
    assert store.mark("USDT") == "x8"
    with pytest.raises(ConflictingPayout):
        store.acknowledge("w-9", "USDT", manual.ManualDecision(), NOW)
    assert [payout.key for payout in store.recent_answered()] == ["owner"]


def test_the_queries_use_the_indexes(store: Store) -> None:
    statements = [
        "SELECT * FROM payouts WHERE key = 'x'",
        MAY_OWN_QUERY.replace("?", "'x'"),
        OPEN_QUERY,
        "SELECT key FROM payouts WHERE state = 'needs_review' AND holds_up_equals AND currency = 'x' AND amount = 'z'",
        "SELECT key FROM payouts WHERE uuid = 'a' COLLATE NOCASE AND key <> 'x'",
        "SELECT * FROM payouts WHERE uuid COLLATE NOCASE IN ('a', 'b')",
        "SELECT uuid FROM unowned WHERE is_acknowledged AND uuid IN ('a', 'b')",
        "SELECT record FROM unowned WHERE NOT is_acknowledged AND currency = 'x'",
        "SELECT * FROM payouts WHERE evidence = 'answer' AND uuid IS NOT NULL ORDER BY number DESC LIMIT 5",
        "SELECT at, state, note FROM history WHERE key = 'x' ORDER BY number",
    ]
    with reading(store) as connection:
        for statement in statements:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            told = " ".join(str(step["detail"]) for step in plan)
            for table in ("payouts", "history", "unowned"):
                scans = re.findall(rf"(?:SCAN|SEARCH) {table}(?! USING)", told)
                assert not scans, (statement, told)
            assert "USING" in told, (statement, told)


# The file


def test_a_file_that_was_replaced_is_told(store: Store, path: Path) -> None:
    store.add(PLANNED)
    path.rename(path.with_suffix(".old"))
    with pytest.raises(errors.JournalError, match="was replaced while it was in use"):
        store.get("k")
    path.write_bytes(b"")
    with pytest.raises(errors.JournalError, match="was replaced while it was in use"):
        store.add(planned("another"))


def test_it_is_for_its_owners_eyes(store: Store, path: Path) -> None:
    store.add(PLANNED)
    assert {each.stat().st_mode & 0o777 for each in path.parent.glob("payouts.db*")} == {0o600}


def test_a_folder_that_is_changed_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    journal = SqliteJournal(path.name)
    monkeypatch.chdir("/")
    assert journal.path == str(path)


def test_it_is_as_safe_as_sqlite_can_be(store: Store) -> None:
    with reading(store) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def _refuses(path: Path | str, words: str, *, host: str = "h") -> errors.JournalError:
    store = Store(str(path), 0.05)
    with pytest.raises(errors.JournalError, match=words) as caught:
        store.bind(host, "sg")
    store.close()
    assert str(path) in str(caught.value)
    assert not caught.value.may_have_executed
    return caught.value


def test_a_journal_of_another_host_is_refused(store: Store, path: Path) -> None:
    _refuses(path, r"belongs to h \(sg\), and this client talks to other \(sg\)", host="other")


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(store: Store, path: Path) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    _refuses(path, r"newer version of upbit_async \(format 99, this one knows 1\): update")


def test_somebody_elses_database_is_refused_and_left_as_it_is(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    path.chmod(0o600)
    before = path.read_bytes()
    _refuses(path, "is a database, but no journal")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    _refuses(path, "is a database, but no journal")
    assert path.read_bytes()[100:] == before[100:]


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"this is no database, and long enough to be looked at" * 100)
    path.chmod(0o600)
    _refuses(path, "is no database")


def test_a_damaged_journal_is_refused(store: Store, path: Path) -> None:
    for number in range(300):
        store.add(planned(f"key {number}", amount=str(number + 1)))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xff" * 4096 * 6
    path.write_bytes(content)
    _refuses(path, "is damaged")


def test_a_row_that_was_changed_by_hand_is_told(store: Store) -> None:
    store.add(PLANNED)
    with writing(store) as connection:
        connection.execute("UPDATE payouts SET intent = '{}'")
    with pytest.raises(errors.JournalError, match="changed by something else"):
        store.get("k")


def test_a_folder_that_is_missing_is_told(path: Path) -> None:
    _refuses(path / "below" / "payouts.db", "can't be opened: does its folder exist")


def _set_largest(store: Store, pages: int) -> None:
    with reading(store) as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_told_and_nothing_is_half_written(store: Store) -> None:
    store.add(PLANNED)
    with reading(store) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    _set_largest(store, pages)

    def fill() -> None:
        for number in range(1000):
            store.add(planned(f"k{number}" * 50, amount=str(number + 20)))

    with pytest.raises(errors.JournalError, match="the disk is full: make room"):
        fill()
    assert store.get("k") == PLANNED
    _set_largest(store, 1_000_000)
    assert store.compare_and_swap(PLANNED, SENDING).revision == 1


def test_a_journal_that_somebody_else_holds_is_told(store: Store, path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.JournalError, match="is locked by another program"):
        store.add(PLANNED)
    holder.execute("ROLLBACK")
    holder.close()
    assert store.add(PLANNED) == PLANNED


def test_a_journal_that_may_only_be_read_is_told(store: Store, path: Path, tmp_path: Path) -> None:
    store.close()
    tmp_path.chmod(0o755)
    path.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)  # to the superuser nothing is forbidden
    script = f"""
        import os, sys
        from upbit_async import errors
        from upbit_async.payouts.sqlite.store import Store
        if os.geteuid() == 0:
            os.setegid(65534)
            os.seteuid(65534)
        try:
            Store({str(path)!r}, 0.1).bind("h", "sg")
        except errors.JournalError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    for folder in [each for each in path.parents if each.stat().st_uid == os.geteuid()]:
        folder.chmod(folder.stat().st_mode | 0o055)
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "check its permissions" in ran.stdout or "can't be opened" in ran.stdout


def test_migrations_are_taken_in_order_and_once(path: Path) -> None:
    steps = [*schema.MIGRATIONS, "ALTER TABLE payouts ADD COLUMN colour TEXT;\n CREATE TABLE more (x);\n"]
    store = Store(str(path), 1)
    store.bind("h", "sg")
    store.add(PLANNED)
    store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    for _ in range(2):
        schema.prepare(connection, str(path), migrations=steps)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 2
    assert connection.execute("SELECT key, colour FROM payouts").fetchall() == [("k", None)]
    broken = [*steps, "CREATE TABLE fine (x);\n CREATE TABLE more (x);\n"]
    with pytest.raises(sqlite3.OperationalError):
        schema.prepare(connection, str(path), migrations=broken)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 2
    connection.close()
    _refuses(path, "newer version")


def test_many_threads_may_open_it_at_once(path: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        store = Store(str(path), 10)
        try:
            store.bind("h", "sg")
            store.add(planned(f"k{number}"))
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)
        finally:
            store.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store = Store(str(path), 1)
    assert len(store.open_keys()) == 16
    store.close()


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"path": ""}, ValueError),
        ({"path": ":memory:"}, ValueError),
        ({"path": b"x"}, TypeError),
        ({"path": 7}, TypeError),
        ({"path": "x", "busy_timeout": -1}, ValueError),
        ({"path": "x", "busy_timeout": "1"}, ValueError),
    ],
)
def test_a_journal_needs_a_file(arguments: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        SqliteJournal(**arguments)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_its_work_is_done_in_a_thread_of_its_own(path: Path) -> None:
    threads: set[str] = set()
    journal = SqliteJournal(path)
    original = store_of(journal).get

    def get(key: str) -> Payout | None:
        threads.add(threading.current_thread().name)
        return original(key)

    store_of(journal).get = get  # type: ignore[method-assign]
    await journal.bind("h", "sg")
    await journal.add(PLANNED)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(journal.get, "k")
    assert len(threads) == 1
    assert threading.current_thread().name not in threads
    await journal.aclose()
    assert await journal.get("k") == PLANNED  # it opens itself again
    assert repr(journal) == f"SqliteJournal({str(path)!r})"
    await journal.aclose()


def test_an_inline_journal_is_the_same(path: Path) -> None:
    assert issubclass(InlineJournal, SqliteJournal)


def test_the_canonical_amount_is_what_the_index_compares(store: Store) -> None:
    intent = Intent(endpoint="x", host="h", started_at=NOW, members={**INTENT.members, "amount": "00013.10"})
    store.add(transitions.planned("k", intent))
    with reading(store) as connection:
        assert connection.execute("SELECT amount FROM payouts").fetchone()[0] == "13.1"
    assert intent.amount == Decimal("13.1")
