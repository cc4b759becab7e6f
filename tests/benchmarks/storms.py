"""Many tasks that call with random short deadlines, then one call: how soon is it answered?"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from typing import TYPE_CHECKING

import anyio
import attrs
from contenders import CCXT, SDK, Calls, Make, ccxt, ours, upbit_sdk, without_missing
from peer import serving
from table import show

from upbit_async import NoLimiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECONDS = 8.0
SIZES = (20, 60, 150)
LONGEST_DEADLINE = 0.06
LAG = 0.05
PATIENCE = 2.0


@attrs.frozen
class Entrant:
    """Who stands in the storm, on which event loop; asyncio's deadlines are its own."""

    make: Make
    backend: str = "asyncio"

    async def call(self, call: Callable[[], Awaitable[object]], seconds: float) -> None:
        if self.backend == "asyncio":
            async with asyncio.timeout(seconds):
                await call()
        else:
            with anyio.fail_after(seconds):
                await call()


_OURS = functools.partial(ours, limiter=NoLimiter())
ENTRANTS = {
    "upbit_async, asyncio": Entrant(_OURS),
    "upbit_async, trio": Entrant(_OURS, "trio"),
    SDK: Entrant(upbit_sdk),
    f"{CCXT}, unthrottled": Entrant(functools.partial(ccxt, throttle=False)),
}


async def _storm(entrant: Entrant, url: str, tasks: int) -> str:
    finished = cancelled = failed = 0
    chance = random.Random(tasks)

    async def worker(calls: Calls) -> None:
        nonlocal finished, cancelled, failed
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                await entrant.call(calls.page, chance.random() * LONGEST_DEADLINE)
                finished += 1
            except TimeoutError:
                cancelled += 1
            except Exception:  # noqa: BLE001 - a lost pool, say
                failed += 1
                await anyio.sleep(LONGEST_DEADLINE)

    async with entrant.make(url) as calls:
        async with anyio.create_task_group() as group:
            for _ in range(tasks):
                group.start_soon(worker, calls)
        began = time.monotonic()
        try:
            await entrant.call(calls.page, PATIENCE)
            after = f"then {time.monotonic() - began:.3f} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, its name is shown
            after = f"then {type(error).__name__} after {time.monotonic() - began:.1f} s"
    return f"{finished}/{cancelled}/{failed}, {after}"


def main() -> None:
    """Print the table."""
    entrants = without_missing(ENTRANTS)
    cells: dict[str, list[str]] = {name: [] for name in entrants}
    for tasks in SIZES:
        for name, entrant in entrants.items():
            with serving(lag=LAG) as url:
                cells[name].append(anyio.run(_storm, entrant, url, tasks, backend=entrant.backend))
    show(
        f"storms of {SECONDS:g} s with random deadlines up to {LONGEST_DEADLINE * 1000:g} ms: "
        "finished/cancelled/failed, then one call",
        ("", *(f"{tasks} tasks" for tasks in SIZES)),
        [(name, *each) for name, each in cells.items()],
    )


if __name__ == "__main__":
    main()
