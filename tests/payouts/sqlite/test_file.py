"""The journal's file shared by connections, processes and forks."""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from internals import journal_queues, thread_limit_of, writing
from payout_samples import INTENT, PLANNED

from upbit_async import errors
from upbit_async.payouts import Payout, SqliteJournal, queueing
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
NEEDS_LINKS = pytest.mark.skipif(os.name != "posix", reason="links need a permission here")
OTHER = """
    import json, sys
    from upbit_async.payouts.sqlite.store import Store
    store = Store(sys.argv[1], 10)
    store.bind("h", "sg")
    print(json.dumps(store.open_keys()))
    store.close()
"""
FORKING = """
    import datetime as dt, gc, json, os, signal, sys, threading
    from upbit_async import errors
    from upbit_async.models import Intent
    from upbit_async.payouts import queueing
    from upbit_async.payouts.sqlite.store import Store

    NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    path = sys.argv[1]
    signal.alarm(20)

    def planned(key):
        members = {"currency": "USDT", "net_type": "TRX", "amount": "13", "address": "T"}
        return queueing.planned(key, Intent(endpoint="x", host="h", members=members, started_at=NOW))

    def fork(child):
        # Returns the child's exit code, or the signal that it died of, negative.
        pid = os.fork()
        if pid:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        signal.alarm(10)  # a child inherits no alarm
        try:
            child()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)

    store = Store(path, 10)
    store.bind("h", "sg")
    store.add(planned("before"))
"""


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(str(path), 10)
    store.bind("h", "sg")
    yield store
    store.close()


def planned(key: str) -> Payout:
    return queueing.planned(key, INTENT)


def run(script: str, path: Path) -> list[Any]:
    """Run a program in another process, and return the JSON lines that it prints."""
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def another_process_sees(path: Path) -> list[str]:
    """Open and close the file in another process; return the keys that it finds."""
    (keys,) = run(textwrap.dedent(OTHER), path)
    return list(keys)


def forking(path: Path, script: str) -> list[Any]:
    """Run a program that forks in a process without threads, which the tests' own has."""
    return run(textwrap.dedent(FORKING) + textwrap.dedent(script), path)


# Several connections


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("closed", [True, False])
async def test_two_journals_of_one_process_keep_each_others_locks(path: Path, closed: bool) -> None:
    async def see() -> list[str]:
        return await anyio.to_thread.run_sync(another_process_sees, path)

    first, second = SqliteJournal(path), SqliteJournal(path)
    await first.bind("h", "sg")
    await first.add(planned("a"))
    await second.bind("h", "sg")
    if closed:
        await second.aclose()
    assert await see() == ["a"]
    await first.add(planned("b"))
    assert await see() == ["a", "b"]
    await first.aclose()
    await second.aclose()


def test_file_being_created_is_not_opened_by_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[threading.Thread] = []
    make = os.open

    def open_too() -> None:
        other = Store(str(path), 10)
        other.bind("h", "sg")
        other.close()

    def make_slowly(name: Any, *arguments: Any) -> int:
        made = make(name, *arguments)
        if os.fspath(name) == str(path) and not others:
            others.append(threading.Thread(target=open_too))
            others[0].start()
            others[0].join(0.1)
            assert others[0].is_alive()
        return made

    monkeypatch.setattr(os, "open", make_slowly)
    store = Store(str(path), 10)
    store.bind("h", "sg")
    others[0].join()
    store.close()


def test_lost_locks_are_an_error(store: Store, path: Path) -> None:
    store.add(planned("a"))
    path.read_bytes()
    assert another_process_sees(path) == ["a"]
    with pytest.raises(errors.JournalError, match="was replaced while it was in use"):
        store.add(planned("b"))
    store.close()
    assert store.add(planned("c")).key == "c"
    assert another_process_sees(path) == ["a", "c"]


@pytest.mark.parametrize("close", [True, False])
def test_checkpoints_by_other_programs_are_harmless(store: Store, path: Path, close: bool) -> None:
    other = Store(str(path), 10)
    for number, statement in enumerate(
        [
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "PRAGMA wal_checkpoint(RESTART)",
            "VACUUM",
            "SELECT * FROM binding",
        ]
    ):
        shell = sqlite3.connect(path, isolation_level=None)  # SQLite accounts for our connection
        shell.execute(statement).fetchall()
        store.add(planned(f"{number} ours"))
        shell.close()
        other.add(planned(f"{number} theirs"))
        if close:
            other.close()
    assert another_process_sees(path) == store.open_keys() == other.open_keys()
    assert len(store.open_keys()) == 8
    other.close()
    store.add(planned("last"))
    store.close()
    assert "last" in store.open_keys()


def test_write_into_a_deleted_log_is_an_error(store: Store, path: Path) -> None:
    def write() -> None:
        with writing(store) as connection:
            connection.execute("DELETE FROM binding")
            path.with_name("payouts.db-wal").unlink()

    with pytest.raises(errors.JournalError, match="was replaced while it was in use"):
        write()


@NEEDS_LINKS
def test_journal_can_be_reached_through_a_link(path: Path) -> None:
    folder = path.parent / "elsewhere"
    folder.mkdir()
    path.symlink_to(folder / "real.db")
    (folder / "real.db").touch(0o600)
    store = Store(str(path), 10)
    store.bind("h", "sg")
    store.add(PLANNED)
    assert another_process_sees(path) == another_process_sees(folder / "real.db") == ["k"]
    assert store.get("k") == PLANNED
    store.close()


# Forks


@NEEDS_FORK
def test_forked_child_writes_to_the_shared_file(path: Path) -> None:
    script = """
        written, note = os.pipe()
        closed, tell = os.pipe()
        pid = os.fork()
        if not pid:
            signal.alarm(10)
            store.add(planned("first of the child"))
            os.write(note, b".")
            os.read(closed, 1)
            store.add(planned("second of the child"))
            os._exit(0)
        os.read(written, 1)
        store.add(planned("of the parent"))
        store.close()  # the child's locks must be its own, or the log goes with this
        os.write(tell, b".")
        assert os.waitpid(pid, 0)[1] == 0
        print(json.dumps(store.open_keys()))
        store.close()
    """
    every = ["before", "first of the child", "of the parent", "second of the child"]
    assert forking(path, script) == [every]
    assert another_process_sees(path) == every


@NEEDS_FORK
def test_moved_file_is_not_created_again_after_a_fork(path: Path) -> None:
    script = """
        os.rename(path, path + ".aside")
        code = fork(lambda: None)
        try:
            store.open_keys()
        except errors.JournalError as error:
            print(json.dumps([code, "was replaced" in str(error), os.path.exists(path)]))
    """
    assert forking(path, script) == [[0, True, False]]


@NEEDS_FORK
def test_fork_waits_for_a_write_to_finish(path: Path) -> None:
    script = """
        inside, forked = threading.Event(), threading.Event()

        def write():
            with store._writing() as connection:
                connection.execute("INSERT INTO history VALUES (9, 'before', NULL, 'planned', 'now', '', NULL)")
                inside.set()
                forked.wait(0.3)  # it is not: the fork waits for us

        thread = threading.Thread(target=write)
        thread.start()
        inside.wait()
        code = fork(lambda: store.add(planned("of the child")))
        forked.set()
        thread.join()
        with store._reading() as connection:
            kept = connection.execute("SELECT count(*) FROM history WHERE position = 9").fetchone()[0]
        print(json.dumps([code, kept, store.open_keys()]))
        store.close()
    """
    assert forking(path, script) == [[0, 1, ["before", "of the child"]]]


@NEEDS_FORK
def test_fork_during_its_own_write_aborts_the_write(path: Path) -> None:
    script = """
        first = os.getpid()
        try:
            with store._writing() as connection:
                connection.execute("DELETE FROM payouts")
                child = os.fork()
        except errors.JournalError:
            raised = True
        else:
            raised = False
        if os.getpid() != first:
            signal.alarm(10)
            store.add(planned("of the child"))
            os._exit(not raised)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps([raised, code, store.open_keys()]))
        store.close()
    """
    assert forking(path, script) == [[True, 0, ["before", "of the child"]]]


@NEEDS_FORK
def test_fork_survives_stores_that_fail_to_close_or_are_gone(path: Path) -> None:
    script = """
        from upbit_async.payouts.sqlite import file

        class Broken:
            def close(self):
                raise RuntimeError("no")

        bad = Store(path + ".bad", 10)
        bad._file._open = Broken()
        unused = Store(path, 10)
        unused.open_keys()
        unused._file.itself = unused  # left to the garbage collector
        closed = Store(path, 10)
        del unused
        gc.collect()
        code = fork(lambda: (store.add(planned("of the child")), bad.bind("h", "sg"), bad.close()))
        print(json.dumps([code, store.open_keys(), len(file._files)]))
        store.close()
    """
    assert forking(path, script) == [[0, ["before", "of the child"], 3]]


@NEEDS_FORK
def test_kept_error_keeps_no_file_open(path: Path) -> None:
    script = """
        with store._writing() as connection:
            connection.execute("UPDATE payouts SET evidence = 'answer', uuid = 'u', intent = '{}'")
            connection.execute("UPDATE history SET state = 'odd'")
        kept = []
        raising = lambda: store.get("before"), lambda: store.add(planned("before")), lambda: store.changes(0, 1)
        for ask in (*raising, store.recent_answered, lambda: store.related("USDT", ["u"])):
            try:
                ask()
            except errors.JournalError as error:
                kept.append(error)
        store.close()
        open_still = [each for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}")]
        names = [os.readlink(f"/proc/self/fd/{each}") for each in open_still]
        print(json.dumps([len(kept), [name for name in names if path in name]]))
    """
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("it does not tell what is open")
    assert forking(path, script) == [[3, []]]


# Dropped journals


def test_dropped_journal_closes_its_file(path: Path) -> None:
    store = Store(str(path), 10)
    store.bind("h", "sg")
    with pytest.warns(ResourceWarning, match="unclosed journal"):
        del store
    assert sorted(each.name for each in path.parent.glob("payouts.db*")) == ["payouts.db"]


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_dropped_journal_is_forgotten_by_its_event_loop(path: Path) -> None:
    journals = [SqliteJournal(path) for _ in range(5)]
    await journals[0].bind("h", "sg")
    await journals[0].aclose()
    limiters = [thread_limit_of(journal) for journal in journals]
    assert len(set(map(id, limiters))) == 5
    assert limiters == [thread_limit_of(journal) for journal in journals]
    assert len(journal_queues()) >= 5
    del journals
    gc.collect()
    assert len(journal_queues()) == 0
