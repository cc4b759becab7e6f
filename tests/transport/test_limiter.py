"""The limiter's queue: its order, cancelled and lost waiters, pauses, threads and event loops."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
import time
from types import ModuleType
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internals import group_of

from upbit_async.errors import RateLimited
from upbit_async.protocol import sliding_window
from upbit_async.transport import shared_clock
from upbit_async.transport.limiter import LocalLimiter, NoLimiter, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable

ONE_PLACE = {"default": 2}


async def test_refusal_pauses_its_group_only() -> None:
    limiter = LocalLimiter()
    limiter.refuse(await limiter.acquire("default"), 5.0)
    before = anyio.current_time()
    limiter.observe(await limiter.acquire("order"), None)
    assert anyio.current_time() == before
    await limiter.acquire("default")
    assert anyio.current_time() - before >= 5.0


async def test_limiter_serves_waiters_in_order() -> None:
    order: list[int] = []
    limiter = LocalLimiter(ONE_PLACE)

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
async def test_cancelled_waiters_leave_nothing_behind(ticks: int) -> None:
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
    group = group_of(limiter, "default")
    assert (group.queue, group.checks_at, group.window.in_flight) == ([], {}, 0)
    with anyio.fail_after(1.1):
        await limiter.acquire("default")


@given(st.lists(st.none() | st.floats(0, 12), min_size=1, max_size=12))
@settings(max_examples=40)
async def test_remaining_waiters_keep_their_order_without_gaps(
    limits: list[float | None],
) -> None:
    order: list[int] = []
    limiter = LocalLimiter(ONE_PLACE)

    async def one(number: int, seconds: float | None) -> None:
        with anyio.move_on_after(seconds):
            ticket = await limiter.acquire("default")
            order.append(number)
            limiter.observe(ticket, None)

    began = anyio.current_time()
    limiter.observe(await limiter.acquire("default"), None)
    async with anyio.create_task_group() as tasks:
        for number, seconds in enumerate(limits):
            tasks.start_soon(one, number, seconds)
            await anyio.lowlevel.checkpoint()
    assert order == sorted(order)
    assert set(order) >= {number for number, seconds in enumerate(limits) if seconds is None}
    if limits[-1] is None:
        assert anyio.current_time() - began <= len(order) * (1.002 + 0.15)


async def test_queue_moves_up_when_waiters_in_front_are_cancelled() -> None:
    limiter = LocalLimiter()
    for _ in range(29):
        limiter.observe(await limiter.acquire("default"), None)
    began = anyio.current_time()
    async with anyio.create_task_group() as patient, anyio.create_task_group() as hasty:
        for _ in range(200):
            hasty.start_soon(limiter.acquire, "default")
        for _ in range(29):
            patient.start_soon(limiter.acquire, "default")
        await anyio.sleep(0.5)
        hasty.cancel_scope.cancel()
    assert anyio.current_time() - began < 3


async def test_long_queue_needs_few_window_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = 0
    delay = sliding_window.SlidingWindow.delay

    def counting(self: sliding_window.SlidingWindow, ahead: int, now: float) -> float:
        nonlocal checks
        checks += 1
        return delay(self, ahead, now)

    monkeypatch.setattr(sliding_window.SlidingWindow, "delay", counting)
    limiter = LocalLimiter()
    with anyio.move_on_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(1000):
                tasks.start_soon(limiter.acquire, "default")
    assert checks <= 1000 + 10 * 700


async def test_full_budget_in_flight_is_waited_for() -> None:
    limiter = LocalLimiter(ONE_PLACE)
    ticket = await limiter.acquire("default")
    before = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.acquire, "default")
        await anyio.sleep(5)
        limiter.observe(ticket, None)
    assert anyio.current_time() - before == pytest.approx(6.002, abs=0.03)


async def test_tickets_of_calls_that_never_end_expire() -> None:
    limiter = LocalLimiter({"default": 3})
    for _ in range(2):
        await limiter.acquire("default")  # as a call does whose event loop is closed before it ends
    await anyio.sleep(121)
    with anyio.fail_after(1):
        await limiter.acquire("default")


async def test_pause_beyond_the_deadline_is_raised_at_once() -> None:
    limiter = LocalLimiter()
    limiter.refuse(await limiter.acquire("default"), 100)
    before = anyio.current_time()
    with pytest.raises(RateLimited) as caught, anyio.fail_after(3):
        await limiter.acquire("default")
    assert anyio.current_time() == before
    assert caught.value.retry_after > 90


async def test_pause_that_begins_while_waiting_is_raised_if_too_long() -> None:
    limiter = LocalLimiter(ONE_PLACE)
    ticket = await limiter.acquire("default")

    async def be_refused() -> None:
        await anyio.sleep(1)
        limiter.refuse(ticket, 100)

    before = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(be_refused)
        with pytest.raises(RateLimited), anyio.fail_after(30):
            await limiter.acquire("default")
    assert anyio.current_time() - before <= 1.1


async def test_no_limiter_never_waits() -> None:
    limiter, before = NoLimiter(), anyio.current_time()
    for _ in range(100):
        ticket: Ticket = await limiter.acquire("default")
        limiter.observe(ticket, 0)
        limiter.refuse(ticket, 60)
    assert anyio.current_time() == before


def test_waiter_of_a_closed_event_loop_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = LocalLimiter(ONE_PLACE)
    loop = asyncio.new_event_loop()
    left_behind = [loop.create_task(limiter.acquire("default")) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    later = time.monotonic() + 200
    monkeypatch.setattr(shared_clock, "now", lambda: later)

    async def come_later() -> None:
        with anyio.fail_after(1):
            await limiter.acquire("default")

    anyio.run(come_later)
    for task in left_behind:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's
        task.get_coro().close()


async def test_skipped_waiter_still_gets_its_turn() -> None:
    limiter = LocalLimiter(ONE_PLACE)
    order: list[int] = []

    async def one(number: int) -> None:
        ticket = await limiter.acquire("default")
        order.append(number)
        limiter.observe(ticket, None)

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
        group = group_of(limiter, "default")
        for waiting in group.checks_at:
            group.checks_at[waiting] -= 100  # as if the process had slept
    assert order == [0, 1, 2, 3]


async def test_ticket_returned_by_the_garbage_collector_deadlocks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limiter = LocalLimiter()
    ticket = await limiter.acquire("default")
    now = shared_clock.now

    def ending_a_call() -> float:
        monkeypatch.undo()
        limiter.observe(ticket, None)
        return now()

    monkeypatch.setattr(shared_clock, "now", ending_a_call)
    await limiter.acquire("default")
    assert group_of(limiter, "default").window.in_flight == 1


def test_threads_and_event_loops_share_one_limiter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sliding_window, "WINDOW", 0.05)
    limiter = LocalLimiter({"default": 6})
    tickets: list[Ticket] = []

    async def call_ten_times() -> None:
        for _ in range(10):
            tickets.append(await limiter.acquire("default"))
            limiter.observe(tickets[-1], None)

    threads = [
        threading.Thread(target=functools.partial(anyio.run, call_ten_times, backend=backend))
        for backend in ("asyncio", "trio", "asyncio", "trio")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    times = sorted(ticket.taken_at for ticket in tickets)
    assert len(times) == 40
    assert min(later - earlier for earlier, later in zip(times, times[5:], strict=False)) >= 0.05


async def test_limiter_holds_no_objects_of_an_event_loop() -> None:
    limiter = LocalLimiter(ONE_PLACE)
    limiter.observe(await limiter.acquire("default"), 1)
    kinds: set[type] = set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.acquire, "default")
        await anyio.sleep(0.5)
        kinds |= {type(part) for part in _parts(limiter)}
        tasks.cancel_scope.cancel()
    assert {kind.__module__.partition(".")[0] for kind in kinds} <= {"builtins", "_thread", "upbit_async"}
    assert not any(kind.__name__ in {"function", "method", "coroutine", "generator"} for kind in kinds)


def _parts(whole: object) -> Iterable[object]:
    """Yield everything that an object refers to, except classes and modules."""
    seen: dict[int, object] = {id(whole): whole}
    waiting = [whole]
    while waiting:
        for part in gc.get_referents(waiting.pop()):
            if id(part) not in seen and not isinstance(part, (type, ModuleType)):
                seen[id(part)] = part
                waiting.append(part)
    return seen.values()


def test_budget_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="group 'default' must be at least one call a second, not 0"):
        LocalLimiter({"default": 0})
