"""Hundreds and thousands who wait at once, stay, or come and go."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import random
import statistics
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from virtual_time import VirtualTimeLoop

from upbit_async import errors
from upbit_async.models import Withdrawal
from upbit_async.policy import PollSchedule
from upbit_async.polling.schedule import wait_after
from upbit_async.polling.subscription import WatchedTransfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from tests.polling.conftest import FakeTransferList
    from upbit_async.polling import WithdrawalPoller

    Alive: TypeAlias = Callable[[], tuple[int, int]]

pytestmark = pytest.mark.thorough

SCHEDULE = PollSchedule()


def sweeps(times: Sequence[float], gap: float) -> list[int]:
    """Count the requests of each sweep; more than a gap lies between two."""
    counts: list[int] = []
    last = -math.inf
    for at in times:
        if at - last > gap:
            counts.append(0)
        counts[-1] += 1
        last = at
    return counts


def instances(kind: type) -> int:
    gc.collect()
    return sum(isinstance(each, kind) for each in gc.get_objects())


def looks_alone(seconds: float) -> int:
    """Count the looks that one who waits alone would take in a time."""
    looks = 1
    after = 0.0
    while (after := after + wait_after(SCHEDULE, after)) < seconds:
        looks += 1
    return looks


class Throttle:
    """Lets 29 calls begin in a second, in the order of their coming, as the limiter does."""

    def __init__(self) -> None:
        self._free = -math.inf

    def delay(self) -> float:
        now = anyio.current_time()
        self._free = max(self._free + 1 / 29, now)
        return self._free - now


# --- they stay ---


@pytest.mark.parametrize("latency", [0.0, 0.03])
async def test_a_thousand_cost_ten_requests_a_sweep_and_leave_nothing_behind(
    desk_for: type[FakeTransferList], alive: Alive, latency: float
) -> None:
    desk = desk_for(SCHEDULE)
    desk.latency = latency
    pollers = [
        desk.open(f"u{number}", (0, "WAITING"), (100 + number % 7, "PROCESSING"), (300, "DONE"))
        for number in range(1000)
    ]
    before = alive()

    ended = await desk.outcomes(*pollers)

    assert set(ended) == {"DONE"}
    assert max(sweeps(desk.times(), latency + 0.05)) == 10
    assert len(desk.requests) <= 10 * 3 * 13  # looks after 1 s, 1.5 s, ... 30 s, and again after each change
    assert desk.watcher.watched == 0
    assert alive() == before


async def test_who_are_cancelled_in_the_midst_of_a_sweep_leave_nothing_behind(
    desk: FakeTransferList, alive: Alive
) -> None:
    desk.latency = 1
    before = alive()
    with anyio.move_on_after(1.5):
        await desk.outcomes(*(desk.open(f"u{number}", (0, "PROCESSING")) for number in range(1000)))
    await anyio.lowlevel.checkpoint()  # asyncio lets go of the cancelled tasks
    gc.collect()

    assert alive() == before
    assert instances(WatchedTransfer) == 0
    assert len(desk.requests) == 6
    await anyio.sleep(3600)
    assert len(desk.requests) == 6


async def test_who_has_looked_for_others_does_not_hold_on_to_them(desk: FakeTransferList) -> None:
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b"):
            tasks.start_soon(desk.open(name, (0, "PROCESSING")).wait)
        with anyio.move_on_after(5):
            await desk.outcomes(desk.open("c", (0, "PROCESSING")))
        await anyio.lowlevel.checkpoint()  # asyncio lets go of the cancelled tasks
        gc.collect()
        assert instances(WatchedTransfer) == 2
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("aligned", [True, False])
async def test_a_thousand_changes_are_seen_within_a_schedule_step(
    desk_for: type[FakeTransferList], aligned: bool
) -> None:
    desk = desk_for(SCHEDULE)
    desk.latency = 0.05
    dice = random.Random(7)
    late: list[float] = []  # in steps of the schedule
    sweep = 11 * desk.latency  # for so long a transfer may stand in line

    async def follow(poller: WithdrawalPoller, changes_at: list[float]) -> None:
        quiet_since = anyio.current_time()
        async for change in poller.changes():
            now = anyio.current_time()
            happened = changes_at[["WAITING", "PROCESSING", "DONE"].index(change.state.value)]
            step = wait_after(SCHEDULE, happened - quiet_since) * (1 + SCHEDULE.jitter)
            assert 0 <= now - happened <= step + sweep
            late.append((now - happened) / step)
            quiet_since = now

    async with anyio.create_task_group() as tasks:
        for number in range(1000):
            first = dice.uniform(0, 60)
            moments = [0, first, first + dice.uniform(1, 60)]
            poller = desk.open(f"u{number}", *zip(moments, ("WAITING", "PROCESSING", "DONE"), strict=True))
            began = anyio.current_time()
            tasks.start_soon(follow, poller, [began + moment for moment in moments])
            if not aligned:
                await anyio.sleep(dice.uniform(0, 0.05))

    assert statistics.median(late) < 0.6
    assert desk.watcher.watched == 0


async def test_ten_thousand_are_looked_at_in_four_seconds_at_thirty_a_second(
    desk_for: type[FakeTransferList],
) -> None:
    desk = desk_for(SCHEDULE)
    throttle = Throttle()
    answered: list[float] = []

    def lag() -> float:
        lag = throttle.delay() + 0.1
        answered.append(anyio.current_time() + lag)
        return lag

    desk.lag = lag
    async with anyio.create_task_group() as tasks:
        for number in range(10_000):
            tasks.start_soon(desk.open(f"u{number}", (0, "PROCESSING")).wait)
        await anyio.sleep(8)
        tasks.cancel_scope.cancel()

    for sweep in (0, 1):
        requests = desk.requests[100 * sweep : 100 * (sweep + 1)]
        assert len({uuid for _, uuids in requests for uuid in uuids}) == 10_000
        assert answered[100 * sweep + 99] - requests[0][0] <= 4
    assert desk.most_under_way == 3
    assert desk.watcher.watched == 0


@pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"loop_factory": VirtualTimeLoop})], ids=["asyncio-virtual"]
)
async def test_ten_thousand_would_take_no_more_than_forty_mebibytes(
    desk_for: type[FakeTransferList], make: Callable[..., Withdrawal]
) -> None:
    desk, others = desk_for(SCHEDULE), instances(Withdrawal)
    count = 1000
    names = [f"00000000-0000-4000-8000-{number:012}" for number in range(count)]
    for name in names:
        desk.open(name, (0, "PROCESSING"))
    gc.collect()
    tracemalloc.start()
    try:
        waits = [asyncio.create_task(desk.poller(name).wait()) for name in names]
        taken = [await memory_after(seconds, desk) for seconds in (2, 120)]
        assert instances(Withdrawal) - others == count, "each keeps its latest record only"
    finally:
        tracemalloc.stop()
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)

    assert max(taken) / count <= 40 * 2**20 / 10_000
    assert desk.watcher.watched == 0


async def memory_after(seconds: float, desk: FakeTransferList) -> int:
    """Return the bytes that are allocated after some virtual time, without the logs of the desk."""
    await anyio.sleep(seconds)
    desk.requests.clear()
    desk.events.clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# --- they come and go ---


class Bustle:
    """Hundreds of waiters of all kinds for some dozens of transfers, on a bad line."""

    STATES = ("WAITING", "PROCESSING", "MOONED", "DANCING")
    ENDS = ("DONE", "FAILED", "CANCELLED", "REJECTED")
    TROUBLE_ENDS = 200.0
    LATE = SCHEDULE.longest * (1 + SCHEDULE.jitter) + 30  # a step, a slow look that fails, and the next

    def __init__(self, desk: FakeTransferList, seed: int) -> None:
        self.desk = desk
        self.dice = random.Random(seed)
        self.began = anyio.current_time()
        self.alone = 0
        self.ended: Counter[str] = Counter()
        desk.lag = lambda: 10 if self.dice.random() < 0.02 else self.dice.choice([0, 0.02, 0.3])
        desk.fault = lambda _uuids: self._fault()
        for number in range(60):
            moment, history = 0.0, list[tuple[float, str]]()
            for state in self.dice.sample([*self.STATES, "GONE"], k=self.dice.randrange(1, 5)):
                history.append((moment, state))
                moment += self.dice.choice([0.5, 5] if state == "GONE" else [0.5, 100]) * self.dice.random()
            history.append((moment, self.dice.choice(self.ENDS)))
            desk.open(f"u{number}", *history)

    def _fault(self) -> Exception | None:
        if anyio.current_time() > self.began + self.TROUBLE_ENDS or self.dice.random() < 0.8:
            return None
        return self.dice.choice([errors.TransportError("no answer"), errors.ServerError("down", status=503)])

    async def visit(self) -> None:
        await anyio.sleep(self.dice.uniform(0, 150))
        name = f"u{self.dice.randrange(60)}"
        poller = self.desk.poller(self.dice.choice([name, name.upper()]))
        way = self.dice.choice([self.stay, self.follow, self.give_up, self.run_out, self.be_torn_away])
        came = anyio.current_time()
        await way(poller)
        self.ended[way.__name__] += 1
        self.alone += looks_alone(anyio.current_time() - came)

    def _end(self, poller: WithdrawalPoller) -> tuple[float, str]:
        """Return when and in which state a transfer is final."""
        return self.desk.histories[poller.uuid.casefold()][-1]

    async def stay(self, poller: WithdrawalPoller) -> None:
        came = anyio.current_time()
        record = await poller.wait()
        since, state = self._end(poller)
        assert record.state.value == state
        assert anyio.current_time() <= max(since, came, self.began + self.TROUBLE_ENDS) + self.LATE

    async def follow(self, poller: WithdrawalPoller) -> None:
        told = [change.state.value async for change in poller.changes()]
        shown = iter([state for _, state in self.desk.histories[poller.uuid.casefold()]])
        assert all(state in shown for state in told), "each once, in order"
        assert told[-1] == self._end(poller)[1]

    async def give_up(self, poller: WithdrawalPoller) -> None:
        with anyio.move_on_after(self.dice.choice([0, 0.01, 1, 40])):
            await poller.wait()

    async def run_out(self, poller: WithdrawalPoller) -> None:
        came, seconds = anyio.current_time(), self.dice.choice([0, 1, 40])
        with contextlib.suppress(errors.PollTimeout):
            await poller.wait(timeout=seconds)
            return
        assert came + seconds <= anyio.current_time() <= came + seconds + 20

    async def be_torn_away(self, poller: WithdrawalPoller) -> None:
        if anyio.get_cancelled_exc_class() is not asyncio.CancelledError:
            return await self.give_up(poller)
        wait = asyncio.ensure_future(poller.wait())
        await anyio.sleep(self.dice.choice([0, 0.01, 0.3, 1, 40]))
        for _ in range(self.dice.randrange(4)):
            await asyncio.sleep(0)
        wait.cancel()
        await asyncio.wait([wait])
        return None


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_comes_goes_or_is_cancelled_nobody_stalls_and_nothing_is_lost(
    desk_for: type[FakeTransferList], alive: Alive, seed: int
) -> None:
    desk = desk_for(SCHEDULE)
    before = alive()
    bustle = Bustle(desk, seed)

    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(bustle.visit)

    assert bustle.ended.total() == 400
    assert len(desk.requests) <= 400 < bustle.alone, "nobody costs more than a request"
    assert desk.most_under_way <= 3
    assert desk.watcher.watched == 0
    assert alive() == before
