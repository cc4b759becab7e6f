"""The watcher under load: thousands of waits at once, some of them short or cancelled."""

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
from transfer_list import FakeTransferList, living_tasks
from virtual_time import VirtualTimeLoop

from upbit_async import errors
from upbit_async.models import Withdrawal
from upbit_async.policy import PollSchedule
from upbit_async.polling.schedule import wait_after
from upbit_async.polling.subscription import WatchedTransfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

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


def polls_alone(seconds: float) -> int:
    """Count the polls that a single waiter would make in this time."""
    polls = 1
    after = 0.0
    while (after := after + wait_after(SCHEDULE, after)) < seconds:
        polls += 1
    return polls


class Throttle:
    """A limit of 29 calls a second, served in order of arrival, as the limiter sets it."""

    def __init__(self) -> None:
        self._free = -math.inf

    def delay(self) -> float:
        now = anyio.current_time()
        self._free = max(self._free + 1 / 29, now)
        return self._free - now


# --- waits that last ---


@pytest.mark.parametrize("latency", [0.0, 0.03])
async def test_a_thousand_waits_need_ten_requests_a_sweep(latency: float) -> None:
    transfers = FakeTransferList(SCHEDULE)
    transfers.latency = latency
    pollers = [
        transfers.open(f"u{number}", (0, "WAITING"), (100 + number % 7, "PROCESSING"), (300, "DONE"))
        for number in range(1000)
    ]
    before = living_tasks()

    ended = await transfers.outcomes(*pollers)

    assert set(ended) == {"DONE"}
    assert max(sweeps(transfers.times(), latency + 0.05)) == 10
    assert (
        len(transfers.requests) <= 10 * 3 * 13
    )  # polls after 1 s, 1.5 s, ... 30 s, and again after each change
    assert transfers.watcher.watched == 0
    assert living_tasks() == before


async def test_waits_cancelled_during_a_sweep_leave_nothing_behind(
    transfers: FakeTransferList,
) -> None:
    transfers.latency = 1
    before, others = (
        living_tasks(),
        instances(WatchedTransfer),
    )  # errors that other tests hold may refer to some
    with anyio.move_on_after(1.5):
        await transfers.outcomes(*(transfers.open(f"u{number}", (0, "PROCESSING")) for number in range(1000)))
    await anyio.lowlevel.checkpoint()  # asyncio drops the cancelled tasks
    gc.collect()

    assert living_tasks() == before
    assert instances(WatchedTransfer) == others
    assert len(transfers.requests) == 6
    await anyio.sleep(3600)
    assert len(transfers.requests) == 6


async def test_waiter_that_polled_for_others_keeps_no_reference_to_them(transfers: FakeTransferList) -> None:
    others = instances(WatchedTransfer)
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b"):
            tasks.start_soon(transfers.open(name, (0, "PROCESSING")).wait)
        with anyio.move_on_after(5):
            await transfers.outcomes(transfers.open("c", (0, "PROCESSING")))
        await anyio.lowlevel.checkpoint()  # asyncio drops the cancelled tasks
        gc.collect()
        assert instances(WatchedTransfer) - others == 2
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("aligned", [True, False])
async def test_a_thousand_changes_are_seen_within_one_schedule_step(aligned: bool) -> None:
    transfers = FakeTransferList(SCHEDULE)
    transfers.latency = 0.05
    dice = random.Random(7)
    late: list[float] = []  # in steps of the schedule
    sweep = 11 * transfers.latency  # how long a transfer may wait in the queue

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
            poller = transfers.open(
                f"u{number}", *zip(moments, ("WAITING", "PROCESSING", "DONE"), strict=True)
            )
            began = anyio.current_time()
            tasks.start_soon(follow, poller, [began + moment for moment in moments])
            if not aligned:
                await anyio.sleep(dice.uniform(0, 0.05))

    assert statistics.median(late) < 0.6
    assert transfers.watcher.watched == 0


async def test_ten_thousand_are_polled_in_four_seconds_at_thirty_a_second() -> None:
    transfers = FakeTransferList(SCHEDULE)
    throttle = Throttle()
    answered: list[float] = []

    def lag() -> float:
        lag = throttle.delay() + 0.1
        answered.append(anyio.current_time() + lag)
        return lag

    transfers.lag = lag
    async with anyio.create_task_group() as tasks:
        for number in range(10_000):
            tasks.start_soon(transfers.open(f"u{number}", (0, "PROCESSING")).wait)
        await anyio.sleep(8)
        tasks.cancel_scope.cancel()

    for sweep in (0, 1):
        requests = transfers.requests[100 * sweep : 100 * (sweep + 1)]
        assert len({uuid for _, uuids in requests for uuid in uuids}) == 10_000
        assert answered[100 * sweep + 99] - requests[0][0] <= 4
    assert transfers.most_under_way == 3
    assert transfers.watcher.watched == 0


@pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"loop_factory": VirtualTimeLoop})], ids=["asyncio-virtual"]
)
async def test_ten_thousand_waits_take_at_most_forty_mebibytes() -> None:
    transfers, others = FakeTransferList(SCHEDULE), instances(Withdrawal)
    count = 1000
    names = [f"00000000-0000-4000-8000-{number:012}" for number in range(count)]
    for name in names:
        transfers.open(name, (0, "PROCESSING"))
    gc.collect()
    tracemalloc.start()
    try:
        waits = [asyncio.create_task(transfers.poller(name).wait()) for name in names]
        taken = [await memory_after(seconds, transfers) for seconds in (2, 120)]
        assert instances(Withdrawal) - others == count, "each keeps its latest record only"
    finally:
        tracemalloc.stop()
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)

    assert max(taken) / count <= 40 * 2**20 / 10_000
    assert transfers.watcher.watched == 0


async def memory_after(seconds: float, transfers: FakeTransferList) -> int:
    """Return the bytes that are allocated after some virtual time, without the logs of the transfers."""
    await anyio.sleep(seconds)
    transfers.requests.clear()
    transfers.events.clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# --- waits that come and go ---


class RandomWaits:
    """Waits of all kinds for sixty transfers, over an unreliable connection."""

    STATES = ("WAITING", "PROCESSING", "MOONED", "DANCING")
    ENDS = ("DONE", "FAILED", "CANCELLED", "REJECTED")
    TROUBLE_ENDS = 200.0
    LATE = SCHEDULE.longest * (1 + SCHEDULE.jitter) + 30  # a step, a slow poll that fails, and the next

    def __init__(self, transfers: FakeTransferList, seed: int) -> None:
        self.transfers = transfers
        self.dice = random.Random(seed)
        self.began = anyio.current_time()
        self.alone = 0
        self.ended: Counter[str] = Counter()
        transfers.lag = lambda: 10 if self.dice.random() < 0.02 else self.dice.choice([0, 0.02, 0.3])
        transfers.fault = lambda _uuids: self._fault()
        for number in range(60):
            moment, history = 0.0, list[tuple[float, str]]()
            for state in self.dice.sample([*self.STATES, "ABSENT"], k=self.dice.randrange(1, 5)):
                history.append((moment, state))
                moment += self.dice.choice([0.5, 5] if state == "ABSENT" else [0.5, 100]) * self.dice.random()
            history.append((moment, self.dice.choice(self.ENDS)))
            transfers.open(f"u{number}", *history)

    def _fault(self) -> Exception | None:
        if anyio.current_time() > self.began + self.TROUBLE_ENDS or self.dice.random() < 0.8:
            return None
        return self.dice.choice([errors.TransportError("no answer"), errors.ServerError("down", status=503)])

    async def visit(self) -> None:
        await anyio.sleep(self.dice.uniform(0, 150))
        name = f"u{self.dice.randrange(60)}"
        poller = self.transfers.poller(self.dice.choice([name, name.upper()]))
        way = self.dice.choice(
            [self.stay, self.follow, self.give_up, self.run_out, self.be_cancelled_natively]
        )
        started = anyio.current_time()
        await way(poller)
        self.ended[way.__name__] += 1
        self.alone += polls_alone(anyio.current_time() - started)

    def _end(self, poller: WithdrawalPoller) -> tuple[float, str]:
        """Return when and in which state a transfer is final."""
        return self.transfers.histories[poller.uuid.casefold()][-1]

    async def stay(self, poller: WithdrawalPoller) -> None:
        started = anyio.current_time()
        record = await poller.wait()
        since, state = self._end(poller)
        assert record.state.value == state
        assert anyio.current_time() <= max(since, started, self.began + self.TROUBLE_ENDS) + self.LATE

    async def follow(self, poller: WithdrawalPoller) -> None:
        states = [change.state.value async for change in poller.changes()]
        shown = iter([state for _, state in self.transfers.histories[poller.uuid.casefold()]])
        assert all(state in shown for state in states), "each once, in order"
        assert states[-1] == self._end(poller)[1]

    async def give_up(self, poller: WithdrawalPoller) -> None:
        with anyio.move_on_after(self.dice.choice([0, 0.01, 1, 40])):
            await poller.wait()

    async def run_out(self, poller: WithdrawalPoller) -> None:
        started, seconds = anyio.current_time(), self.dice.choice([0, 1, 40])
        with contextlib.suppress(errors.PollTimeout):
            await poller.wait(timeout=seconds)
            return
        assert started + seconds <= anyio.current_time() <= started + seconds + 20

    async def be_cancelled_natively(self, poller: WithdrawalPoller) -> None:
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
async def test_random_waits_and_cancellations_stall_nobody_and_lose_nothing(seed: int) -> None:
    transfers = FakeTransferList(SCHEDULE)
    before = living_tasks()
    waits = RandomWaits(transfers, seed)

    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(waits.visit)

    assert waits.ended.total() == 400
    assert len(transfers.requests) <= 400 < waits.alone, "no wait costs more than one request"
    assert transfers.most_under_way <= 3
    assert transfers.watcher.watched == 0
    assert living_tasks() == before
