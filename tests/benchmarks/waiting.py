"""Cost of waiting for many withdrawals at once, compared with polling each alone.

Requests and delays are counted in virtual time, against a list that answers after a round trip and a limiter
that lets 29 calls a second begin. Memory and CPU are real, each in a separate process.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import anyio
from trio.testing import MockClock

from upbit_async import PollSchedule
from upbit_async.errors import DecodeError
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.polling import Watcher, WithdrawalPoller, wait_after, watcher
from upbit_async.protocol.decode import decode
from upbit_async.protocol.rows import ReadableRows
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

HOST = "sg-api.upbit.com"
SIZES = (100, 1_000, 10_000)
RATE = 29
SCHEDULE = PollSchedule()
STATES = ("WAITING", "PROCESSING", "DONE")
ROW = {
    "type": "withdraw",
    "currency": "USDT",
    "net_type": "TRX",
    "txid": "f" * 64,
    "state": "PROCESSING",
    "created_at": "2025-07-04T15:00:00",
    "done_at": None,
    "amount": "13.25",
    "fee": "1.0",
    "transaction_type": "default",
    "is_cancelable": False,
}
MEBIBYTE = 2**20


def _names(count: int) -> list[str]:
    dice = random.Random(count)
    return [str(uuid.UUID(int=dice.getrandbits(128))) for _ in range(count)]


class Listing:
    """Upbit's list, in which each withdrawal goes on at its moments.

    Args:
        round_trip: Seconds to the exchange and back.
        poisoned: Withdrawals whose rows can't be read.
        by_rows: Whether the list is read row by row, as clients do, or fails as a whole.
    """

    def __init__(
        self, round_trip: float, *, poisoned: frozenset[str] = frozenset(), by_rows: bool = False
    ) -> None:
        self._poisoned = poisoned
        self._by_rows = by_rows
        self.moments: dict[str, list[float]] = {}
        self.polls: list[tuple[float, Sequence[str]]] = []
        self._round_trip = round_trip
        self._free = 0.0
        self._watcher = Watcher[Withdrawal](self._fetch, SCHEDULE, kind="withdrawal", host=HOST)

    def open(self, name: str, *moments: float) -> WithdrawalPoller:
        """Return a poller for a withdrawal that is in another state from each moment on."""
        self.moments[name] = list(moments)
        return WithdrawalPoller(name, watcher=self._watcher, region=Region.SG, host=HOST)

    async def _fetch(self, uuids: Sequence[str]) -> list[Withdrawal] | ReadableRows[Withdrawal]:
        self._free = max(self._free + 1 / RATE, anyio.current_time())
        await anyio.sleep_until(self._free + self._round_trip / 2)
        rows = [self._row(name) for name in uuids]
        await anyio.sleep(self._round_trip / 2)
        self.polls.append((anyio.current_time(), uuids))
        odd = tuple(
            DecodeError("no decimal", path=f"$[{number}].amount", uuid=name)
            for number, name in enumerate(uuids)
            if name in self._poisoned
        )
        if odd and not self._by_rows:
            raise odd[0]
        return ReadableRows(rows=[row for row in rows if row.uuid not in self._poisoned], unreadable=odd)

    def _row(self, name: str) -> Withdrawal:
        passed = sum(moment <= anyio.current_time() for moment in self.moments[name])
        return Withdrawal(
            uuid=name, currency="USDT", amount=Decimal(13), state=WithdrawalState(STATES[passed])
        )


def _virtually(call: Callable[[], Awaitable[None]]) -> None:
    anyio.run(call, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


async def one_sweep(count: int, round_trip: float, found: list[tuple[int, float]]) -> None:
    """Find the requests and the seconds until all who begin to wait at once are looked at."""
    listing = Listing(round_trip)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for name in _names(count):
            tasks.start_soon(listing.open(name).wait)
        await anyio.sleep(12)
        tasks.cancel_scope.cancel()
    missing = set(listing.moments)
    for requests, (ended, uuids) in enumerate(listing.polls, 1):
        missing.difference_update(uuids)
        if not missing:
            found.append((requests, ended - began))
            return


def _sweep(count: int, round_trip: float) -> tuple[int, float]:
    found: list[tuple[int, float]] = []
    _virtually(functools.partial(one_sweep, count, round_trip, found))
    return found[0]


async def changes(count: int) -> None:
    """Let each withdrawal change twice within five minutes, and print when that was seen."""
    listing = Listing(0.05)
    dice = random.Random(1)
    late: list[float] = []
    steps: list[float] = []
    alone = 0

    async def follow(poller: WithdrawalPoller, moments: list[float]) -> None:
        nonlocal alone
        quiet_since = anyio.current_time()
        async for change in poller.changes():
            now, place = anyio.current_time(), STATES.index(change.state.value)
            if place:
                late.append(now - moments[place - 1])
                steps.append(late[-1] / wait_after(SCHEDULE, moments[place - 1] - quiet_since))
            alone += _looks_alone(now - quiet_since)
            quiet_since = now

    async with anyio.create_task_group() as tasks:
        for name in _names(count):
            first = dice.uniform(0, 200)
            moments = [first, first + dice.uniform(10, 100)]
            tasks.start_soon(follow, listing.open(name, *moments), moments)
    print(
        f"  {count:6}  {len(listing.polls):6} requests, one by one {alone:6}; seen after "
        f"{statistics.median(late):4.1f} s ({statistics.median(steps):.2f} steps), "
        f"at worst {max(late):4.1f} s ({max(steps):.2f} steps)"
    )


async def poisoned_rows(*, by_rows: bool) -> None:
    """Let a hundred rows of a thousand be unreadable, and print when the others' two changes were seen."""
    names = _names(1_000)
    bad = frozenset(names[::10])
    listing = Listing(0.05, poisoned=bad, by_rows=by_rows)
    first_seen: list[float] = []
    late: list[float] = []
    began = anyio.current_time()

    async def follow(poller: WithdrawalPoller) -> None:
        async for change in poller.changes():
            now = anyio.current_time() - began
            if change.previous is None:
                first_seen.append(now)
            else:
                late.append(now - 100 * STATES.index(change.state.value))

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(follow, listing.open(name, began + 100, began + 200))
        await anyio.sleep(250)
        tasks.cancel_scope.cancel()
    settled = [uuids for at, uuids in listing.polls if 50 <= at - began < 100]
    shared = sum(not bad.issuperset(uuids) for uuids in settled)
    print(
        f"  {'row by row' if by_rows else 'as a whole':10}  {sum(at <= 20 for at in first_seen):3} of 900 good ones "
        f"seen within 20 s, all within {max(first_seen):4.1f} s; changes of {len(late) // 2} seen after "
        f"{max(late):4.1f} s at worst; from 50 s to 100 s {shared} requests for good ones, "
        f"{len(settled) - shared} for others"
    )


def _looks_alone(seconds: float) -> int:
    """Count the polls of a single waiter in a given time."""
    polls, after = 0, 0.0
    while after < seconds:
        polls += 1
        after += wait_after(SCHEDULE, after)
    return polls


def _resident() -> int:
    """Return the memory that this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


async def real_costs(count: int) -> None:
    """Print the mebibytes above idle, and the CPU milliseconds of a sweep."""
    names = _names(count)
    rows = {name: json.dumps({**ROW, "uuid": name}).encode() for name in names}
    polls = 0

    async def fetch(uuids: Sequence[str]) -> list[Withdrawal]:
        nonlocal polls
        polls += 1
        await asyncio.sleep(0.001)
        return decode(list[Withdrawal], b"[" + b",".join(map(rows.__getitem__, uuids)) + b"]", asked="")

    schedule = PollSchedule(factor=1, longest=1, jitter=0)
    watcher = Watcher[Withdrawal](fetch, schedule, kind="withdrawal", host=HOST)
    await fetch(names[:100])
    gc.collect()
    idle = _resident()
    tasks = [
        asyncio.ensure_future(WithdrawalPoller(name, watcher=watcher, region=Region.SG, host=HOST).wait())
        for name in names
    ]
    await asyncio.sleep(2)
    polls, began = 0, time.process_time()
    await asyncio.sleep(4)
    cpu = time.process_time() - began
    print(f"{(_resident() - idle) / MEBIBYTE:.1f} {cpu * 1000 / (polls / (count / 100)):.1f}")
    for task in tasks:
        task.cancel()


def main() -> None:
    """Print all of it."""
    print("all are looked at once, 50 ms there and back")
    for count in SIZES:
        requests, seconds = _sweep(count, 0.05)
        print(
            f"  {count:6}  {requests:4} requests in {seconds:5.2f} s; one by one {count:5} in {count / RATE:6.1f} s"
        )
    print(f"the same for {SIZES[-1]} at other distances")
    for round_trip in (0.005, 0.02, 0.05, 0.1):
        _, seconds = _sweep(SIZES[-1], round_trip)
        with mock.patch.object(watcher, "MAX_POLLS", 1):
            _, alone = _sweep(SIZES[-1], round_trip)
        print(
            f"  {round_trip * 1000:3.0f} ms  {seconds:5.2f} s; with one request after the other {alone:5.2f} s"
        )
    print("each changes twice in five minutes, 50 ms there and back")
    for count in SIZES:
        _virtually(functools.partial(changes, count))
    print("1000, of which 100 have rows that can't be read; two changes each")
    for by_rows in (False, True):
        _virtually(functools.partial(poisoned_rows, by_rows=by_rows))
    print("memory above idle, and CPU of a sweep with its decoding")
    for count in SIZES:
        command = [sys.executable, __file__, str(count)]
        cost = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        print(f"  {count:6}  {cost[0]:>5} MiB  {cost[1]:>6} ms")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(real_costs(int(sys.argv[1])))
    else:
        main()
