"""The connection pool: its limit, order, reuse and closing."""

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
    from upbit_async.transport.http_port import NoAnswer
    from upbit_async.transport.request_progress import RequestProgress


@attrs.define(eq=False)
class FakeConnection:
    """A connection that counts how often it was closed."""

    closed: int = 0

    async def send(
        self, message: Message, token: Callable[[], str], timeouts: Timeouts, progress: RequestProgress
    ) -> Answer | NoAnswer:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.closed += 1
        await anyio.lowlevel.checkpoint()


@attrs.define(eq=False)
class FakeConnections:
    """Factory of connections that records them; the first few may fail."""

    failures: int = 0
    made: list[FakeConnection] = attrs.field(factory=list[FakeConnection])

    def __call__(self) -> FakeConnection:
        if self.failures:
            self.failures -= 1
            raise OSError
        self.made.append(FakeConnection())
        return self.made[-1]


async def _enter_in_time(pool: ConnectionPool) -> Slot | None:
    with anyio.move_on_after(0.01):
        return await pool.acquire()
    return None


async def test_pool_limits_concurrent_connections() -> None:
    pool = ConnectionPool(2, FakeConnections())
    first, second = await pool.acquire(), await pool.acquire()
    assert await _enter_in_time(pool) is None
    await first.release(clean=True)
    assert await _enter_in_time(pool) is not None
    await second.release(clean=True)


async def test_pool_serves_waiters_in_order() -> None:
    pool, order = ConnectionPool(1, FakeConnections()), list[int]()

    async def one(number: int) -> None:
        slot = await pool.acquire()
        order.append(number)
        await anyio.sleep(0.1)
        await slot.release(clean=True)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
    assert order == [0, 1, 2, 3, 4]


async def test_pool_reuses_the_connection_used_last() -> None:
    connections = FakeConnections()
    pool = ConnectionPool(10, connections)
    slots = [await pool.acquire() for _ in range(3)]
    for slot in slots:
        await slot.release(clean=True)
    assert (await pool.acquire()).connection is slots[2].connection
    assert len(connections.made) == 3


async def test_connection_released_unclean_is_closed_and_not_reused() -> None:
    connections = FakeConnections()
    pool = ConnectionPool(1, connections)
    await (await pool.acquire()).release(clean=False)
    await pool.acquire()
    assert [connection.closed for connection in connections.made] == [1, 0]


@pytest.mark.parametrize("ticks", range(6))
async def test_cancelled_caller_costs_no_slot(ticks: int) -> None:
    pool = ConnectionPool(2, FakeConnections())

    async def come_and_go() -> None:
        slot = await pool.acquire()
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            await slot.release(clean=False)

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(come_and_go)
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert [await _enter_in_time(pool) is not None for _ in range(3)] == [True, True, False]


async def test_failed_connection_costs_no_slot() -> None:
    pool = ConnectionPool(1, FakeConnections(failures=1))
    with pytest.raises(OSError):  # noqa: PT011 - nothing else here raises one
        await pool.acquire()
    assert await _enter_in_time(pool) is not None


async def test_closed_pool_closes_connections_when_they_are_released() -> None:
    connections = FakeConnections()
    pool = ConnectionPool(2, connections)
    idle, busy = await pool.acquire(), await pool.acquire()
    await idle.release(clean=True)
    await pool.aclose()
    assert [connection.closed for connection in connections.made] == [1, 0]
    await busy.release(clean=True)
    assert [connection.closed for connection in connections.made] == [1, 1]
    await pool.aclose()


def test_connections_belong_to_one_event_loop_and_are_dropped_with_it() -> None:
    connections = FakeConnections()
    pool = ConnectionPool(1, connections)

    async def enter() -> None:
        await (await pool.acquire()).release(clean=True)

    for _ in range(3):
        anyio.run(enter)
    assert len(connections.made) == 3
    assert len(loop_states(pool)) == 1
