"""Records that another request has returned are used as if they had been polled, unless a poll knows better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from transfer_list import FakeTransferList, withdrawal

from upbit_async.policy import PollSchedule

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.models import Withdrawal


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
    await anyio.sleep(0.1)
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


async def test_record_from_before_the_end_of_the_last_poll_does_not_replace_its_result() -> None:
    transfers = FakeTransferList(PollSchedule(jitter=0))
    seen: list[str] = []

    async def follow() -> None:
        poller = transfers.open("a", (0, "WAITING"), (2, "PROCESSING"), (60, "DONE"))
        seen.extend([change.state.value async for change in poller.changes()])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        await anyio.sleep(0.9)
        transfers.lag = lambda: 2  # the next poll begins at 1.0, and shows what is at its beginning
        transfers.mangle = lambda _rows: [withdrawal("a", str(transfers.state("a")))]  # or rather at its end
        await anyio.sleep(0.6)
        began, row = anyio.current_time(), withdrawal("a", "WAITING")
        await anyio.sleep(2)
        transfers.watcher.offer([row], began=began)
        transfers.lag = lambda: 0
    assert seen == ["WAITING", "PROCESSING", "DONE"]


@pytest.mark.parametrize("leader_first", [False, True])
async def test_offered_change_lets_the_next_poll_come_soon(leader_first: bool) -> None:
    transfers = FakeTransferList(PollSchedule(first=1, factor=2, longest=60, jitter=0))
    ended: dict[str, float] = {}
    histories = {"other": ((0, "WAITING"),), "a": ((0, "WAITING"), (201, "PROCESSING"), (203, "DONE"))}
    began = anyio.current_time()

    async def wait(uuid: str) -> None:
        await transfers.open(uuid, *histories[uuid]).wait()
        ended[uuid] = anyio.current_time() - began

    async with anyio.create_task_group() as tasks:
        for uuid in sorted(histories, reverse=leader_first):
            tasks.start_soon(wait, uuid)
        await anyio.sleep(201.5)
        transfers.watcher.offer([withdrawal("a", "PROCESSING")], began=anyio.current_time())
        await anyio.sleep(10)
        tasks.cancel_scope.cancel()
    assert ended["a"] < 201.5 + 4
