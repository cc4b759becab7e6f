"""Calls that wait at the same time share a transaction, and each succeeds or fails as if it were alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
import pytest
from internals import connection_of, store_of, writing
from payout_samples import PLANNED, SENDING, planned

from upbit_async import errors
from upbit_async.payouts import SqliteJournal, StaleRevision

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from pathlib import Path

REAL = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(path, busy_timeout=0.2)
    await journal.bind("h", "sg")
    yield journal
    await journal.aclose()


@pytest.fixture
def batches(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kinds of the transactions that are begun from now on."""
    kinds: list[str] = []
    store = store_of(journal)
    begin = store.batch

    @contextmanager
    def counted(*, writes: bool) -> Generator[sqlite3.Connection]:
        kinds.append("write" if writes else "read")
        with begin(writes=writes) as connection:
            yield connection

    monkeypatch.setattr(store, "batch", counted)
    return kinds


@attrs.frozen
class Gate:
    """Gate at which each addition to a journal waits, in the journal's thread.

    Attributes:
        entered: Set when an addition has reached the gate.
        leave: Set it to let all of them pass.
    """

    entered: threading.Event = attrs.field(factory=threading.Event)
    leave: threading.Event = attrs.field(factory=threading.Event)


@pytest.fixture
def gate(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    original = store_of(journal).add

    def add(payout: Any) -> Any:
        gate.entered.set()
        gate.leave.wait(10)
        return original(payout)

    monkeypatch.setattr(store_of(journal), "add", add)
    return gate


def payouts(number: int) -> list[Any]:
    return [planned(f"k{each}", amount=f"{each + 1}") for each in range(number)]


def deny(action: int, operation: str | None, *_: object) -> int:
    """Let every commit fail."""
    is_commit = action == sqlite3.SQLITE_TRANSACTION and operation == "COMMIT"
    return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK


@REAL
async def test_concurrent_writes_share_transactions(journal: SqliteJournal, batches: list[str]) -> None:
    async with anyio.create_task_group() as tasks:
        for payout in payouts(200):
            tasks.start_soon(journal.add, payout)
    assert batches.count("write") <= 3
    assert len(await journal.open_keys()) == 200


@REAL
async def test_transaction_has_a_largest_size(journal: SqliteJournal, batches: list[str]) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(1200):
            tasks.start_soon(journal.add, PLANNED)
    assert 3 <= len(batches) <= 5


@REAL
async def test_reads_and_writes_do_not_share_a_transaction(
    journal: SqliteJournal, path: Path, batches: list[str]
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes: list[object] = []

    async def add(key: str) -> None:
        try:
            await journal.add(planned(key))
        except errors.JournalError as error:
            outcomes.append("locked" in str(error))

    async def get() -> None:
        outcomes.append(await journal.get("k"))

    async with anyio.create_task_group() as tasks:
        for key in ("a", "b"):
            tasks.start_soon(add, key)
            tasks.start_soon(get)
    other.execute("ROLLBACK")
    other.close()
    assert sorted(map(str, outcomes)) == ["None", "None", "True", "True"]
    assert {"read", "write"} == set(batches)
    assert await journal.add(PLANNED) == PLANNED


@REAL
async def test_failed_commit_reaches_every_caller(journal: SqliteJournal, batches: list[str]) -> None:
    connection_of(store_of(journal)).set_authorizer(deny)
    failures: list[errors.JournalError] = []

    async def add(number: int) -> None:
        try:
            await journal.add(planned(f"k{number}", amount=f"{number + 1}"))
        except errors.JournalError as failure:
            failures.append(failure)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(add, number)
    assert len(failures) == len(set(map(id, failures))) == 20
    assert len(batches) <= 3
    assert all("not authorized" in str(failure) for failure in failures)
    connection_of(store_of(journal)).set_authorizer(None)
    assert await journal.open_keys() == []
    assert await journal.add(PLANNED) == PLANNED


@REAL
async def test_failed_commit_lets_a_refused_call_fail_too(journal: SqliteJournal) -> None:
    await journal.add(PLANNED)
    connection_of(store_of(journal)).set_authorizer(deny)
    failures: list[type[Exception]] = []

    async def swap(revision: int) -> None:
        old = attrs.evolve(PLANNED, revision=revision)
        try:
            await journal.compare_and_swap(old, SENDING)
        except (errors.JournalError, StaleRevision) as failure:
            failures.append(type(failure))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(swap, 0)
        tasks.start_soon(swap, 1)
    assert failures == [errors.JournalError, errors.JournalError]
    connection_of(store_of(journal)).set_authorizer(None)
    assert await journal.get("k") == PLANNED


@REAL
async def test_rollback_of_the_whole_transaction_fails_all_of_its_calls(journal: SqliteJournal) -> None:
    """SQLite may roll back everything when the disk is full, not only the statement."""
    store = store_of(journal)
    outcomes: list[str] = []

    def roll_back(uuid: str, *_: object) -> None:
        with writing(store) as connection:
            connection.execute("ROLLBACK")
            raise sqlite3.OperationalError(f"database or disk is full: {uuid}")

    store.acknowledge = roll_back  # type: ignore[method-assign, assignment]  # pyright: ignore[reportAttributeAccessIssue]
    roll_back.__name__ = "acknowledge"

    async def call(work: Any, *arguments: object) -> None:
        try:
            await work(*arguments)
            outcomes.append("made")
        except errors.JournalError:
            outcomes.append("failed")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, journal.add, planned("a", amount="1"))
        tasks.start_soon(call, journal.acknowledge, "w-1", "USDT", None, None)
        tasks.start_soon(call, journal.add, planned("b", amount="2"))
    assert outcomes == ["failed"] * 3
    assert await journal.open_keys() == []
    assert await journal.add(PLANNED) == PLANNED


@REAL
async def test_damaged_row_fails_its_own_call_only(journal: SqliteJournal) -> None:
    for payout in payouts(3):
        await journal.add(payout)
    with writing(store_of(journal)) as connection:
        connection.execute("UPDATE payouts SET intent = '{}' WHERE key = 'k1'")
    outcomes: dict[str, str] = {}

    async def get(key: str) -> None:
        try:
            found = await journal.get(key)
            outcomes[key] = "missing" if found is None else "found"
        except errors.JournalError:
            outcomes[key] = "damaged"

    async with anyio.create_task_group() as tasks:
        for key in ("k0", "k1", "k2"):
            tasks.start_soon(get, key)
    assert outcomes == {"k0": "found", "k1": "damaged", "k2": "found"}


@REAL
async def test_call_that_is_cancelled_while_it_waits_is_not_made(journal: SqliteJournal, gate: Gate) -> None:
    """The file stays locked for the first call; the second is cancelled before its turn."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.add, planned("slow", amount="1"))
        await anyio.to_thread.run_sync(gate.entered.wait)
        with anyio.move_on_after(0.01) as scope:
            await journal.add(planned("cancelled", amount="2"))
        assert scope.cancelled_caught
        gate.leave.set()
    assert list(await journal.open_keys()) == ["slow"]


@REAL
async def test_cancelled_caller_waits_for_the_end_of_a_call_that_has_begun(
    journal: SqliteJournal, gate: Gate
) -> None:
    """Its own or another's task may be the one that runs the transaction."""
    ended: list[str] = []
    begun: set[str] = set()

    async def call(key: str, amount: str) -> None:
        try:
            await journal.add(planned(key, amount=amount))
        finally:
            ended.append(key)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(call, f"k{number}", f"{number + 1}")
        await anyio.to_thread.run_sync(gate.entered.wait)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.05)
            begun |= {"k0", "k1", "k2"} - set(ended)
            gate.leave.set()
    assert begun
    assert set(await journal.open_keys()) == begun


@REAL
@pytest.mark.parametrize("cancels", ["the one that runs the batch", "one that waits in it"])
async def test_call_that_waits_behind_a_cancelled_one_is_made(
    journal: SqliteJournal, gate: Gate, cancels: str
) -> None:
    async with anyio.create_task_group() as others, anyio.create_task_group() as tasks:
        tasks.start_soon(journal.add, planned("first"))
        if cancels == "one that waits in it":
            tasks.start_soon(journal.add, planned("second", amount="14"))
        await anyio.to_thread.run_sync(gate.entered.wait)
        others.start_soon(journal.add, planned("behind", amount="15"))
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.05)
            gate.leave.set()
        others.cancel_scope.deadline = anyio.current_time() + 5
    assert "behind" in await journal.open_keys()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_natively_cancelled_call_is_made_wholly_or_not_at_all(journal: SqliteJournal) -> None:
    """asyncio cancels a task as often as it is asked to, also while it waits under a shield."""
    for ticks in range(30):
        made = [planned(f"{ticks} {number}", amount=f"{ticks + 1}.{number + 1}") for number in range(5)]
        tasks = [asyncio.create_task(journal.add(payout)) for payout in made]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for _ in range(3):
            for task in tasks[::2]:
                task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait(tasks)
        first = [await journal.get(payout.key) for payout in made]
        await journal.aclose()
        assert [await journal.get(payout.key) for payout in made] == first
        for payout, found, task in zip(made, first, tasks, strict=True):
            assert found in [None, payout]
            if not task.cancelled():
                assert task.result() == found == payout


@REAL
async def test_thread_that_can_not_be_started_is_a_journal_error(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run_sync(*_: object, **__: object) -> None:
        await anyio.lowlevel.checkpoint()
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(anyio.to_thread, "run_sync", run_sync)
        with pytest.raises(
            errors.JournalError, match=r"can't start a thread .*: nothing was made; call again"
        ):
            await journal.add(PLANNED)
    assert await journal.get("k") is None


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_end_of_the_event_loop_leaves_no_caller_without_an_outcome(
    journal: SqliteJournal, gate: Gate
) -> None:
    """asyncio.run cancels every task at its end, also the one that waits for the thread."""
    here = asyncio.all_tasks()
    callers = [asyncio.create_task(journal.add(payout)) for payout in payouts(2)]
    await anyio.to_thread.run_sync(gate.entered.wait)
    (worker,) = asyncio.all_tasks() - here - set(callers)
    worker.cancel()
    await asyncio.wait(callers)
    gate.leave.set()
    assert callers[0].cancelled()
    with pytest.raises(errors.JournalError, match=r"the event loop ended .* the call may have been made"):
        callers[1].result()
    assert await journal.get("k0") == payouts(1)[0]


def test_journal_can_be_used_in_several_event_loops_at_once(path: Path) -> None:
    journal = SqliteJournal(path, busy_timeout=10)
    failures: list[BaseException] = []

    async def add(name: str) -> None:
        await journal.bind("h", "sg")
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(journal.add, planned(f"{name}{number}", amount=f"{number + 1}"))

    def work(name: str, backend: str) -> None:
        try:
            anyio.run(add, name, backend=backend)
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [
        threading.Thread(target=work, args=each)
        for each in (("a", "asyncio"), ("b", "trio"), ("c", "asyncio"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store_of(journal).open_keys()) == 60
    store_of(journal).close()
