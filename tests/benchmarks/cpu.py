"""CPU per call, compared with raw httpx with a hand-made token and ``json.loads``, all in turn in one process.

The server runs in a separate process. All clients are open at the same time, each with as many connections as
it uses for fifty calls at once.
"""

from __future__ import annotations

import functools
import gc
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import attrs
from contenders import CCXT, SDK, Calls, Make, ccxt, injected, ours, raw_httpx, upbit_sdk, without_missing
from peer import serving
from table import ratios, show, spread

from upbit_async import NoLimiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 5
RAW = "raw httpx"
LIMITED = "upbit_async, its own limiter"
FREE = NoLimiter()
CLIENTS: dict[str, Make] = {
    "upbit_async": functools.partial(ours, limiter=FREE),
    RAW: raw_httpx,
    "raw httpx, one connection": functools.partial(raw_httpx, connections=1),
    LIMITED: ours,
    "upbit_async on httpx2": functools.partial(ours, limiter=FREE, make_http=injected("httpx2")),
    "upbit_async on httpx-aiohttp": functools.partial(
        ours, limiter=FREE, make_http=injected("httpx-aiohttp")
    ),
    f"{SDK} (typed)": upbit_sdk,
    f"{CCXT}, unthrottled (dicts)": functools.partial(ccxt, throttle=False),
}


@attrs.frozen
class Task:
    """A call: how often it is made, and how many run at once."""

    title: str
    call: str
    calls: int
    at_once: int

    def on(self, calls: Calls) -> Callable[[], Awaitable[object]]:
        call: Callable[[], Awaitable[object]] = getattr(calls, self.call)
        return call


TASKS = (
    Task("small, one", "small", 200, 1),
    Task("small, 50 at once", "small", 300, 50),
    Task("300 rows, one", "wallets", 60, 1),
    Task("300 rows, 50 at once", "wallets", 100, 50),
)
# At the pace of the limits, about two seconds each.
LIMITED_TASKS = tuple(attrs.evolve(task, calls=58) for task in TASKS[:2])
Figures = dict[tuple[str, str], list[float]]


async def _cpu(call: Callable[[], Awaitable[object]], calls: int, at_once: int) -> float:
    """Return the CPU milliseconds of one call."""
    left = calls

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    gc.collect()
    began = time.process_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(worker)
    return (time.process_time() - began) * 1000 / calls


async def _measure(clients: dict[str, Make]) -> Figures:
    figures: Figures = {}
    with serving() as url:
        async with AsyncExitStack() as stack:
            opened = {name: await stack.enter_async_context(make(url)) for name, make in clients.items()}
            for calls in opened.values():
                await _cpu(calls.small, 50, 50)
            for _ in range(ROUNDS):
                for number, task in enumerate(TASKS):
                    for name, calls in opened.items():
                        if name == LIMITED and number >= len(LIMITED_TASKS):
                            continue
                        this = LIMITED_TASKS[number] if name == LIMITED else task
                        one = await _cpu(this.on(calls), this.calls, this.at_once)
                        figures.setdefault((name, task.title), []).append(one)
    return figures


def main() -> None:
    """Print the table."""
    clients = without_missing(CLIENTS)
    figures = anyio.run(_measure, clients)
    head = ("", *(task.title for task in TASKS))
    rows = [(name, *(_ratio(figures, name, task.title) for task in TASKS)) for name in clients]
    show(f"CPU per call over raw httpx (medians of {ROUNDS} rounds, least-most)", head, rows)
    raw = [spread(figures[RAW, task.title], 3, " ms") for task in TASKS]
    show("raw httpx itself", head, [("", *raw)])


def _ratio(figures: Figures, name: str, title: str) -> str:
    if (name, title) not in figures:
        return "-"
    return spread(ratios(figures[name, title], figures[RAW, title]))


if __name__ == "__main__":
    main()
