"""Answers that are not quite what was asked for, and pages that fail."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest

from upbit_async import errors
from upbit_async.events import PollFailed
from upbit_async.policy import PollSchedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.polling.conftest import FakeTransferList
    from upbit_async.models import Withdrawal

    Rows = list[Withdrawal]


async def states(desk: FakeTransferList, *names: str) -> list[list[str]]:
    """Follow all at once; return what was told of each."""
    told: dict[str, list[str]] = {}

    async def follow(name: str) -> None:
        told[name] = [change.state.value async for change in desk.poller(name).changes()]

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(follow, name)
    return [told[name] for name in names]


@pytest.mark.parametrize("odd", ["twice", "backwards", "shouted", "many more"])
async def test_odd_lists_are_read_as_they_are_meant(
    desk: FakeTransferList, make: Callable[..., Withdrawal], odd: str
) -> None:
    strangers = [make(f"stranger{number}", "FAILED") for number in range(150)]
    mangle: dict[str, Callable[[Rows], Rows]] = {
        "twice": lambda rows: rows * 2,
        "backwards": lambda rows: rows[::-1],
        "shouted": lambda rows: [attrs.evolve(row, uuid=row.uuid.upper()) for row in rows],
        "many more": lambda rows: [*strangers[:75], *rows, *strangers[75:]],
    }
    desk.mangle = mangle[odd]
    names = [f"u{number}" for number in range(120)]
    for name in names:
        desk.open(name, (0, "PROCESSING"), (5, "DONE"))

    assert await states(desk, *names) == [["PROCESSING", "DONE"]] * 120
    assert not any(isinstance(event, PollFailed) for event in desk.events)


@pytest.mark.parametrize("final_first", [True, False])
async def test_of_two_records_with_one_id_a_final_one_wins(
    desk: FakeTransferList, make: Callable[..., Withdrawal], final_first: bool
) -> None:
    def mangle(rows: Rows) -> Rows:
        stale = [make(row.uuid.upper(), "PROCESSING") for row in rows]
        return [*rows, *stale] if final_first else [*stale, *rows]

    desk.mangle = mangle
    desk.open("u", (0, "DONE"))
    assert await states(desk, "u") == [["DONE"]]
    assert len(desk.requests) == 1


async def test_an_answer_that_holds_strangers_only_is_absence(
    desk: FakeTransferList, make: Callable[..., Withdrawal]
) -> None:
    desk.mangle = lambda _rows: [make("somebody", "DONE")]
    assert await desk.outcomes(desk.open("u", (0, "DONE"))) == ["NotFound"]


@pytest.mark.parametrize("seed", range(3))
async def test_lists_that_leave_rows_out_delay_and_end_nothing(
    desk_for: type[FakeTransferList], seed: int
) -> None:
    desk = desk_for(PollSchedule(longest=5))
    dice = random.Random(seed)
    desk.mangle = lambda rows: [row for row in rows if dice.random() < 0.5]
    names = [f"u{number}" for number in range(120)]
    for name in names:
        desk.open(name, (0, "WAITING"), (40, "PROCESSING"), (80, "DONE"))
    began = anyio.current_time()

    assert await states(desk, *names) == [["WAITING", "PROCESSING", "DONE"]] * 120
    assert anyio.current_time() - began < 80 + 12 * 6


async def test_what_vanishes_and_comes_back_goes_on_where_it_is(desk: FakeTransferList) -> None:
    desk.open("on", (0, "PROCESSING"), (10, "GONE"), (100, "DONE"))
    desk.open("back", (0, "PROCESSING"), (10, "GONE"), (100, "WAITING"), (200, "GONE"), (250, "FAILED"))

    assert await states(desk, "on", "back") == [["PROCESSING", "DONE"], ["PROCESSING", "WAITING", "FAILED"]]


async def test_a_list_may_lag_for_the_grace_and_no_longer(desk: FakeTransferList) -> None:
    desk.open("late", (28, "WAITING"), (40, "DONE"))
    desk.open("too late", (100, "WAITING"))

    assert await desk.outcomes(desk.poller("late"), desk.poller("too late")) == ["DONE", "NotFound"]


async def test_a_final_state_is_the_end_even_if_the_list_changes_its_mind(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "WAITING"), (5, "DONE"), (50, "PROCESSING"), (90, "FAILED"))

    assert (await poller.wait()).state == "DONE"
    await anyio.sleep(50)
    assert (await poller.result()).state == "DONE"
    assert await states(desk, "u") == [["PROCESSING", "FAILED"]]  # who comes later knows nothing of it


# --- pages that fail ---


FAILURES: dict[str, Callable[[int], bool]] = {
    "the first": lambda number: number == 1,
    "ten in a row": lambda number: 3 < number < 14,
    "every other": lambda number: number % 2 == 0,
    "two of three": lambda number: number % 3 > 0,
}


@pytest.mark.parametrize("when", FAILURES)
async def test_pages_that_fail_are_taken_again_and_hurt_no_others(desk: FakeTransferList, when: str) -> None:
    trouble = errors.ServerError("down", status=503)
    desk.fault = lambda _uuids: trouble if FAILURES[when](len(desk.requests)) else None
    desk.latency = 0.05
    names = [f"u{number}" for number in range(350)]
    for name in names:
        desk.open(name, (0, "WAITING"), (20, "PROCESSING"), (60, "DONE"))
    began = anyio.current_time()

    ways = await states(desk, *names)

    assert all(way[-1] == "DONE" for way in ways)
    assert Counter(map(len, ways))[3] > 150
    assert anyio.current_time() - began < 60 + 5 * 30
    failed = Counter(event.uuids for event in desk.events if isinstance(event, PollFailed))
    assert failed == Counter(
        uuids for number, (_, uuids) in enumerate(desk.requests, 1) if FAILURES[when](number)
    )
