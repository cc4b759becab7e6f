"""The merged changes of many pollers."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import anyio
import pytest
from transfer_list import FakeTransferList, living_tasks, withdrawal

from upbit_async.policy import PollSchedule
from upbit_async.polling import RegionChanges


async def test_a_thousand_merged_pollers_need_three_tasks_and_ten_requests_a_sweep(
    transfers: FakeTransferList,
) -> None:
    transfers.latency = 0.05
    tasks: list[int] = []
    transfers.fault = lambda _uuids: tasks.append(living_tasks()[0])
    pollers = [transfers.open(f"u{number}", (0, "WAITING"), (100, "DONE")) for number in range(1000)]
    before = living_tasks()

    yielded = [change.state.value async for _, change in RegionChanges(pollers)]

    assert Counter(yielded) == {"WAITING": 1000, "DONE": 1000}
    assert max(tasks) == before[0] + 3
    assert len(transfers.requests) <= 10 * 11
    assert transfers.most_under_way == 3
    assert living_tasks() == before
    assert transfers.watcher.watched == 0


async def test_known_record_is_yielded_first_without_a_request(transfers: FakeTransferList) -> None:
    transfers.open("u", (0, "WAITING"))

    _, change = await anext(RegionChanges([transfers.poller("u", withdrawal("u", "WAITING"))]))

    assert change.state == "WAITING"
    assert not transfers.requests


async def test_change_is_yielded_as_soon_as_it_is_polled(plain: PollSchedule) -> None:
    one, other = FakeTransferList(plain), FakeTransferList(PollSchedule(first=0.7))
    pollers = [one.open("u", (0, "WAITING"), (50, "DONE")), other.open("v", (0, "WAITING"), (900, "DONE"))]

    async for _, change in RegionChanges(pollers):
        if change.state == "DONE":
            polled_list = one if change.record.uuid == "u" else other
            assert anyio.current_time() == polled_list.times()[-1]


async def test_slow_poll_finishes_beside_a_busy_watcher(plain: PollSchedule) -> None:
    slow, busy = FakeTransferList(plain), FakeTransferList(plain)
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


async def test_change_between_two_steps_is_yielded_by_the_next(
    transfers: FakeTransferList,
) -> None:
    changes = RegionChanges([transfers.open(name, (0, "WAITING"), (5, "DONE")) for name in "ab"])
    yielded = [(await anext(changes))[1].state.value for _ in "ab"]
    await transfers.outcomes(transfers.poller("a"), transfers.poller("b"))
    transfers.requests.clear()

    yielded += [change.state.value async for _, change in changes]

    assert yielded == ["WAITING", "WAITING", "DONE", "DONE"]
    assert not transfers.requests


async def test_dropped_iteration_stops_watching(transfers: FakeTransferList) -> None:
    changes = RegionChanges(
        [transfers.open(f"u{number}", (0, "WAITING"), (5, "DONE")) for number in range(3)]
    )
    await anext(changes)
    assert transfers.watcher.watched == 3

    del changes

    assert transfers.watcher.watched == 0


def test_merging_something_else_than_pollers_is_refused() -> None:
    nothing: Any = None
    with pytest.raises(TypeError):
        RegionChanges(nothing)
    gc.collect()
