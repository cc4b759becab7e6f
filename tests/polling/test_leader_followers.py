"""The leader/followers scheduler: no wake-up is lost, even if tasks are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import math
import random

import anyio
import pytest

from upbit_async.polling.leader_followers import LeaderFollowers, Poll


class Waiter:
    def __init__(self) -> None:
        self.is_ready = False


async def ticks(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


class Workload:
    """Serves its waiters in the order of their coming, with as many cooks as there are max_polls."""

    def __init__(self, max_polls: int = 1) -> None:
        self.followers = LeaderFollowers(self.find, max_polls=max_polls)
        self.waiters: list[Waiter] = []
        self.in_progress: list[Waiter] = []
        self.max_polls = max_polls
        self.most = 0

    def find(self) -> Poll | float:
        for waiter in self.waiters:
            if not waiter.is_ready and waiter not in self.in_progress:
                return functools.partial(self.work_for, waiter)
        return math.inf

    async def work_for(self, waiter: Waiter) -> None:
        self.in_progress.append(waiter)
        self.most = max(self.most, len(self.in_progress))
        try:
            await anyio.sleep(1)
        finally:
            self.in_progress.remove(waiter)
            self.followers.notify_due(-math.inf)
        waiter.is_ready = True
        self.followers.wake(waiter)

    async def run(self, waiter: Waiter) -> None:
        self.waiters.append(waiter)
        self.followers.notify_due(-math.inf)
        try:
            await self.followers.wait(waiter)
        finally:
            self.waiters.remove(waiter)


async def run_in(scope: anyio.CancelScope, workload: Workload, waiter: Waiter) -> None:
    with scope:
        await workload.run(waiter)


@pytest.mark.parametrize("max_polls", [1, 2, 3])
@pytest.mark.parametrize("victims", [{0}, {1}, {2}, {0, 1}, {1, 3}, {0, 1, 2}, {0, 3}])
@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 2.0])
async def test_waiter_cancelled_at_any_tick_does_not_delay_the_others(
    moment: float, victims: set[int], max_polls: int
) -> None:
    for late in range(9):
        workload = Workload(max_polls)
        waiters = [Waiter() for _ in range(4)]
        scopes = [anyio.CancelScope() for _ in waiters]

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for scope, waiter in zip(scopes, waiters, strict=True):
                    tasks.start_soon(run_in, scope, workload, waiter)
                await anyio.sleep(moment)
                await ticks(late)
                for index in victims:
                    scopes[index].cancel()

        assert all(waiter.is_ready for index, waiter in enumerate(waiters) if index not in victims)
        assert not workload.waiters
        assert workload.most <= max_polls


@pytest.mark.parametrize("max_polls", [1, 3])
@pytest.mark.parametrize("seed", range(4))
async def test_hundreds_of_random_waiters_are_all_served(max_polls: int, seed: int) -> None:
    dice = random.Random(seed)
    workload = Workload(max_polls)
    served_at: list[float] = []

    async def visit(limit: float) -> None:
        waiter = Waiter()
        with anyio.move_on_after(limit):
            await workload.run(waiter)
        if limit == math.inf:
            assert waiter.is_ready
            served_at.append(anyio.current_time())

    with anyio.fail_after(1000):
        async with anyio.create_task_group() as tasks:
            for _ in range(300):
                tasks.start_soon(visit, dice.choice([math.inf, 0, dice.uniform(0, 3), dice.uniform(0, 200)]))
                await anyio.sleep(dice.choice([0, 0, 0.1, 1.5]))

    assert served_at
    assert not workload.waiters
    assert workload.most == max_polls


async def test_slow_work_runs_beside_other_work_up_to_max_polls() -> None:
    workload = Workload(3)
    began = anyio.current_time()
    ends: list[float] = []

    async def run() -> None:
        await workload.run(Waiter())
        ends.append(anyio.current_time() - began)

    async with anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(run)

    assert ends == [1, 1, 1, 2, 2, 2, 3]


async def test_leader_that_is_served_returns_at_once() -> None:
    followers = LeaderFollowers(lambda: math.inf, max_polls=1)
    waiter = Waiter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(followers.wait, waiter)
        await anyio.sleep(1)
        waiter.is_ready = True
        followers.wake(waiter)
        with anyio.fail_after(1):
            await ticks(5)
            await followers.wait(waiter)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("max_polls", [1, 2])
@pytest.mark.parametrize("victims", [[0], [1], [0, 1], [1, 0], [0, 1, 2]])
async def test_native_cancellation_loses_no_wake_up(victims: list[int], max_polls: int) -> None:
    for late in range(14):
        waiters = [Waiter() for _ in range(4)]
        done = [False] * 4
        busy: list[Waiter] = []

        async def work(followers: LeaderFollowers, waiter: Waiter, busy: list[Waiter]) -> None:
            busy.append(waiter)
            try:
                for _ in range(3):
                    await asyncio.sleep(0)
            finally:
                busy.remove(waiter)
                followers.notify_due(-math.inf)
            waiter.is_ready = True
            followers.wake(waiter)

        def find(waiters: list[Waiter], busy: list[Waiter], made: list[LeaderFollowers]) -> Poll | float:
            idle = [waiter for waiter in waiters if not waiter.is_ready and waiter not in busy]
            return functools.partial(work, made[0], idle[0], busy) if idle else math.inf

        async def wait(
            index: int, followers: LeaderFollowers, waiters: list[Waiter], done: list[bool]
        ) -> None:
            await followers.wait(waiters[index])
            done[index] = True

        made: list[LeaderFollowers] = []
        made.append(LeaderFollowers(functools.partial(find, waiters, busy, made), max_polls=max_polls))
        tasks = [asyncio.create_task(wait(index, made[0], waiters, done)) for index in range(4)]
        for _ in range(late):
            await asyncio.sleep(0)
        for index in victims:
            tasks[index].cancel()
        await asyncio.wait(tasks, timeout=30)

        assert all(task.done() for task in tasks)
        assert all(done[index] for index in range(4) if index not in victims)


async def test_error_in_the_work_ends_its_worker_only() -> None:
    outcomes: list[str] = []
    broken = [True]
    workload = Workload()
    work_for = workload.work_for

    async def spoil(waiter: Waiter) -> None:
        if broken:
            broken.pop()
            raise LookupError("a slip")
        await work_for(waiter)

    workload.work_for = spoil  # type: ignore[method-assign]

    async def run() -> None:
        try:
            await workload.run(Waiter())
        except LookupError:
            outcomes.append("slipped")
        else:
            outcomes.append("served")

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(run)

    assert sorted(outcomes) == ["served", "served", "slipped"]


async def test_leader_sleeps_until_due_or_roused_for_earlier_work() -> None:
    began = anyio.current_time()
    asked: list[float] = []
    waiter = Waiter()

    def find() -> float:
        asked.append(anyio.current_time() - began)
        waiter.is_ready = len(asked) == 3
        return anyio.current_time() + 10

    followers = LeaderFollowers(find, max_polls=1)

    async def rouse_at(moment: float, when: float) -> None:
        await anyio.sleep(moment)
        followers.notify_due(began + when)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rouse_at, 1, 20)
        tasks.start_soon(rouse_at, 2, 5)
        await followers.wait(waiter)

    assert asked == pytest.approx([0, 2, 12])
    followers.notify_due(-math.inf)


async def test_leader_that_starts_work_hands_over_the_lead() -> None:
    began = anyio.current_time()
    asked: list[float] = []
    waiters = [Waiter(), Waiter()]

    async def work() -> None:
        await anyio.sleep(10)
        for waiter in waiters:
            waiter.is_ready = True
            followers.wake(waiter)

    found: list[Poll | float] = [began + 5, work, math.inf]

    def find() -> Poll | float:
        asked.append(anyio.current_time() - began)
        return found.pop(0)

    followers = LeaderFollowers(find, max_polls=2)
    async with anyio.create_task_group() as tasks:
        for waiter in waiters:
            tasks.start_soon(followers.wait, waiter)
            await anyio.sleep(1)

    assert asked == [0, 5, 5]


@pytest.mark.parametrize("max_polls", [1, 2])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_waiter_that_outlives_its_loop_wakes_nobody(order: tuple[int, ...], max_polls: int) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    works = [True]

    async def work(followers: LeaderFollowers) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            followers.notify_due(-math.inf)

    async def begin() -> list[asyncio.Task[None]]:
        followers = LeaderFollowers(
            lambda: functools.partial(work, followers) if works and works.pop() else 1e9, max_polls=max_polls
        )
        tasks = [asyncio.ensure_future(followers.wait(Waiter())) for _ in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        return tasks  # one works, one sleeps, or rests if there is a place, and one sleeps

    tasks = loop.run_until_complete(begin())
    loop.close()

    for index in order:
        coroutine = tasks[index].get_coro()
        assert coroutine is not None
        with contextlib.suppress(RuntimeError) if (index, max_polls) == (1, 2) else contextlib.nullcontext():
            coroutine.close()  # its cancel scope raises: the event loop has ended
