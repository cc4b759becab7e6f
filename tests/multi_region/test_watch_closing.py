"""`watch`: leaving the iteration early."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from region_pollers import begun_everywhere, watched

if TYPE_CHECKING:
    from upbit_async import (
        Region,
        UpbitRegions,
    )
    from upbit_async.models import Withdrawal
    from upbit_async.polling import RegionChanges
    from upbit_async.sandbox import Sandbox


async def test_break_stops_all_polling(regions: UpbitRegions, sandboxes: dict[Region, Sandbox]) -> None:
    pollers = await begun_everywhere(regions)
    for sandbox in sandboxes.values():
        sandbox.requests.clear()
    async for _ in regions.watch(pollers):
        assert watched(regions) == 3
        break
    assert watched(regions) == 0
    polls = [len(sandbox.requests) for sandbox in sandboxes.values()]
    assert max(polls) == 1
    await anyio.sleep(3600)
    assert [len(sandbox.requests) for sandbox in sandboxes.values()] == polls


async def test_aclose_ends_the_iteration(regions: UpbitRegions) -> None:
    pollers = await begun_everywhere(regions)
    async with contextlib.aclosing(regions.watch(pollers)) as changes:
        async for _ in changes:
            break
        assert watched(regions) == 3
    assert watched(regions) == 0
    assert [change async for change in changes] == []
    unused = regions.watch(pollers)
    await unused.aclose()
    await unused.aclose()
    assert [change async for change in unused] == []


async def test_cancelling_the_loop_stops_all_polling(regions: UpbitRegions) -> None:
    pollers = await begun_everywhere(regions)

    async def watch() -> None:
        async for _ in regions.watch(pollers):
            pass

    with anyio.move_on_after(100) as scope:
        await watch()
    assert scope.cancelled_caught
    await anyio.lowlevel.checkpoint()  # asyncio drops the cancelled task
    assert watched(regions) == 0


async def test_concurrent_steps_are_refused(regions: UpbitRegions) -> None:
    changes = regions.watch(await begun_everywhere(regions))
    for _ in range(3):
        await anext(changes)

    async def step(changes: RegionChanges[Withdrawal]) -> None:
        await anext(changes)

    async with anyio.create_task_group() as group:
        group.start_soon(step, changes)
        await anyio.sleep(1)
        with pytest.raises(anyio.BusyResourceError):
            await anext(changes)
        with pytest.raises(anyio.BusyResourceError):
            await changes.aclose()
        group.cancel_scope.cancel()
