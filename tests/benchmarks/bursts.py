"""Ten bursts of fifty calls: how many connections they open."""

from __future__ import annotations

import functools

import anyio
from contenders import CCXT, SDK, Make, ccxt, ours, raw_httpx, upbit_sdk, without_missing
from peer import counts, serving
from table import show

from upbit_async import NoLimiter

BURSTS = 10
AT_ONCE = 50
CLIENTS: dict[str, Make] = {
    "upbit_async": functools.partial(ours, limiter=NoLimiter()),
    "raw httpx, a pool of ten": raw_httpx,
    "raw httpx, a pool as it comes": functools.partial(raw_httpx, connections=100),
    SDK: upbit_sdk,
    f"{CCXT}, unthrottled": functools.partial(ccxt, throttle=False),
}


async def _burst(make: Make, url: str) -> None:
    async with make(url) as calls:
        for _ in range(BURSTS):
            async with anyio.create_task_group() as tasks:
                for _ in range(AT_ONCE):
                    tasks.start_soon(calls.page)


def main() -> None:
    """Print the table."""
    rows: list[tuple[str, str, str]] = []
    for name, make in without_missing(CLIENTS).items():
        with serving(lag=0.01) as url:
            anyio.run(_burst, make, url)
            seen = counts(url)
        rows.append((name, str(seen["requests"]), str(seen["connections"] - 1)))
    show(f"{BURSTS} bursts of {AT_ONCE} calls", ("", "requests", "connections opened"), rows)


if __name__ == "__main__":
    main()
