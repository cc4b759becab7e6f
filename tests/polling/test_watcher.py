"""The watcher: batches, their schedule, cancelled waits, events and event loops."""

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
from transfer_list import FakeTransferList, withdrawal

from upbit_async.errors import PollTimeout
from upbit_async.events import PollFailed, StateChanged
from upbit_async.models import Withdrawal
from upbit_async.policy import PollSchedule
from upbit_async.polling import Watcher, WithdrawalPoller
from upbit_async.polling.schedule import wait_after
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

# --- many at once ---


async def test_sweep_includes_what_is_almost_due() -> None:
    transfers = FakeTransferList(PollSchedule(first=10, factor=1, longest=10, jitter=0.2))
    early = transfers.open("early", (0, "PROCESSING"), (200, "DONE"))

    async def later() -> None:
        await anyio.sleep(1)
        await transfers.open("later", (0, "PROCESSING"), (199, "DONE")).wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(early.wait)
        tasks.start_soon(later)

    assert Counter(len(uuids) for _, uuids in transfers.requests)[2] >= 15


async def test_last_request_of_a_sweep_is_filled_up(transfers: FakeTransferList) -> None:
    due = [transfers.open(f"due{number}", (0, "PROCESSING"), (1000, "DONE")) for number in range(30)]
    idle = [transfers.open(f"idle{number}", (0, "PROCESSING"), (1000, "DONE")) for number in range(150)]

    async with anyio.create_task_group() as tasks:
        for poller in idle:
            tasks.start_soon(poller.wait)
        await anyio.sleep(300)
        seen = len(transfers.requests)
        for poller in due:
            tasks.start_soon(poller.wait)
        await anyio.sleep(0.5)
        assert [len(uuids) for _, uuids in transfers.requests[seen:]] == [100]
        tasks.cancel_scope.cancel()

    assert transfers.watcher.watched == 0


async def test_sweep_polls_each_transfer_once_and_skips_those_that_left(transfers: FakeTransferList) -> None:
    transfers.latency = 0.1
    began = anyio.current_time()

    async def leave() -> None:
        with contextlib.ExitStack() as stack:
            for number in range(300):
                stack.enter_context(transfers.watcher.subscribe(f"leaves{number}", resume_token=""))
            await anyio.sleep(0.15)

    async with anyio.create_task_group() as tasks:
        for number in range(350):
            tasks.start_soon(transfers.open(f"stays{number}", (0, "PROCESSING")).wait)
        tasks.start_soon(leave)
        await anyio.sleep(0.9)
        tasks.cancel_scope.cancel()

    asked = [(at - began, uuid) for at, uuids in transfers.requests for uuid in uuids]
    assert Counter(Counter(uuid for _, uuid in asked if "stays" in uuid).values()) == {1: 350}
    assert all("stays" in uuid for at, uuid in asked if at > 0.15)


async def test_three_batches_run_at_once_and_are_published_on_arrival(
    transfers: FakeTransferList,
) -> None:
    transfers.latency = 5
    pollers = [transfers.open(f"u{number}", (0, "DONE")) for number in range(750)]
    ends: Counter[float] = Counter()
    began = anyio.current_time()

    async def wait(poller: WithdrawalPoller) -> None:
        await poller.wait()
        ends[round(anyio.current_time() - began, 6)] += 1

    async with anyio.create_task_group() as tasks:
        for poller in pollers:
            tasks.start_soon(wait, poller)

    assert ends == {5: 300, 10: 300, 15: 150}


# --- the schedule ---


async def test_polls_keep_to_the_schedule_within_the_jitter() -> None:
    schedule = PollSchedule()
    transfers = FakeTransferList(schedule)
    began = anyio.current_time()
    transfers.open("u", (0, "WAITING"), (150, "PROCESSING"), (400, "DONE"))

    changes = [change async for change in transfers.poller("u", withdrawal("u")).changes()]

    assert [change.state.value for change in changes] == ["WAITING", "PROCESSING", "DONE"]
    seen = next(at for at in transfers.times() if at >= began + 150)
    quiet_since, last, varied = began, began, set[float]()
    for at in transfers.times():
        ratio = (at - last) / wait_after(schedule, last - quiet_since)
        assert 0.8 <= round(ratio, 9) <= 1.2
        varied.add(round(ratio, 3))
        last, quiet_since = at, seen if at >= seen else began
    assert len(varied) >= 5
    assert max(later - at for at, later in itertools.pairwise(transfers.times())) > 28


async def test_slow_poll_delays_nobody_else(transfers: FakeTransferList) -> None:
    transfers.lag = lambda: 10 if "slow" in transfers.requests[-1][1] else 0
    slow = transfers.open("slow", (0, "DONE"))
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow.wait)
        tasks.start_soon(transfers.open("patient", (1, "PROCESSING"), (100, "DONE")).wait)
        await anyio.sleep(1)
        for number in range(5):
            await transfers.open(f"u{number}", (0, "DONE")).wait()
        assert anyio.current_time() == began + 1
        with pytest.raises(PollTimeout):
            await transfers.open("limited", (0, "PROCESSING")).wait(timeout=4)
        assert anyio.current_time() == transfers.times()[-1] == began + 5
        assert slow.last is None


async def test_at_most_three_polls_run_at_once(transfers: FakeTransferList) -> None:
    transfers.latency = 10
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(transfers.open(f"u{number}", (0, "DONE")).wait)
            await anyio.sleep(0.1)

    assert transfers.most_under_way == 3
    assert len(transfers.requests) == 4


async def test_last_polls_have_priority(transfers: FakeTransferList) -> None:
    transfers.latency = 1
    ended: list[float] = []

    async def wait(poller: WithdrawalPoller) -> None:
        with pytest.raises(PollTimeout):
            await poller.wait(timeout=2.5)
        ended.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for number in range(1500):
            tasks.start_soon(transfers.open(f"u{number}", (0, "PROCESSING")).wait)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(wait, transfers.open("limited", (0, "PROCESSING")))
        await anyio.sleep(5)
        tasks.cancel_scope.cancel()

    assert ended == pytest.approx([began + 4])


# --- comings and goings ---


@pytest.mark.parametrize("anyio_backend", ["asyncio-virtual"], indirect=True)
@pytest.mark.parametrize("first", [True, False])
async def test_native_deadline_ends_its_own_wait_only(transfers: FakeTransferList, first: bool) -> None:
    transfers.latency = 0.4
    patient = transfers.open("patient", (0, "PROCESSING"), (10, "DONE"))
    hasty = transfers.open("hasty", (0, "PROCESSING"), (10, "DONE"))

    async def hurry() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):  # during a poll
                await hasty.wait()

    began = anyio.current_time()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hurry() if first else _nothing())
        waits = tasks.create_task(patient.wait())
        tasks.create_task(_nothing() if first else hurry())

    assert waits.result().state == "DONE"
    assert anyio.current_time() - began < 15
    assert all(uuids == ("patient",) for at, uuids in transfers.requests if at > began + 1.5)
    assert transfers.watcher.watched == 0


async def _nothing() -> None:
    pass


async def test_random_arrivals_and_departures_delay_nobody() -> None:
    schedule = PollSchedule()
    transfers = FakeTransferList(schedule)
    transfers.latency = 0.05
    chance = random.Random(3)
    late: list[float] = []

    async def follow(number: int, start: float, moment: float, limit: float) -> None:
        await anyio.sleep(start)
        poller = transfers.open(f"u{number}", (0, "WAITING"), (moment, "DONE"))
        opened = anyio.current_time()
        with anyio.move_on_after(limit):
            await poller.wait()
            late.append(anyio.current_time() - opened - moment)

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            limit = chance.uniform(0, 100) if number % 3 == 0 else math.inf
            tasks.start_soon(follow, number, chance.uniform(0, 200), chance.uniform(0, 400), limit)

    assert len(late) >= 66
    assert max(late) <= schedule.longest * (1 + schedule.jitter) + 2 * transfers.latency
    assert transfers.watcher.watched == 0


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 1.0, 1.3, 1.6])
async def test_wait_cancelled_at_any_tick_does_not_affect_the_others(moment: float) -> None:
    async def wait(poller: WithdrawalPoller, scope: anyio.CancelScope, ended: list[float]) -> None:
        with scope:
            await poller.wait()
            ended.append(anyio.current_time())

    for victims, ticks in itertools.product([(0,), (1,), (0, 1), (2, 0)], range(8)):
        transfers = FakeTransferList(PollSchedule(jitter=0))
        transfers.latency = 0.3
        ended: list[float] = []
        scopes = [anyio.CancelScope() for _ in range(4)]
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for number, scope in enumerate(scopes):
                poller = transfers.open(f"u{number}", (0, "WAITING"), (2, "DONE"))
                tasks.start_soon(wait, poller, scope, ended)
            await anyio.sleep(moment)
            for _ in range(ticks):
                await anyio.lowlevel.checkpoint()
            for victim in victims:
                scopes[victim].cancel()

        assert len(ended) == 4 - len(victims)
        assert max(ended) - began <= 4.5
        assert transfers.watcher.watched == 0


async def test_new_waiter_makes_the_leader_replan(transfers: FakeTransferList) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transfers.open("slow", (0, "PROCESSING"), (900, "DONE")).wait)
        await anyio.sleep(301)
        began = anyio.current_time()

        await transfers.open("quick", (0, "DONE")).wait()

        assert anyio.current_time() == began
        tasks.cancel_scope.cancel()


async def test_second_waiter_gets_the_known_state_at_once(
    transfers: FakeTransferList,
) -> None:
    poller = transfers.open("u", (0, "PROCESSING"), (305, "DONE"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poller.wait)
        await anyio.sleep(300)
        asked = len(transfers.requests)

        changes = transfers.poller("U").changes()
        assert (await anext(changes)).state == "PROCESSING"
        assert len(transfers.requests) == asked
        await anyio.sleep(1.5)
        assert len(transfers.requests) > asked
        await changes.aclose()
        assert transfers.watcher.watched == 1


async def test_record_known_to_one_waiter_counts_for_all() -> None:
    transfers = FakeTransferList(PollSchedule(grace=0, jitter=0))
    transfers.latency = 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transfers.poller("u").wait)
        await anyio.sleep(0.5)
        tasks.start_soon(transfers.poller("u", withdrawal("u")).wait)
        await anyio.sleep(20)
        tasks.cancel_scope.cancel()

    assert any(isinstance(event, PollFailed) for event in transfers.events)


# --- events ---


async def test_changes_are_events_and_unusual_states_are_logged_once(
    transfers: FakeTransferList, caplog: pytest.LogCaptureFixture
) -> None:
    poller = transfers.open("u", (0, "PROCESSING"), (5, "WAITING"), (20, "MOONED"), (60, "DONE"))

    with caplog.at_level(logging.WARNING, logger="upbit_async.polling"):
        await transfers.outcomes(poller, transfers.poller("u"))

    seen = [(event.previous, event.state) for event in transfers.events if isinstance(event, StateChanged)]
    assert seen == [
        (None, "PROCESSING"),
        ("PROCESSING", "WAITING"),
        ("WAITING", "MOONED"),
        ("MOONED", "DONE"),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "withdrawal u went back from PROCESSING to WAITING",
        "withdrawal u is in the unknown state MOONED; polling continues",
    ]


async def test_record_known_beforehand_is_no_event(transfers: FakeTransferList) -> None:
    transfers.open("u", (0, "WAITING"), (5, "DONE"))

    await transfers.poller("u", withdrawal("u", "WAITING")).wait()

    assert [event.state for event in transfers.events if isinstance(event, StateChanged)] == ["DONE"]


# --- many that begin one after the other ---


async def test_transfers_that_begin_one_after_the_other_share_sweeps() -> None:
    transfers = FakeTransferList(PollSchedule(first=1, jitter=0.2))
    async with anyio.create_task_group() as tasks:
        for number in range(200):
            poller = transfers.open(f"u{number}", (0, "PROCESSING"), (3.5, "DONE"))
            tasks.start_soon(poller.wait)
            await anyio.sleep(0.04)
    times = transfers.times()
    assert len(times) <= 10 + 2 * times[-1]  # the first few are polled alone


async def test_last_poll_at_a_deadline_does_not_wait_for_the_next_sweep() -> None:
    transfers = FakeTransferList(PollSchedule(first=10, factor=1, longest=10))
    pollers = [transfers.open(f"u{number}", (0, "PROCESSING"), (30, "DONE")) for number in range(20)]
    async with anyio.create_task_group() as tasks:
        for poller in pollers:
            tasks.start_soon(poller.wait)
        await anyio.sleep(1)
        began = anyio.current_time()
        with pytest.raises(PollTimeout):
            await transfers.open("short", (0, "PROCESSING"), (50, "DONE")).wait(timeout=0.5)
        assert anyio.current_time() - began == pytest.approx(0.5)


# --- records from other requests ---


@pytest.fixture
async def waiting(transfers: FakeTransferList) -> AsyncGenerator[list[Withdrawal]]:
    """Records that waits for the withdrawals "a" and "b" have returned; both have been polled once."""
    ended: list[Withdrawal] = []

    async def wait(uuid: str) -> None:
        ended.append(await transfers.open(uuid, (0, "PROCESSING"), (100, "DONE")).wait())

    async with anyio.create_task_group() as tasks:
        for uuid in ("a", "b"):
            tasks.start_soon(wait, uuid)
        await anyio.sleep(0.5)
        yield ended
        tasks.cancel_scope.cancel()


async def test_offered_record_ends_the_wait_without_a_poll(
    transfers: FakeTransferList, waiting: list[Withdrawal]
) -> None:
    polls = len(transfers.requests)
    transfers.watcher.offer([withdrawal("A", "DONE"), withdrawal("foreign")], began=anyio.current_time())
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    assert [(each.uuid, each.state) for each in waiting] == [("A", "DONE")]
    assert len(transfers.requests) == polls
    assert transfers.watcher.watched == 1


async def test_offered_record_delays_the_next_poll(
    transfers: FakeTransferList, waiting: list[Withdrawal]
) -> None:
    polls = len(transfers.requests)
    for _ in range(20):
        rows = [withdrawal(uuid, "PROCESSING") for uuid in ("a", "b")]
        transfers.watcher.offer(rows, began=anyio.current_time())
        await anyio.sleep(0.5)
    assert len(transfers.requests) == polls
    assert not waiting


async def test_record_that_was_requested_before_the_last_poll_is_not_used(
    transfers: FakeTransferList, waiting: list[Withdrawal]
) -> None:
    polled_at = transfers.times()[-1]
    transfers.watcher.offer([withdrawal("a", "DONE")], began=polled_at - 0.1)
    await anyio.sleep(0.1)
    assert not waiting
    assert transfers.watcher.watched == 2


async def test_record_is_not_used_during_a_poll_of_its_transfer(transfers: FakeTransferList) -> None:
    transfers.latency = 5
    poller = transfers.open("a", (0, "PROCESSING"), (5, "DONE"))

    async def offer() -> None:
        await anyio.sleep(1)
        transfers.watcher.offer([withdrawal("a", "FAILED")], began=anyio.current_time())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(offer)
        assert (await poller.wait()).state == "DONE"


async def test_record_that_nobody_waits_for_is_ignored(transfers: FakeTransferList) -> None:
    transfers.watcher.offer([withdrawal("a", "DONE")], began=anyio.current_time())
    assert transfers.watcher.watched == 0


# --- event loops ---


def test_closed_event_loop_does_not_block_the_next(transfers: FakeTransferList) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)

    async def begin() -> tuple[asyncio.Task[Withdrawal], asyncio.Task[Withdrawal]]:
        leader = asyncio.ensure_future(transfers.open("a", (0, "PROCESSING")).wait())
        sleeper = asyncio.ensure_future(transfers.open("b", (0, "PROCESSING")).wait())
        for _ in range(10):
            await asyncio.sleep(0)
        return leader, sleeper

    abandoned = loop.run_until_complete(begin())
    loop.close()
    assert transfers.watcher.watched == 2

    async def again() -> str:
        return (await transfers.open("c", (0, "DONE")).wait()).state

    assert asyncio.run(again()) == "DONE"
    assert transfers.watcher.watched == 0
    for task in abandoned:
        coroutine = task.get_coro()
        assert coroutine is not None
        with contextlib.suppress(RuntimeError):  # anyio's cancel scopes raise if their event loop has ended
            coroutine.close()


def test_watcher_can_be_built_outside_an_event_loop(transfers: FakeTransferList) -> None:
    watcher = Watcher[Withdrawal](transfers.fetch, PollSchedule(), kind="withdrawal", host="sg-api.upbit.com")
    poller = WithdrawalPoller("u", watcher=watcher, region=Region.SG, host="sg-api.upbit.com")
    assert watcher.watched == 0

    async def wait() -> str:
        transfers.open("u", (0, "DONE"))
        return (await poller.wait()).state

    assert asyncio.run(wait()) == "DONE"
