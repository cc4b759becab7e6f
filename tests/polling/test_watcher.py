from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import random
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest

from upbit_async.events import LookFailed, StateSeen
from upbit_async.models import Withdrawal
from upbit_async.policy import PollSchedule
from upbit_async.polling import Watcher, WithdrawalPoller
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.polling.conftest import Desk


# --- many at once ---


@pytest.mark.parametrize("latency", [0.0, 0.03])
async def test_a_thousand_cost_ten_requests_a_sweep(desk_for: type[Desk], latency: float) -> None:
    desk = desk_for(PollSchedule())
    desk.latency = latency
    pollers = [
        desk.open(f"u{number}", (0, "WAITING"), (100 + number % 7, "PROCESSING"), (300, "DONE"))
        for number in range(1000)
    ]

    ended = await desk.outcomes(*pollers)

    assert set(ended) == {"DONE"}
    sweeps: list[int] = []
    last = -math.inf
    for at in desk.times():
        if at - last > latency + 0.05:
            sweeps.append(0)
        sweeps[-1] += 1
        last = at
    assert max(sweeps) <= 11
    assert len(desk.requests) <= 11 * 3 * 13  # looks after 1 s, 1.5 s, ... 30 s, and again after each change
    assert desk.watcher.watched == 0


@pytest.mark.parametrize("aligned", [True, False])
async def test_a_thousand_changes_are_seen_within_a_schedule_step(
    desk_for: type[Desk],
    aligned: bool,
) -> None:
    schedule = PollSchedule()
    desk = desk_for(schedule)
    chance = random.Random(7)
    late: list[float] = []

    async def follow(poller: WithdrawalPoller, change_at: float) -> None:
        await poller.wait()
        late.append(anyio.current_time() - change_at)

    async with anyio.create_task_group() as tasks:
        for number in range(1000):
            moment = chance.uniform(50, 600)
            poller = desk.open(f"u{number}", (0, "PROCESSING"), (moment, "DONE"))
            tasks.start_soon(follow, poller, anyio.current_time() + moment)
            if not aligned:
                await anyio.sleep(chance.uniform(0, 0.1))

    assert min(late) >= 0
    assert max(late) <= schedule.longest * (1 + schedule.jitter)
    assert sum(late) / len(late) < schedule.longest * 0.6
    settled = [at for at in desk.times() if at > anyio.current_time() - 300]
    assert len(settled) <= 11 * 300 / (schedule.longest * (1 - schedule.jitter))


async def test_a_sweep_takes_along_what_is_almost_due(desk_for: type[Desk]) -> None:
    desk = desk_for(PollSchedule(first=10, factor=1, longest=10, jitter=0.2))
    early = desk.open("early", (0, "PROCESSING"), (200, "DONE"))

    async def later() -> None:
        await anyio.sleep(1)
        await desk.open("later", (0, "PROCESSING"), (199, "DONE")).wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(early.wait)
        tasks.start_soon(later)

    assert Counter(len(uuids) for _, uuids in desk.requests)[2] >= 15


async def test_the_last_request_of_a_sweep_is_filled(desk: Desk) -> None:
    due = [desk.open(f"due{number}", (0, "PROCESSING"), (1000, "DONE")) for number in range(30)]
    idle = [desk.open(f"idle{number}", (0, "PROCESSING"), (1000, "DONE")) for number in range(150)]

    async with anyio.create_task_group() as tasks:
        for poller in idle:
            tasks.start_soon(poller.wait)
        await anyio.sleep(300)
        seen = len(desk.requests)
        for poller in due:
            tasks.start_soon(poller.wait)
        await anyio.sleep(0.5)
        assert [len(uuids) for _, uuids in desk.requests[seen:]] == [100]
        tasks.cancel_scope.cancel()

    assert desk.watcher.watched == 0


async def test_batches_are_published_as_they_come(desk: Desk) -> None:
    desk.latency = 5
    pollers = [desk.open(f"u{number}", (0, "DONE")) for number in range(250)]
    ends: Counter[float] = Counter()
    began = anyio.current_time()

    async def wait(poller: WithdrawalPoller) -> None:
        await poller.wait()
        ends[round(anyio.current_time() - began, 6)] += 1

    async with anyio.create_task_group() as tasks:
        for poller in pollers:
            tasks.start_soon(wait, poller)

    assert ends == {5: 100, 10: 100, 15: 50}


# --- comings and goings ---


async def test_with_comings_and_goings_nobody_is_late_and_nothing_leaks(desk_for: type[Desk]) -> None:
    schedule = PollSchedule()
    desk = desk_for(schedule)
    desk.latency = 0.05
    chance = random.Random(3)
    late: list[float] = []

    async def follow(number: int, start: float, moment: float, patience: float) -> None:
        await anyio.sleep(start)
        poller = desk.open(f"u{number}", (0, "WAITING"), (moment, "DONE"))
        opened = anyio.current_time()
        with anyio.move_on_after(patience):
            await poller.wait()
            late.append(anyio.current_time() - opened - moment)

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            patience = chance.uniform(0, 100) if number % 3 == 0 else math.inf
            tasks.start_soon(follow, number, chance.uniform(0, 200), chance.uniform(0, 400), patience)

    assert len(late) >= 66
    assert max(late) <= schedule.longest * (1 + schedule.jitter) + 2 * desk.latency
    assert desk.watcher.watched == 0


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 1.0, 1.3, 1.6])
async def test_whoever_is_cancelled_at_whatever_tick_the_others_go_on(
    desk_for: type[Desk], moment: float
) -> None:
    async def wait(poller: WithdrawalPoller, scope: anyio.CancelScope, ended: list[float]) -> None:
        with scope:
            await poller.wait()
            ended.append(anyio.current_time())

    for victims, ticks in itertools.product([(0,), (1,), (0, 1), (2, 0)], range(8)):
        desk = desk_for(PollSchedule(jitter=0))
        desk.latency = 0.3
        ended: list[float] = []
        scopes = [anyio.CancelScope() for _ in range(4)]
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for number, scope in enumerate(scopes):
                poller = desk.open(f"u{number}", (0, "WAITING"), (2, "DONE"))
                tasks.start_soon(wait, poller, scope, ended)
            await anyio.sleep(moment)
            for _ in range(ticks):
                await anyio.lowlevel.checkpoint()
            for victim in victims:
                scopes[victim].cancel()

        assert len(ended) == 4 - len(victims)
        assert max(ended) - began <= 4.5
        assert desk.watcher.watched == 0


async def test_a_newcomer_makes_the_leader_plan_anew(desk: Desk) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.open("slow", (0, "PROCESSING"), (900, "DONE")).wait)
        await anyio.sleep(301)
        began = anyio.current_time()

        await desk.open("quick", (0, "DONE")).wait()

        assert anyio.current_time() == began
        tasks.cancel_scope.cancel()


async def test_a_second_waiter_for_the_same_withdrawal_is_told_at_once_and_looks_soon(desk: Desk) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (305, "DONE"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poller.wait)
        await anyio.sleep(300)
        asked = len(desk.requests)

        changes = desk.poller("U").changes()
        assert (await anext(changes)).state == "PROCESSING"
        assert len(desk.requests) == asked
        await anyio.sleep(1.5)
        assert len(desk.requests) > asked
        await changes.aclose()
        assert desk.watcher.watched == 1


async def test_what_one_waiter_knows_counts_for_the_other(
    desk_for: type[Desk], make: Callable[..., Withdrawal]
) -> None:
    desk = desk_for(PollSchedule(grace=0, jitter=0))
    desk.latency = 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.poller("u").wait)
        await anyio.sleep(0.5)
        tasks.start_soon(desk.poller("u", make("u")).wait)
        await anyio.sleep(20)
        tasks.cancel_scope.cancel()

    assert any(isinstance(event, LookFailed) for event in desk.events)


# --- events ---


async def test_changes_are_events_and_oddities_are_logged_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (5, "WAITING"), (20, "MOONED"), (60, "DONE"))

    with caplog.at_level(logging.WARNING, logger="upbit_async.polling"):
        await desk.outcomes(poller, desk.poller("u"))

    seen = [(event.previous, event.state) for event in desk.events if isinstance(event, StateSeen)]
    assert seen == [
        (None, "PROCESSING"),
        ("PROCESSING", "WAITING"),
        ("WAITING", "MOONED"),
        ("MOONED", "DONE"),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "withdrawal u went back from PROCESSING to WAITING",
        "withdrawal u is in the unknown state MOONED; the wait goes on",
    ]


async def test_what_is_known_beforehand_is_no_event(desk: Desk, make: Callable[..., Withdrawal]) -> None:
    desk.open("u", (0, "WAITING"), (5, "DONE"))

    await desk.poller("u", make("u", "WAITING")).wait()

    assert [event.state for event in desk.events if isinstance(event, StateSeen)] == ["DONE"]


# --- event loops ---


def test_a_loop_that_was_torn_down_does_not_jam_the_next(desk: Desk) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)

    async def begin() -> tuple[asyncio.Task[Withdrawal], asyncio.Task[Withdrawal]]:
        leader = asyncio.ensure_future(desk.open("a", (0, "PROCESSING")).wait())
        sleeper = asyncio.ensure_future(desk.open("b", (0, "PROCESSING")).wait())
        for _ in range(10):
            await asyncio.sleep(0)
        return leader, sleeper

    abandoned = loop.run_until_complete(begin())
    loop.close()
    assert desk.watcher.watched == 2

    async def again() -> str:
        return (await desk.open("c", (0, "DONE")).wait()).state

    assert asyncio.run(again()) == "DONE"
    assert desk.watcher.watched == 0
    for task in abandoned:
        coroutine = task.get_coro()
        assert coroutine is not None
        with contextlib.suppress(RuntimeError):  # anyio's own scopes mind that their loop has gone
            coroutine.close()


def test_a_watcher_can_be_made_outside_a_loop(desk: Desk) -> None:
    watcher = Watcher[Withdrawal](desk.fetch, PollSchedule(), kind="withdrawal", host="sg-api.upbit.com")
    poller = WithdrawalPoller("u", watcher=watcher, region=Region.SG, host="sg-api.upbit.com")
    assert watcher.watched == 0

    async def wait() -> str:
        desk.open("u", (0, "DONE"))
        return (await poller.wait()).state

    assert asyncio.run(wait()) == "DONE"
