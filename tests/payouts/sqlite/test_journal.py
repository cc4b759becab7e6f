"""The journal's file: replaced, foreign, damaged, full, locked or read-only."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from internals import reading, store_of, writing
from journals import InlineJournal
from payout_samples import PLANNED, SENDING, planned

from upbit_async import errors
from upbit_async.payouts import (
    Payout,
    SqliteJournal,
)
from upbit_async.payouts.sqlite import schema
from upbit_async.payouts.sqlite.migrations import MIGRATIONS
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


# The file


def test_replaced_file_is_an_error(store: Store, path: Path) -> None:
    store.add(PLANNED)
    path.rename(path.with_suffix(".old"))
    with pytest.raises(errors.JournalError, match="was replaced while it was in use"):
        store.get("k")
    path.write_bytes(b"")
    with pytest.raises(errors.JournalError, match="was replaced while it was in use"):
        store.add(planned("another"))


def test_journal_is_readable_by_its_owner_only(store: Store, path: Path) -> None:
    store.add(PLANNED)
    assert {each.stat().st_mode & 0o777 for each in path.parent.glob("payouts.db*")} == {0o600}


def test_changed_working_folder_does_not_move_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    journal = SqliteJournal(path.name)
    monkeypatch.chdir("/")
    assert journal.path == str(path)


def test_journal_uses_wal_and_full_synchronous(store: Store) -> None:
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


def test_journal_of_another_host_is_refused(store: Store, path: Path) -> None:
    _refuses(path, r"belongs to h \(sg\), and this client talks to other \(sg\)", host="other")


def test_journal_of_a_newer_version_is_refused_unchanged(store: Store, path: Path) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    _refuses(path, r"newer version of upbit_async \(format 99, this version reads 2\): update")


def test_foreign_database_is_refused_unchanged(path: Path) -> None:
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


def test_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"this is no database, and long enough to be looked at" * 100)
    path.chmod(0o600)
    _refuses(path, "is no database")


def test_damaged_journal_is_refused(store: Store, path: Path) -> None:
    for number in range(300):
        store.add(planned(f"key {number}", amount=str(number + 1)))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xff" * 4096 * 6
    path.write_bytes(content)
    _refuses(path, "is damaged")


def test_row_changed_by_hand_is_an_error(store: Store) -> None:
    store.add(PLANNED)
    with writing(store) as connection:
        connection.execute("UPDATE payouts SET intent = '{}'")
    with pytest.raises(errors.JournalError, match="changed by something else"):
        store.get("k")


def test_missing_folder_is_an_error(path: Path) -> None:
    _refuses(path / "below" / "payouts.db", "can't be opened: check that its folder exists")


def _set_largest(store: Store, pages: int) -> None:
    with reading(store) as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")


def test_full_disk_is_an_error_without_partial_writes(store: Store) -> None:
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


def test_locked_journal_is_an_error(store: Store, path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.JournalError, match="is locked by another program"):
        store.add(PLANNED)
    holder.execute("ROLLBACK")
    holder.close()
    assert store.add(PLANNED) == PLANNED


def test_read_only_journal_is_an_error(store: Store, path: Path, tmp_path: Path) -> None:
    store.close()
    tmp_path.chmod(0o755)
    path.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)  # root may do anything
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


def test_migrations_are_applied_once_in_order(path: Path) -> None:
    steps = [*MIGRATIONS, "ALTER TABLE payouts ADD COLUMN colour TEXT;\n CREATE TABLE more (x);\n"]
    store = Store(str(path), 1)
    store.bind("h", "sg")
    store.add(PLANNED)
    store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    for _ in range(2):
        schema.prepare(connection, str(path), migrations=steps)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 3
    assert connection.execute("SELECT key, colour FROM payouts").fetchall() == [("k", None)]
    broken = [*steps, "CREATE TABLE fine (x);\n CREATE TABLE more (x);\n"]
    with pytest.raises(sqlite3.OperationalError):
        schema.prepare(connection, str(path), migrations=broken)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 3
    connection.close()
    _refuses(path, "newer version")


def test_many_threads_can_open_one_journal(path: Path) -> None:
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
def test_journal_requires_a_file(arguments: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        SqliteJournal(**arguments)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_journal_works_in_its_own_thread(path: Path) -> None:
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


def test_inline_journal_is_a_sqlite_journal(path: Path) -> None:
    assert issubclass(InlineJournal, SqliteJournal)
