"""Two hundred reads at once, against a server that allows thirty in any second."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import anyio
from contenders import CCXT, SDK, Calls, Make, ccxt, ours, upbit_sdk, without_missing
from peer import counts, serving
from table import show

CALLS = 200
LIMIT = 30
CLIENTS: dict[str, Make] = {"upbit_async": ours, SDK: upbit_sdk, CCXT: ccxt}


async def _rush(make: Make, url: str, clients: int) -> tuple[int, float]:
    """Return how many calls were answered, and the seconds that all took."""
    done = 0

    async def read(calls: Calls) -> None:
        nonlocal done
        try:
            await calls.page()
            done += 1
        except Exception:  # noqa: BLE001, S110 - lost, whatever the reason
            pass

    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(make(url)) for _ in range(clients)]
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(CALLS):
                tasks.create_task(read(opened[number % clients]))
        return done, time.monotonic() - began


def main() -> None:
    """Print the table."""
    rows: list[tuple[str, ...]] = []
    chosen = without_missing(CLIENTS)
    for clients in (1, 2):
        for name, make in chosen.items():
            with serving(limit=LIMIT) as url:
                done, seconds = anyio.run(_rush, make, url, clients)
                refused = counts(url)["refused"]
            rows.append((f"{name}, {clients} client(s)", str(done), str(refused), f"{seconds:.1f} s"))
    show(
        f"{CALLS} reads at once on one key, {LIMIT} allowed in any second",
        ("", "answered", "429 seen", "all took"),
        rows,
    )


if __name__ == "__main__":
    main()
