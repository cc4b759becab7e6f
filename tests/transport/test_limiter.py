"""In no window of one second, wherever it starts, do more calls leave than the budget allows."""

from __future__ import annotations

import functools
import gc
import math
import threading
import time
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from upbit_async.errors import RateLimited
from upbit_async.protocol.rates import Remaining
from upbit_async.transport.limiter import LocalLimiter, NoLimiter, RateLimiter, Ticket, shared_limiter

BUDGET = 30


class Server:
    """Counts calls in fixed or sliding seconds, and says what is left."""

    def __init__(self, limit: int, *, sliding: bool, phase: float = 0.0) -> None:
        self.limit = limit
        self.sliding = sliding
        self.phase = phase
        self.arrivals: list[float] = []
        self.refused = 0

    def arrive(self) -> Remaining | None:
        now = anyio.current_time()
        since = now - 1 if self.sliding else math.floor(now - self.phase) + self.phase
        spent = sum(1 for arrival in self.arrivals if (arrival > since if self.sliding else arrival >= since))
        if spent >= self.limit:
            self.refused += 1
            return None
        self.arrivals.append(now)
        return Remaining("default", self.limit - spent - 1)


async def _call(limiter: RateLimiter, server: Server, forth: float, back: float, left: list[float]) -> None:
    ticket = await limiter.acquire("default")
    left.append(anyio.current_time())
    await anyio.sleep(forth)
    remaining = server.arrive()
    await anyio.sleep(back)
    if remaining is None:
        limiter.refuse(ticket, 1.0)
    else:
        limiter.observe(ticket, remaining.sec)


def _most_in_a_second(times: list[float]) -> int:
    return max(sum(1 for other in times if start <= other < start + 1 - 1e-9) for start in times)


def _in_virtual_time(main: Any) -> None:
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 0.3), st.floats(0, 0.3)), min_size=1, max_size=120),
    st.booleans(),
    st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=25, deadline=None)
def test_no_window_sees_more_than_the_budget(
    calls: list[tuple[float, float, float]], sliding: bool, phase: float
) -> None:
    left: list[float] = []
    server = Server(BUDGET, sliding=sliding, phase=phase)

    async def main() -> None:
        limiter = LocalLimiter()

        async def one(at: float, forth: float, back: float) -> None:
            await anyio.sleep(at)
            await _call(limiter, server, forth, back, left)

        async with anyio.create_task_group() as tasks:
            for call in calls:
                tasks.start_soon(one, *call)

    _in_virtual_time(main)
    assert len(left) == len(calls)
    assert _most_in_a_second(left) <= BUDGET


@pytest.mark.parametrize("lag", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("sliding", [False, True], ids=["fixed", "sliding"])
async def test_two_hundred_calls_pass_without_a_refusal(lag: float, sliding: bool) -> None:
    left: list[float] = []
    limiter, server = LocalLimiter(), Server(BUDGET, sliding=sliding)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(_call, limiter, server, lag / 2, lag / 2, left)
    assert server.refused == 0
    assert anyio.current_time() - began <= 7.5


async def test_it_yields_to_another_process_that_spends_the_same_budget() -> None:
    left: list[float] = []
    limiter, server = LocalLimiter(), Server(BUDGET, sliding=True)

    async def stranger() -> None:
        for _ in range(120):
            server.arrive()
            await anyio.sleep(1 / 15)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stranger)
        await anyio.sleep(1)
        for _ in range(60):
            await _call(limiter, server, 0.01, 0.01, left)
    assert server.refused <= 2


async def test_a_second_that_is_spent_is_waited_for() -> None:
    limiter = LocalLimiter()
    ticket = await limiter.acquire("default")
    limiter.observe(ticket, 0)
    before = anyio.current_time()
    await limiter.acquire("default")
    assert anyio.current_time() - before >= 0.99


async def test_a_refusal_stops_its_group_and_no_other() -> None:
    limiter = LocalLimiter()
    limiter.refuse(await limiter.acquire("default"), 5.0)
    before = anyio.current_time()
    limiter.observe(await limiter.acquire("order"), None)
    assert anyio.current_time() == before
    await limiter.acquire("default")
    assert anyio.current_time() - before >= 5.0


async def test_who_comes_first_goes_first() -> None:
    order: list[int] = []
    limiter = LocalLimiter({"default": 2})

    async def one(number: int) -> None:
        ticket = await limiter.acquire("default")
        order.append(number)
        limiter.observe(ticket, None)

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
    assert order == sorted(order)


@pytest.mark.parametrize("ticks", range(12))
async def test_whoever_is_cancelled_while_waiting_leaves_nothing_behind(ticks: int) -> None:
    limiter = LocalLimiter({"default": 3})
    tickets = [await limiter.acquire("default") for _ in range(2)]
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(limiter.acquire, "default")
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    for ticket in tickets:
        limiter.observe(ticket, None)
    await anyio.sleep(3)
    group = limiter._groups["default"]
    assert group.queue == []
    assert group.out == {}
    with anyio.fail_after(2):
        await limiter.acquire("default")


async def test_places_that_are_all_under_way_are_waited_for() -> None:
    limiter = LocalLimiter({"default": 2})
    ticket = await limiter.acquire("default")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.acquire, "default")
        await anyio.sleep(5)
        limiter.observe(ticket, None)
        await anyio.sleep(3)
        assert limiter._groups["default"].queue == []


async def test_the_places_of_calls_that_never_end_come_back() -> None:
    limiter = LocalLimiter({"default": 3})
    for _ in range(2):
        await limiter.acquire("default")  # their event loop was closed under them, say
    await anyio.sleep(601)
    with anyio.fail_after(5):
        ticket = await limiter.acquire("default")
        limiter.observe(ticket, None)
        limiter.observe(ticket, None)  # a ticket counts once
        await limiter.acquire("default")
    assert len(limiter._groups["default"].free_at) == 1


async def test_a_call_that_opened_its_connection_gives_no_head_start() -> None:
    limiter = LocalLimiter({"default": 2})
    ticket = await limiter.acquire("default")
    await anyio.sleep(0.9)
    ticket.cold = True
    limiter.observe(ticket, 0)
    before = anyio.current_time()
    await limiter.acquire("default")
    assert anyio.current_time() - before >= 1


async def test_a_standstill_beyond_the_deadline_is_told_at_once() -> None:
    limiter = LocalLimiter()
    limiter.refuse(await limiter.acquire("default"), 100)
    before = anyio.current_time()
    with pytest.raises(RateLimited) as caught, anyio.fail_after(3):
        await limiter.acquire("default")
    assert anyio.current_time() == before
    assert caught.value.retry_after > 90


async def test_no_limiter_lets_everything_pass() -> None:
    limiter, before = NoLimiter(), anyio.current_time()
    for _ in range(100):
        ticket: Ticket = await limiter.acquire("default")
        limiter.observe(ticket, 0)
        limiter.refuse(ticket, 60)
    assert anyio.current_time() == before


def test_one_key_at_one_host_has_one_limiter_as_long_as_it_is_used() -> None:
    limiter = shared_limiter("host", "key")
    assert shared_limiter("host", "key") is limiter
    assert shared_limiter("host", "other") is not limiter
    assert shared_limiter("other", "key") is not limiter
    name = id(limiter)
    limiter.stamp = name  # type: ignore[attr-defined]
    del limiter
    gc.collect()
    assert not hasattr(shared_limiter("host", "key"), "stamp")


def test_loops_in_several_threads_share_one_limiter() -> None:
    left: list[float] = []
    limiter, lock = LocalLimiter({"default": 6}), threading.Lock()

    async def main() -> None:
        for _ in range(5):
            ticket = await limiter.acquire("default")
            with lock:
                left.append(time.monotonic())
            limiter.observe(ticket, None)

    threads = [
        threading.Thread(target=functools.partial(anyio.run, main, backend=backend))
        for backend in ("asyncio", "trio")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(left) == 10
    assert _most_in_a_second(left) <= 6
