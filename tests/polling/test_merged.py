"""Many transfers followed as one."""

from __future__ import annotations

import gc
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from upbit_async.policy import PollSchedule
from upbit_async.polling import RegionChanges

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.polling.conftest import FakeTransferList
    from upbit_async.models import Withdrawal


async def test_a_thousand_need_a_few_tasks_and_ten_requests_a_sweep(
    desk: FakeTransferList, alive: Callable[[], tuple[int, int]]
) -> None:
    desk.latency = 0.05
    tasks: list[int] = []
    desk.fault = lambda _uuids: tasks.append(alive()[0])
    pollers = [desk.open(f"u{number}", (0, "WAITING"), (100, "DONE")) for number in range(1000)]
    before = alive()

    told = [change.state.value async for _, change in RegionChanges(pollers)]

    assert Counter(told) == {"WAITING": 1000, "DONE": 1000}
    assert max(tasks) == before[0] + 3
    assert len(desk.requests) <= 10 * 11
    assert desk.most_under_way == 3
    assert alive() == before
    assert desk.watcher.watched == 0


async def test_what_is_known_is_told_first_and_costs_nothing(
    desk: FakeTransferList, make: Callable[..., Withdrawal]
) -> None:
    desk.open("u", (0, "WAITING"))

    _, change = await anext(RegionChanges([desk.poller("u", make("u", "WAITING"))]))

    assert change.state == "WAITING"
    assert not desk.requests


async def test_a_change_is_told_at_once_if_nobody_looks_elsewhere(
    desk_for: type[FakeTransferList], plain: PollSchedule
) -> None:
    one, other = desk_for(plain), desk_for(PollSchedule(first=0.7))
    pollers = [one.open("u", (0, "WAITING"), (50, "DONE")), other.open("v", (0, "WAITING"), (900, "DONE"))]

    async for _, change in RegionChanges(pollers):
        if change.state == "DONE":
            looks_at = one if change.record.uuid == "u" else other
            assert anyio.current_time() == looks_at.times()[-1]


async def test_even_a_slow_look_comes_to_its_end_beside_a_busy_watcher(
    desk_for: type[FakeTransferList], plain: PollSchedule
) -> None:
    slow, busy = desk_for(plain), desk_for(plain)
    slow.latency = 5
    pollers = [
        slow.open("slow", (0, "DONE")),
        *(busy.open(f"u{number}", (0, "WAITING"), (number / 2, "DONE")) for number in range(200)),
    ]
    began = anyio.current_time()

    async for _, change in RegionChanges(pollers):
        if change.record.uuid == "slow":
            break

    assert anyio.current_time() - began < 20
    assert len(slow.requests) <= 4


async def test_what_is_served_while_nobody_steps_is_told_by_the_next_step(desk: FakeTransferList) -> None:
    changes = RegionChanges([desk.open(name, (0, "WAITING"), (5, "DONE")) for name in "ab"])
    told = [(await anext(changes))[1].state.value for _ in "ab"]
    await desk.outcomes(desk.poller("a"), desk.poller("b"))
    desk.requests.clear()

    told += [change.state.value async for _, change in changes]

    assert told == ["WAITING", "WAITING", "DONE", "DONE"]
    assert not desk.requests


async def test_what_is_dropped_is_forgotten(desk: FakeTransferList) -> None:
    changes = RegionChanges([desk.open(f"u{number}", (0, "WAITING"), (5, "DONE")) for number in range(3)])
    await anext(changes)
    assert desk.watcher.watched == 3

    del changes

    assert desk.watcher.watched == 0


def test_what_are_no_pollers_are_refused_cleanly() -> None:
    nothing: Any = None
    with pytest.raises(TypeError):
        RegionChanges(nothing)
    gc.collect()
