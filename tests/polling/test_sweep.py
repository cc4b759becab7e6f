"""Sweeps over lists that differ from what was asked for, and over batches that fail."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest
from transfer_list import FakeTransferList, withdrawal

from upbit_async import errors
from upbit_async.events import PollFailed
from upbit_async.policy import PollSchedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.models import Withdrawal

    Rows = list[Withdrawal]


async def states(transfers: FakeTransferList, *names: str) -> list[list[str]]:
    """Follow all names at once; return the states that each poller reported."""
    reported: dict[str, list[str]] = {}

    async def follow(name: str) -> None:
        reported[name] = [change.state.value async for change in transfers.poller(name).changes()]

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(follow, name)
    return [reported[name] for name in names]


@pytest.mark.parametrize("odd", ["twice", "backwards", "shouted", "many more"])
async def test_duplicated_reordered_or_longer_lists_are_understood(
    transfers: FakeTransferList, odd: str
) -> None:
    others = [withdrawal(f"other{number}", "FAILED") for number in range(150)]
    mangle: dict[str, Callable[[Rows], Rows]] = {
        "twice": lambda rows: rows * 2,
        "backwards": lambda rows: rows[::-1],
        "shouted": lambda rows: [attrs.evolve(row, uuid=row.uuid.upper()) for row in rows],
        "many more": lambda rows: [*others[:75], *rows, *others[75:]],
    }
    transfers.mangle = mangle[odd]
    names = [f"u{number}" for number in range(120)]
    for name in names:
        transfers.open(name, (0, "PROCESSING"), (5, "DONE"))

    assert await states(transfers, *names) == [["PROCESSING", "DONE"]] * 120
    assert not any(isinstance(event, PollFailed) for event in transfers.events)


@pytest.mark.parametrize("final_first", [True, False])
async def test_final_record_wins_over_a_duplicate(transfers: FakeTransferList, final_first: bool) -> None:
    def mangle(rows: Rows) -> Rows:
        stale = [withdrawal(row.uuid.upper(), "PROCESSING") for row in rows]
        return [*rows, *stale] if final_first else [*stale, *rows]

    transfers.mangle = mangle
    transfers.open("u", (0, "DONE"))
    assert await states(transfers, "u") == [["DONE"]]
    assert len(transfers.requests) == 1


async def test_answer_with_only_other_ids_counts_as_absence(transfers: FakeTransferList) -> None:
    transfers.mangle = lambda _rows: [withdrawal("somebody", "DONE")]
    assert await transfers.outcomes(transfers.open("u", (0, "DONE"))) == ["NotFound"]


@pytest.mark.parametrize("seed", range(3))
async def test_incomplete_lists_end_no_wait(seed: int) -> None:
    transfers = FakeTransferList(PollSchedule(longest=5))
    dice = random.Random(seed)
    transfers.mangle = lambda rows: [row for row in rows if dice.random() < 0.5]
    names = [f"u{number}" for number in range(120)]
    for name in names:
        transfers.open(name, (0, "WAITING"), (40, "PROCESSING"), (80, "DONE"))
    began = anyio.current_time()

    assert await states(transfers, *names) == [["WAITING", "PROCESSING", "DONE"]] * 120
    assert anyio.current_time() - began < 80 + 12 * 6


async def test_withdrawal_that_reappears_is_polled_on(transfers: FakeTransferList) -> None:
    transfers.open("on", (0, "PROCESSING"), (10, "ABSENT"), (100, "DONE"))
    transfers.open(
        "back", (0, "PROCESSING"), (10, "ABSENT"), (100, "WAITING"), (200, "ABSENT"), (250, "FAILED")
    )

    assert await states(transfers, "on", "back") == [
        ["PROCESSING", "DONE"],
        ["PROCESSING", "WAITING", "FAILED"],
    ]


async def test_list_may_lag_only_for_the_grace(transfers: FakeTransferList) -> None:
    transfers.open("late", (28, "WAITING"), (40, "DONE"))
    transfers.open("too late", (100, "WAITING"))

    assert await transfers.outcomes(transfers.poller("late"), transfers.poller("too late")) == [
        "DONE",
        "NotFound",
    ]


async def test_final_state_is_kept_if_the_list_changes_later(
    transfers: FakeTransferList,
) -> None:
    poller = transfers.open("u", (0, "WAITING"), (5, "DONE"), (50, "PROCESSING"), (90, "FAILED"))

    assert (await poller.wait()).state == "DONE"
    await anyio.sleep(50)
    assert (await poller.result()).state == "DONE"
    assert await states(transfers, "u") == [["PROCESSING", "FAILED"]]  # a later waiter has not seen it


# --- pages that fail ---


FAILURES: dict[str, Callable[[int], bool]] = {
    "the first": lambda number: number == 1,
    "ten in a row": lambda number: 3 < number < 14,
    "every other": lambda number: number % 2 == 0,
    "two of three": lambda number: number % 3 > 0,
}


@pytest.mark.parametrize("when", FAILURES)
async def test_failed_batches_are_polled_again_without_affecting_others(
    transfers: FakeTransferList, when: str
) -> None:
    trouble = errors.ServerError("down", status=503)
    transfers.fault = lambda _uuids: trouble if FAILURES[when](len(transfers.requests)) else None
    transfers.latency = 0.05
    names = [f"u{number}" for number in range(350)]
    for name in names:
        transfers.open(name, (0, "WAITING"), (20, "PROCESSING"), (60, "DONE"))
    began = anyio.current_time()

    paths = await states(transfers, *names)

    assert all(path[-1] == "DONE" for path in paths)
    assert Counter(map(len, paths))[3] > 150
    assert anyio.current_time() - began < 60 + 5 * 30
    failed = Counter(event.uuids for event in transfers.events if isinstance(event, PollFailed))
    assert failed == Counter(
        uuids for number, (_, uuids) in enumerate(transfers.requests, 1) if FAILURES[when](number)
    )
