"""So many connections at once, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import attrs
import pytest
from internals import loop_states

from upbit_async.transport.connection_pool import ConnectionPool, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.policy import Timeouts
    from upbit_async.protocol.message import Message
    from upbit_async.protocol.replies import Answer
    from upbit_async.transport.http_port import Lost, RequestProgress


@attrs.define(eq=False)
class FakeLane:
    """Counts how often it was closed."""

    closed: int = 0

    async def send(
        self, message: Message, token: Callable[[], str], timeouts: Timeouts, progress: RequestProgress
    ) -> Answer | Lost:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.closed += 1
        await anyio.lowlevel.checkpoint()


@attrs.define(eq=False)
class FakeConnections:
    """Makes lanes, and remembers them; at first it may fail."""

    failures: int = 0
    made: list[FakeLane] = attrs.field(factory=list[FakeLane])

    def __call__(self) -> FakeLane:
        if self.failures:
            self.failures -= 1
            raise OSError
        self.made.append(FakeLane())
        return self.made[-1]


async def _enter_in_time(gate: ConnectionPool) -> Slot | None:
    with anyio.move_on_after(0.01):
        return await gate.acquire()
    return None


async def test_no_more_than_so_many_are_in_at_once() -> None:
    gate = ConnectionPool(2, FakeConnections())
    first, second = await gate.acquire(), await gate.acquire()
    assert await _enter_in_time(gate) is None
    await first.release(clean=True)
    assert await _enter_in_time(gate) is not None
    await second.release(clean=True)


async def test_who_comes_first_gets_in_first() -> None:
    gate, order = ConnectionPool(1, FakeConnections()), list[int]()

    async def one(number: int) -> None:
        lane_pass = await gate.acquire()
        order.append(number)
        await anyio.sleep(0.1)
        await lane_pass.release(clean=True)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
    assert order == [0, 1, 2, 3, 4]


async def test_the_lane_used_last_is_used_next_so_that_few_stay_open() -> None:
    lanes = FakeConnections()
    gate = ConnectionPool(10, lanes)
    passes = [await gate.acquire() for _ in range(3)]
    for lane_pass in passes:
        await lane_pass.release(clean=True)
    assert (await gate.acquire()).connection is passes[2].connection
    assert len(lanes.made) == 3


async def test_a_lane_on_which_something_did_not_end_cleanly_is_closed_and_not_used_again() -> None:
    lanes = FakeConnections()
    gate = ConnectionPool(1, lanes)
    await (await gate.acquire()).release(clean=False)
    await gate.acquire()
    assert [lane.closed for lane in lanes.made] == [1, 0]


@pytest.mark.parametrize("ticks", range(6))
async def test_a_cancelled_caller_costs_no_lane(ticks: int) -> None:
    gate = ConnectionPool(2, FakeConnections())

    async def come_and_go() -> None:
        lane_pass = await gate.acquire()
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            await lane_pass.release(clean=False)

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(come_and_go)
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert [await _enter_in_time(gate) is not None for _ in range(3)] == [True, True, False]


async def test_a_lane_that_cannot_be_made_costs_no_place() -> None:
    gate = ConnectionPool(1, FakeConnections(failures=1))
    with pytest.raises(OSError):  # noqa: PT011 - nothing else here raises one
        await gate.acquire()
    assert await _enter_in_time(gate) is not None


async def test_after_closing_lanes_are_closed_when_they_come_back() -> None:
    lanes = FakeConnections()
    gate = ConnectionPool(2, lanes)
    idle, busy = await gate.acquire(), await gate.acquire()
    await idle.release(clean=True)
    await gate.aclose()
    assert [lane.closed for lane in lanes.made] == [1, 0]
    await busy.release(clean=True)
    assert [lane.closed for lane in lanes.made] == [1, 1]
    await gate.aclose()


def test_the_lanes_of_an_event_loop_are_its_own_and_forgotten_when_it_has_ended() -> None:
    lanes = FakeConnections()
    gate = ConnectionPool(1, lanes)

    async def enter() -> None:
        await (await gate.acquire()).release(clean=True)

    for _ in range(3):
        anyio.run(enter)
    assert len(lanes.made) == 3
    assert len(loop_states(gate)) == 1
