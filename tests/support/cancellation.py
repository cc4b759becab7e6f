"""Ways to cancel a call after some steps, and what must hold afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import anyio.lowlevel
from internals import held_locks

from upbit_async.concurrency import is_asyncio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.payouts import Payouts

__all__ = ["WAYS", "Way", "assert_nothing_is_left", "by_scope", "insisting", "natively", "other_tasks"]

Way: TypeAlias = "Callable[[Callable[[], Awaitable[Any]], int], Awaitable[None]]"
"""Function that calls another one and cancels it after a number of steps."""


async def by_scope(call: Callable[[], Awaitable[Any]], steps: int) -> None:
    """Cancel by anyio's scope."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def cancel() -> None:
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                scope.cancel()

            tasks.start_soon(cancel)
            await call()
            tasks.cancel_scope.cancel()


async def natively(call: Callable[[], Awaitable[Any]], steps: int) -> None:
    """Cancel by asyncio's own means, once."""
    await _cancel_task(call, steps, times=1)


async def insisting(call: Callable[[], Awaitable[Any]], steps: int) -> None:
    """Cancel by asyncio's own means, again and again."""
    await _cancel_task(call, steps, times=5)


async def _cancel_task(call: Callable[[], Awaitable[Any]], steps: int, *, times: int) -> None:
    if not is_asyncio():  # trio knows no other way
        await by_scope(call, steps)
        return
    task = asyncio.ensure_future(call())
    for _ in range(steps):
        await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


WAYS: list[Way] = [by_scope, natively, insisting]


def other_tasks() -> set[asyncio.Task[Any]]:
    """Return the tasks of the event loop except for the present one; on trio no task outlives its caller."""
    if not is_asyncio():
        return set()
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def assert_nothing_is_left(payouts: Payouts, before: set[asyncio.Task[Any]]) -> None:
    """Check that a call that has ended has left no task and no lock."""
    await anyio.lowlevel.checkpoint()
    assert other_tasks() - before == set()
    assert held_locks(payouts) == []
