"""Concurrency primitives that anyio does not have.

Lock per key, lightweight one-shot event, back-off, work that runs to completion, and a task group that raises a single
error as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Hashable, Iterator

    from anyio.abc import TaskGroup

__all__ = [
    "Hold",
    "KeyedLock",
    "OnCancel",
    "OwnedTasks",
    "Waker",
    "backoff",
    "is_asyncio",
    "new_waker",
    "open_task_group",
    "run_to_completion",
]

T = TypeVar("T")


# -- a lock per key --------------------------------------------------------------------------------


@attrs.define(eq=False)
class Hold:
    """One task's use of a lock, while it waits and while it holds it.

    Attributes:
        failure: Failure of an earlier holder that applies to this task too; None if there was none.
    """

    failure: Exception | None = None


@attrs.define(eq=False)
class _Queue:
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    holds: list[Hold] = attrs.field(factory=list[Hold])


class KeyedLock:
    """Lock per key for the tasks of one event loop. A lock exists only while a task uses it."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}

    @contextlib.asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncGenerator[Hold, None]:
        """Hold the lock of a key while the block runs; tasks get it in the order in which they asked."""
        queue = self._queues.setdefault(key, _Queue())
        hold = Hold()
        queue.holds.append(hold)
        try:
            async with queue.lock:
                yield hold
        finally:
            queue.holds.remove(hold)
            if not queue.holds:
                del self._queues[key]

    def is_held(self, key: Hashable) -> bool:
        """Return whether a task holds the lock of a key, or waits for it."""
        return key in self._queues

    def share_failure(self, key: Hashable, failure: Exception) -> None:
        """Set the failure of every task that uses the lock of a key now: the holder and those that wait."""
        for hold in self._queues[key].holds:
            hold.failure = failure


# -- a one-shot event ------------------------------------------------------------------------------


class Waker(Protocol):
    """Event that wakes one sleeping task, once."""

    def set(self) -> None:
        """Wake the task."""
        ...

    def wait(self) -> Awaitable[None]:
        """Sleep until `set` is called."""
        ...


class _FutureWaker:
    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._future = future

    def set(self) -> None:
        if not self._future.done():  # the sleeper may have been cancelled
            self._future.set_result(None)

    def wait(self) -> Awaitable[None]:
        return self._future


def new_waker() -> Waker:
    """Return a waker for the running event loop.

    On asyncio it is a bare future: anyio's event costs a kilobyte more for each sleeper, and there may be 10,000.
    """
    if is_asyncio():
        return _FutureWaker(asyncio.get_running_loop().create_future())
    return anyio.Event()


# -- back-off --------------------------------------------------------------------------------------


def backoff(first: float, longest: float, factor: float = 1.5) -> Iterator[float]:
    """Yield waits that grow by a factor up to a maximum, in seconds, without end."""
    seconds = first
    while True:
        yield seconds
        seconds = min(longest, seconds * factor)


# -- a task group ----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def open_task_group() -> AsyncGenerator[TaskGroup]:
    """Open a task group that raises a single exception as it is, and several as a group."""
    single: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as failed:
        if len(failed.exceptions) != 1:
            raise
        single = failed.exceptions[0]
    if single is not None:
        raise single


# -- work that outlives its caller -----------------------------------------------------------------


class OnCancel(enum.Enum):
    """What to do with work whose caller is cancelled."""

    WAIT = enum.auto()
    """Wait until the work has ended, then raise the cancellation."""
    STOP = enum.auto()
    """Cancel the work, wait until it has ended, then raise the cancellation."""
    LEAVE = enum.auto()
    """Raise the cancellation at once; the work ends by itself. On trio, where no task outlives its caller, as STOP."""


class OwnedTasks:
    """Tasks that one object owns, because an asyncio loop keeps only weak references to its tasks."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._left_behind: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task, and keep it until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def leave_behind(self, task: asyncio.Task[None]) -> None:
        """Let a task end by itself; no other task waits for it any more."""
        self._left_behind.add(task)

    async def aclose(self) -> None:
        """Cancel the tasks that were left behind in this event loop, and wait for their end."""
        left_behind = list(self._left_behind)  # other threads change the set
        here = [task for task in left_behind if task.get_loop() is asyncio.get_running_loop()]
        for task in here:
            task.cancel()
        if here:
            await asyncio.wait(here)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._left_behind.discard(task)
        if not task.cancelled():
            task.exception()  # KeyboardInterrupt or SystemExit, which has ended the loop already


async def run_to_completion(
    work: Callable[[], Awaitable[T]], *, on_cancel: Callable[[], OnCancel], tasks: OwnedTasks | None = None
) -> T:
    """Run work in a separate task, which a cancellation of the caller does not reach by itself.

    anyio's shields hold off anyio's cancellation, but not asyncio's own (``task.cancel()``, ``asyncio.timeout``);
    this holds off both.

    Args:
        work: The work.
        on_cancel: Called each time the caller is cancelled, and on trio if Ctrl-C ends it. It decides what happens to
            the work. asyncio can cancel a task many times.
        tasks: Owner of the task on asyncio.

    Returns:
        What the work returns.

    Raises:
        BaseException: What the work raises. If the caller was cancelled meanwhile, only ``KeyboardInterrupt`` and
            ``SystemExit`` are. A cancellation without a call of `on_cancel` came from inside the work: it awaited a
            future that something else had cancelled, for example.
    """
    end = _End(work)
    try:
        try:
            if is_asyncio():
                await _run_on_asyncio(end.run, on_cancel, tasks or OwnedTasks())
            else:
                await _run_on_trio(end.run, on_cancel)
        except BaseException:
            if not isinstance(end.failure, _PROGRAM_ENDS):
                raise
        if end.failure is not None:
            raise end.failure
    finally:
        end.is_over, end.failure = True, None  # the traceback refers to this frame
    if not end.results:  # cancelled before its first step
        raise anyio.get_cancelled_exc_class()
    return end.results[0]


_PROGRAM_ENDS = (KeyboardInterrupt, SystemExit)


@attrs.define(eq=False)
class _End(Generic[T]):
    """Work, and how it has ended.

    Attributes:
        work: The work.
        results: What it has returned, if anything.
        failure: What it has raised.
        is_over: Whether its caller has left.
    """

    work: Callable[[], Awaitable[T]]
    results: list[T] = attrs.field(factory=list[T])
    failure: BaseException | None = None
    is_over: bool = False

    async def run(self) -> None:
        try:
            self.results.append(await self.work())
        except GeneratorExit:  # the event loop was closed
            raise
        except BaseException as failure:
            if not self.is_over:
                self.failure = failure
            elif isinstance(failure, _PROGRAM_ENDS):
                raise  # no caller is left: it ends the loop, as in any task


async def _run_on_asyncio(
    run: Callable[[], Coroutine[Any, Any, None]], on_cancel: Callable[[], OnCancel], tasks: OwnedTasks
) -> None:
    task = tasks.start(run())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # asyncio.wait leaves the task alone when it is cancelled itself.
            with anyio.CancelScope(shield=cancelled is not None):
                await asyncio.wait([task])
        except asyncio.CancelledError as cancellation:
            cancelled = cancellation
            decision = on_cancel()
            if decision is OnCancel.STOP:
                task.cancel()
            elif decision is OnCancel.LEAVE and not task.done():
                tasks.leave_behind(task)
                cancelled = None
                raise
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            cancelled = None  # the traceback refers to this frame


async def _run_on_trio(
    run: Callable[[], Coroutine[Any, Any, None]], on_cancel: Callable[[], OnCancel]
) -> None:
    scope, ended = anyio.CancelScope(shield=True), anyio.Event()

    async def run_shielded() -> None:
        try:
            with scope:
                await run()
        finally:
            ended.set()

    async with open_task_group() as tasks:
        tasks.start_soon(run_shielded)
        try:
            await ended.wait()
        except BaseException:  # cancelled, or Ctrl-C, which trio raises in its main task
            if on_cancel() is not OnCancel.WAIT:
                scope.cancel()
            raise


def is_asyncio() -> bool:
    """Return whether the running event loop is asyncio's."""
    return anyio.get_cancelled_exc_class() is asyncio.CancelledError
