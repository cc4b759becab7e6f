"""Group commit: calls that wait at the same time share one transaction, and with it one flush of the disk.

A call joins a queue. One of the tasks that wait runs what is queued in one call of a worker thread, and then wakes the
tasks whose calls have ended. So a disk that flushes 100 times a second commits many hundred changes in that second.

Each call can fail alone: its own changes are undone, and the others are committed. If the commit fails, all of them
fail. Reads do not share a transaction with writes, so they do not fail if another process keeps the file locked.

A call is made wholly or not at all. If its caller is cancelled before it has begun, it is not made. If it has begun,
the caller waits for its end.
"""

from __future__ import annotations

import copy
import enum
import functools
from collections.abc import Callable
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio
import anyio.to_thread
import attrs

from upbit_async.concurrency import OnCancel, OwnedTasks, Waker, new_waker, run_to_completion
from upbit_async.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from sqlite3 import Connection

    from upbit_async.payouts.sqlite.store import Store

__all__ = ["GroupCommit", "Kind"]

T = TypeVar("T")

_MOST_CALLS: Final = 500
"""Largest number of calls that share a transaction: other processes wait for its end."""


class Kind(enum.Enum):
    """What a call does with the file."""

    READ = enum.auto()
    WRITE = enum.auto()
    ALONE = enum.auto()
    """It can't be part of a transaction."""


@attrs.define(eq=False)
class JournalCall(Generic[T]):
    """One call of a journal's method.

    Attributes:
        work: The method with its arguments.
        kind: What it does with the file.
        results: What it has returned, if anything.
        failure: What it has raised.
        ended: Event that is set when it has ended; None until it begins.
        waker: What wakes its task; None while the task does not sleep.
    """

    work: Callable[[], T]
    kind: Kind
    results: list[T] = attrs.field(factory=list[T])
    failure: Exception | None = None
    ended: anyio.Event | None = None
    waker: Waker | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.ended is not None and self.ended.is_set()

    async def sleep(self) -> None:
        """Sleep until `wake` is called."""
        self.waker = new_waker()
        await self.waker.wait()

    def wake(self) -> None:
        """Wake the task if it sleeps."""
        if self.waker is not None:
            self.waker.set()
            self.waker = None

    def make(self) -> None:
        """Make the call, and keep what it returns or raises."""
        try:
            self.results.append(self.work())
        except Exception as failure:  # noqa: BLE001 - it is raised to the caller
            self.failure = failure

    def fail(self, failure: Exception) -> None:
        """Let the call fail, although it may have returned."""
        self.results.clear()
        self.failure = failure

    def outcome(self) -> T:
        """Return what the call has returned, or raise what it has raised."""
        failure, self.failure = self.failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback refers to this frame
        return self.results[0]


class GroupCommit:
    """Queue of the calls of one journal in one event loop.

    Invariant: if calls are queued and no batch runs, the task of the oldest one has been woken, or has not slept yet.

    Args:
        store: The journal's store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: dict[JournalCall[Any], None] = {}  # in the order of the calls
        self._batch_runs = False
        self._tasks = OwnedTasks()
        self.limiter = anyio.CapacityLimiter(1)

    async def run(self, work: Callable[[], T], kind: Kind) -> T:
        """Make a call in a worker thread, together with others, and return what it returns."""
        call = JournalCall(work, kind)
        self._queue[call] = None
        try:
            while not call.is_over:
                # No await from this check to the sleep, or to `_batch_runs = True`.
                if self._batch_runs:
                    await call.sleep()
                else:
                    await self._lead()
        except GeneratorExit:  # the event loop was closed: no task is left to wake
            raise
        except BaseException:
            try:
                await self._withdraw(call)
            finally:  # in a cancelled scope, each await raises again
                self._wake_oldest()
            raise
        self._wake_oldest()
        return call.outcome()

    async def _withdraw(self, call: JournalCall[Any]) -> None:
        """Remove a call that has not begun from the queue; wait for the end of one that has."""
        if call.ended is None:
            self._queue.pop(call, None)
        else:
            await run_to_completion(call.ended.wait, on_cancel=_wait, tasks=self._tasks)

    def _wake_oldest(self) -> None:
        """Wake the task of the oldest call to run the next batch, unless a batch runs."""
        if self._queue and not self._batch_runs:
            next(iter(self._queue)).wake()

    async def _lead(self) -> None:
        """Run a batch, also if the task is cancelled meanwhile."""
        self._batch_runs = True
        try:
            await run_to_completion(self._run_batch, on_cancel=_wait, tasks=self._tasks)
        finally:
            self._batch_runs = False

    async def _run_batch(self) -> None:
        """Make the oldest call, and those after it of the same kind."""
        kind = next(iter(self._queue)).kind
        most = 1 if kind is Kind.ALONE else _MOST_CALLS
        batch = list(islice(takewhile(lambda call: call.kind is kind, self._queue), most))
        ended = anyio.Event()
        for call in batch:
            del self._queue[call]
            call.ended = ended
        problem = "the event loop ended while the journal was used; the call may have been made"
        try:
            await anyio.to_thread.run_sync(_make, batch, self._transaction(kind), limiter=self.limiter)
        except Exception as failure:  # noqa: BLE001 - the thread itself raises none
            problem = f"the journal can't start a thread ({failure}): nothing was made; call again"
        finally:
            for call in batch:
                if not call.results and call.failure is None:
                    call.fail(JournalError(problem))
            ended.set()
            for call in batch:
                call.wake()

    def _transaction(self, kind: Kind) -> Callable[[], AbstractContextManager[Connection]] | None:
        """Return what begins the transaction of a batch; None if there is none."""
        if kind is Kind.ALONE:
            return None
        return functools.partial(self._store.batch, writes=kind is Kind.WRITE)


def _make(
    batch: Sequence[JournalCall[Any]], transaction: Callable[[], AbstractContextManager[Connection]] | None
) -> None:
    """Make calls in one transaction; if it fails, all of them have failed."""
    if transaction is None:
        for call in batch:
            call.make()
        return
    try:
        with transaction() as connection:
            for call in batch:
                call.make()
                _check_transaction(connection, call)
    except Exception as failure:  # noqa: BLE001 - it is raised to the callers
        for call in batch:
            call.fail(copy.copy(failure))


def _check_transaction(connection: Connection, call: JournalCall[Any]) -> None:
    """Raise the failure of a call with which SQLite has undone the whole transaction."""
    if call.failure is not None and not connection.in_transaction:
        raise call.failure


def _wait() -> OnCancel:
    return OnCancel.WAIT
