"""What happens under storms, bursts and limits: counted on real sockets."""

from __future__ import annotations

import asyncio
import functools
import random
import sys
import time
from typing import TYPE_CHECKING

import anyio
from peer import serving

from upbit_async import Credentials, NoLimiter, UpbitClient, errors
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEYS = Credentials("A" * 40, "S" * 40)
PATH = "/v1/withdraws/coin"
SECONDS = 8.0


async def _counts(client: UpbitClient) -> dict[str, int]:
    counts: dict[str, int] = await client.request("GET", "/counts")
    return counts


async def storm(tasks: int, *, natively: bool) -> None:
    """Let many tasks call with short deadlines, then measure how soon one call is answered."""
    with serving(lag=0.05) as url:
        async with UpbitClient("sg", credentials=KEYS, base_url=url, limiter=NoLimiter()) as client:
            end = time.monotonic() + SECONDS
            finished = cancelled = 0

            async def worker() -> None:
                nonlocal finished, cancelled
                while time.monotonic() < end:
                    try:
                        await _with_deadline(client.withdraws.list, random.random() * 0.06, natively=natively)
                        finished += 1
                    except TimeoutError:
                        cancelled += 1

            async with anyio.create_task_group() as group:
                for _ in range(tasks):
                    group.start_soon(worker)
            began = time.monotonic()
            await client.withdraws.list()
            way = "asyncio.timeout" if natively else "anyio.fail_after"
            print(
                f"  {tasks:3} tasks, {way:<16} finished {finished:5}, cancelled {cancelled:5}; "
                f"then one call: {time.monotonic() - began:.3f} s",
                flush=True,
            )


async def _with_deadline(call: Callable[[], Awaitable[object]], seconds: float, *, natively: bool) -> None:
    if natively:
        async with asyncio.timeout(seconds):
            await call()
    else:
        with anyio.fail_after(seconds):
            await call()


async def bursts() -> None:
    """Count the connections of ten bursts of fifty calls."""
    with serving() as url:
        async with UpbitClient("sg", credentials=KEYS, base_url=url, limiter=NoLimiter()) as client:
            for _ in range(10):
                async with anyio.create_task_group() as group:
                    for _ in range(50):
                        group.start_soon(client.withdraws.list)
            counts = await _counts(client)
            print(f"  {counts['requests'] - 1} calls on {counts['connections']} connections")


async def limits(clients: int) -> None:
    """Make 200 calls at once against 30 a second."""
    async with Sandbox("sg") as sandbox, sandbox.serve() as url:
        ours = [UpbitClient("sg", credentials=sandbox.credentials, base_url=url) for _ in range(clients)]
        began = time.monotonic()
        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(ours[number % clients].withdraws.list)
        seconds = time.monotonic() - began
        statuses = [request.status for request in sandbox.requests]
        print(
            f"  {clients} client(s): {statuses.count(200)} done, {statuses.count(429)} x 429, {seconds:.1f} s"
        )
        for client in ours:
            await client.aclose()


FAULTS = {
    "connection reset": Fault.lose_answer("POST", PATH, how="reset"),
    "connection closed": Fault.lose_answer("POST", PATH, how="close"),
    "answer cut off": Fault.lose_answer("POST", PATH, how="cut"),
    "never answered": Fault.lose_answer("POST", PATH, how="hang"),
    "201 in HTML": Fault.garbage("POST", PATH, body="html"),
    "201 empty": Fault.garbage("POST", PATH, body="empty"),
    "201 huge": Fault.garbage("POST", PATH, body="huge"),
    "201 compressed": Fault.garbage("POST", PATH, body="gzip"),
    "bare 429": Fault.status(429, "POST", PATH, body="empty"),
    **{
        f"{status} {'before' if before else 'after'} the work": Fault.status(
            status, "POST", PATH, before=before
        )
        for status in (307, 408, 409, 500, 502, 503, 504)
        for before in (True, False)
    },
}


async def lost_answers() -> None:
    """Count the requests and withdrawals of one call whose answer is lost."""
    for title, fault in FAULTS.items():
        async with Sandbox("sg") as sandbox, sandbox.serve() as url:
            async with UpbitClient("sg", credentials=sandbox.credentials, base_url=url) as client:
                sandbox.faults.add(fault)
                (address,) = await client.withdraws.addresses("USDT", "TRX")
                outcome = "no error"
                try:
                    with anyio.fail_after(30):
                        await client.withdraws.create(
                            currency="USDT", net_type="TRX", amount="13", address=address.withdraw_address
                        )
                except errors.UpbitError as error:
                    outcome = type(error).__name__
            posts = len(sandbox.requests.of("POST", PATH))
            print(f"  {title:<22} {outcome:<16} {posts} request, {len(sandbox.ledger.created)} withdrawal")


def main() -> None:
    """Print all of it."""
    print("lost answers: requests on the wire for one call")
    anyio.run(lost_answers)
    print("200 reads at once, 30 a second")
    for clients in (1, 2):
        anyio.run(limits, clients)
    print("ten bursts of 50 calls")
    anyio.run(bursts)
    print(f"storms of {SECONDS:g} s")
    for tasks in (20, 60, 150):
        for backend, natively in (("asyncio", True), ("asyncio", False), ("trio", False)):
            sys.stdout.write(f"  {backend:<8}")
            sys.stdout.flush()
            anyio.run(functools.partial(storm, tasks, natively=natively), backend=backend)


if __name__ == "__main__":
    main()
