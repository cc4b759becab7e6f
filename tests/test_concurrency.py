"""Lock per key, waker, back-off, and work that outlives its caller."""

from __future__ import annotations

import asyncio
import gc
import itertools
import signal
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
import trio
from trio.testing import MockClock

from upbit_async.concurrency import KeyedLock, OnCancel, OwnedTasks, backoff, new_waker, run_to_completion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

EACH_DECISION = pytest.mark.parametrize("decision", list(OnCancel), ids=lambda each: each.name)


class Stop(BaseException):
    """Something that is no `Exception`."""


def _raising(error: BaseException) -> Callable[[], Awaitable[int]]:
    async def work() -> int:
        await anyio.lowlevel.checkpoint()
        raise error

    return work


def _is_never_called() -> OnCancel:
    raise AssertionError


# -- run to completion -----------------------------------------------------------------------------


async def test_work_returns_its_value_and_ends_before_its_caller() -> None:
    async def work() -> int:
        await anyio.sleep(1)
        return 42

    assert await run_to_completion(work, on_cancel=_is_never_called) == 42


@pytest.mark.parametrize("error", [Stop(), SystemExit(3), KeyboardInterrupt(), LookupError()], ids=repr)
async def test_error_of_the_work_is_raised_in_the_callers_task(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        await run_to_completion(_raising(error), on_cancel=_is_never_called)
    assert caught.value is error


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancellation_from_inside_the_work_calls_no_on_cancel() -> None:
    async def work() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(asyncio.CancelledError):
        await run_to_completion(work, on_cancel=_is_never_called)
    await anyio.lowlevel.checkpoint()  # the caller itself is not cancelled


@EACH_DECISION
async def test_a_cancelled_caller_treats_the_work_as_on_cancel_decides(decision: OnCancel) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep(5)
            ended.append("completed")
        except anyio.get_cancelled_exc_class():
            ended.append("stopped")
            raise

    tasks = OwnedTasks()
    began = anyio.current_time()
    with anyio.move_on_after(1) as scope:
        await run_to_completion(work, on_cancel=lambda: decision, tasks=tasks)
    assert scope.cancelled_caught
    waited = anyio.current_time() - began
    if decision is OnCancel.WAIT:
        assert (ended, waited) == (["completed"], 5)
        return
    on_asyncio = anyio.get_cancelled_exc_class() is asyncio.CancelledError
    assert waited == 1
    if decision is OnCancel.LEAVE and on_asyncio:
        assert ended == []
        await anyio.sleep(5)
        assert ended == ["completed"]
    else:
        assert ended == ["stopped"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_native_cancellations_reach_the_work_only_by_on_cancel() -> None:
    decisions = iter([OnCancel.WAIT, OnCancel.WAIT, OnCancel.STOP])
    ended: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep(60)
        finally:
            ended.append("stopped")

    caller = asyncio.ensure_future(run_to_completion(work, on_cancel=lambda: next(decisions)))
    for stopped in ([], [], ["stopped"]):
        await anyio.sleep(1)
        caller.cancel()
        await anyio.sleep(1)
        assert ended == stopped
    with pytest.raises(asyncio.CancelledError):
        await caller


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_closing_the_owner_cancels_only_what_was_left_behind() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await anyio.sleep(60)
        except asyncio.CancelledError:
            ended.append(name)
            raise

    tasks = OwnedTasks()
    with anyio.move_on_after(1):
        await run_to_completion(lambda: work("left"), on_cancel=lambda: OnCancel.LEAVE, tasks=tasks)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run_to_completion(lambda: work("awaited"), on_cancel=_stop, tasks=tasks))
        await anyio.sleep(1)
        await tasks.aclose()
        assert ended == ["left"]
        group.cancel_scope.cancel()
    assert ended == ["left", "awaited"]


def _stop() -> OnCancel:
    return OnCancel.STOP


# -- the others ------------------------------------------------------------------------------------


async def test_a_keyed_lock_serves_the_tasks_of_one_key_in_order() -> None:
    locks, order = KeyedLock(), list[str]()

    async def use(key: str, name: str) -> None:
        async with locks.hold(key):
            order.append(f"{name} in")
            await anyio.sleep(1)
            order.append(f"{name} out")

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for name in ("first", "second"):
            tasks.start_soon(use, "one key", name)
            await anyio.lowlevel.checkpoint()
        tasks.start_soon(use, "another", "other")
    assert [each for each in order if not each.startswith("other")] == [
        "first in",
        "first out",
        "second in",
        "second out",
    ]
    assert anyio.current_time() - began == 2
    assert not vars(locks)["_queues"]


async def test_a_shared_failure_reaches_those_who_wait_and_no_later_ones() -> None:
    locks, failure, seen = KeyedLock(), ValueError(), list[Exception | None]()

    async def use() -> None:
        async with locks.hold("key") as hold:
            seen.append(hold.failure)
            await anyio.sleep(1)
            if hold.failure is None:
                locks.share_failure("key", failure)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use)
        tasks.start_soon(use)
    await use()
    assert seen == [None, failure, None]


async def test_a_waker_wakes_its_sleeper_and_may_be_set_twice() -> None:
    waker, woken_at, began = new_waker(), list[float](), anyio.current_time()

    async def sleep() -> None:
        await waker.wait()
        woken_at.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleep)
        await anyio.sleep(1)
        waker.set()
        waker.set()
    assert woken_at == [began + 1]


def test_back_off_grows_to_its_maximum() -> None:
    assert list(itertools.islice(backoff(1, 5, 2), 5)) == [1, 2, 4, 5, 5]


# -- the end of the program ------------------------------------------------------------------------


@trio.lowlevel.enable_ki_protection
def _press_ctrl_c() -> None:
    """Raise SIGINT in protected code, so that trio raises KeyboardInterrupt in its main task."""
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_in_the_callers_task_on_trio_is_a_cancellation_of_the_work() -> None:
    stopped: list[str] = []

    async def work() -> None:
        _press_ctrl_c()
        try:
            await anyio.sleep(60)
        finally:
            stopped.append("stopped")

    with pytest.raises(KeyboardInterrupt):
        trio.run(lambda: run_to_completion(work, on_cancel=_stop), clock=MockClock(autojump_threshold=0))
    assert stopped == ["stopped"]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_end_of_the_program_in_the_work_wins_over_a_cancellation(
    backend: str, kind: type[BaseException]
) -> None:
    async def work() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.05)
        raise kind

    async def main() -> None:
        with anyio.move_on_after(0.01):
            await run_to_completion(work, on_cancel=lambda: OnCancel.WAIT)

    with pytest.raises(kind):
        anyio.run(main, backend=backend)


def test_end_of_the_program_in_work_that_was_left_behind_ends_the_loop() -> None:
    async def work() -> None:
        await anyio.sleep(0.05)
        raise SystemExit(7)

    async def main() -> None:
        with anyio.move_on_after(0.01):
            await run_to_completion(work, on_cancel=lambda: OnCancel.LEAVE, tasks=tasks)
        await anyio.sleep(5)

    tasks = OwnedTasks()
    with pytest.raises(SystemExit):
        asyncio.run(main())


async def test_cancelled_caller_leaves_no_reference_cycle() -> None:
    class Mark:
        """Object that a frame of the work refers to."""

    async def work() -> None:
        mark = Mark()
        await anyio.sleep(60)
        del mark

    gc.collect()
    gc.disable()
    try:
        with anyio.move_on_after(1):
            await run_to_completion(work, on_cancel=_stop)
        await anyio.lowlevel.checkpoint()
        assert not [each for each in gc.get_objects() if isinstance(each, Mark)]
    finally:
        gc.enable()
