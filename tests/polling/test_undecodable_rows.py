"""Rows that do not decode, among many that do."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from internals import single_polls
from transfer_list import FakeTransferList
from trio.testing import MockClock

from upbit_async import errors
from upbit_async.events import PollFailed
from upbit_async.policy import PollSchedule
from upbit_async.polling.poll_queue import SINGLE_POLL_SPACING, SinglePolls
from upbit_async.polling.schedule import wait_after
from upbit_async.polling.subscription import WatchedTransfer
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.models import Withdrawal
    from upbit_async.polling import WithdrawalPoller

ODD_ROW = errors.DecodeError("no decimal", path="$[3].amount")
REFUSAL = errors.ValidationError("no such id", status=400, name="validation_error")
RATE = 29


def fail_requests_for(
    transfers: FakeTransferList, names: Sequence[str], error: Exception = ODD_ROW
) -> set[str]:
    """Let each request fail that asks for one of the names; returns the set of them, which may be changed."""
    failing = set(names)
    transfers.fault = lambda uuids: error if failing.intersection(uuids) else None
    return failing


def limited(transfers: FakeTransferList) -> None:
    """Allow 29 requests a second, of 50 ms each."""
    free = -math.inf

    def lag() -> float:
        nonlocal free
        free = max(free + 1 / RATE, anyio.current_time())
        return free - anyio.current_time() + 0.05

    transfers.lag = lag


class ManyWaits:
    """Waits for many transfers at once, with the time at which each wait ended."""

    def __init__(self, transfers: FakeTransferList, failing: int, count: int, *, ends: float) -> None:
        self.names = [f"u{number}" for number in range(count)]
        random.Random(count + failing).shuffle(self.names)
        self.good, self.bad = self.names[failing:], self.names[:failing]
        self.ended_at: dict[str, float] = {}
        self.pollers = {
            name: transfers.open(name, (0, "PROCESSING"), (ends, "DONE")) for name in sorted(self.names)
        }

    async def wait(self, poller: WithdrawalPoller) -> None:
        await poller.wait()
        self.ended_at[poller.uuid] = anyio.current_time()

    async def run(self, seconds: float) -> None:
        async with anyio.create_task_group() as tasks:
            for poller in self.pollers.values():
                tasks.start_soon(self.wait, poller)
            await anyio.sleep(seconds)
            tasks.cancel_scope.cancel()


async def test_a_hundred_undecodable_rows_do_not_delay_nine_hundred_others() -> None:
    transfers = FakeTransferList(PollSchedule())
    limited(transfers)
    waits = ManyWaits(transfers, 100, 1000, ends=100)
    fail_requests_for(transfers, waits.bad)
    began = anyio.current_time()

    await waits.run(150)

    assert sorted(waits.ended_at) == sorted(waits.good)
    step = wait_after(PollSchedule(), 100) * 1.2
    assert max(waits.ended_at.values()) - began <= 100 + step + 1
    later = [(at, uuids) for at, uuids in transfers.requests if at > began + 40]
    assert all(len(uuids) == 1 or not set(waits.bad).intersection(uuids) for _, uuids in later)
    alone = [at for at, uuids in later if set(waits.bad).intersection(uuids)]
    assert alone
    assert all(after - before >= SINGLE_POLL_SPACING - 1e-6 for before, after in itertools.pairwise(alone))


async def test_splitting_a_thousand_ids_takes_at_most_23_seconds() -> None:
    transfers = FakeTransferList(PollSchedule())
    limited(transfers)
    waits = ManyWaits(transfers, 100, 1000, ends=0)
    fail_requests_for(transfers, waits.bad)

    await waits.run(23)

    assert sorted(waits.ended_at) == sorted(waits.good)


async def test_undecodable_rows_with_an_id_need_no_splitting() -> None:
    transfers = FakeTransferList(PollSchedule())
    limited(transfers)
    waits = ManyWaits(transfers, 100, 1000, ends=0)
    bad = set(waits.bad)
    read = transfers.fetch

    async def fetch(uuids: Sequence[str]) -> ReadableRows[Withdrawal]:
        rows = await read(uuids)
        odd = tuple(errors.DecodeError("odd", uuid=row.uuid.upper()) for row in rows if row.uuid in bad)
        return ReadableRows(rows=[row for row in rows if row.uuid not in bad], unreadable=odd)

    transfers.watcher.fetch = fetch
    began = anyio.current_time()
    await waits.run(0.9)

    assert sorted(waits.ended_at) == sorted(waits.good)
    assert len(transfers.requests) == 10
    assert max(waits.ended_at.values()) - began < 0.5
    failed = [event for event in transfers.events if isinstance(event, PollFailed)]
    assert sorted(uuid for event in failed for uuid in event.uuids) == sorted(waits.bad)


@pytest.mark.parametrize("absent", [0, 1, 30])
async def test_undecodable_row_without_an_id_is_identified_once(
    transfers: FakeTransferList, absent: int
) -> None:
    read = transfers.fetch

    async def fetch(uuids: Sequence[str]) -> ReadableRows[Withdrawal]:
        rows = await read(uuids)
        odd = tuple(ODD_ROW for row in rows if row.uuid == "odd")
        return ReadableRows(rows=[row for row in rows if row.uuid != "odd"], unreadable=odd)

    transfers.watcher.fetch = fetch
    absent_pollers = [transfers.open(f"absent{number}") for number in range(absent)]
    good = [transfers.open(f"u{number}", (0, "PROCESSING"), (60, "DONE")) for number in range(40)]
    ended: list[str] = []

    async def run() -> None:
        ended.extend(await transfers.outcomes(*absent_pollers, *good))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transfers.open("odd", (0, "PROCESSING")).wait)
        tasks.start_soon(run)
        await anyio.sleep(100)
        tasks.cancel_scope.cancel()

    assert Counter(ended) == Counter({"DONE": 40, "NotFound": absent})
    failed = [event for event in transfers.events if isinstance(event, PollFailed)]
    assert {event.uuids for event in failed} == {("odd",)}
    assert len(transfers.requests) < 60


async def test_wholly_undecodable_answer_is_not_split(transfers: FakeTransferList) -> None:
    read = transfers.fetch

    async def fetch(uuids: Sequence[str]) -> ReadableRows[Withdrawal]:
        return ReadableRows(rows=[], unreadable=(ODD_ROW,) * len(await read(uuids)))

    transfers.watcher.fetch = fetch
    with anyio.move_on_after(0.5):
        await transfers.outcomes(*(transfers.open(f"u{number}", (0, "PROCESSING")) for number in range(300)))
    assert len(transfers.requests) == 3


async def test_row_that_decodes_again_rejoins_the_batch(transfers: FakeTransferList) -> None:
    names = ["odd", "a", "b"]
    pollers = [transfers.open(name, (0, "PROCESSING"), (500, "DONE")) for name in names]
    failing = fail_requests_for(transfers, ["odd"])

    async def mend() -> None:
        await anyio.sleep(200)
        failing.clear()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mend)
        assert await transfers.outcomes(*pollers) == ["DONE"] * 3

    mended = next(at for at, _ in transfers.requests) + 200
    before = [uuids for at, uuids in transfers.requests[3:] if at < mended]
    assert ("odd",) in before
    assert all(uuids == ("odd",) or "odd" not in uuids for uuids in before)
    after = [uuids for at, uuids in transfers.requests if at > mended + 60]
    assert any(len(uuids) == 3 for uuids in after)


async def test_id_polled_alone_backs_off(transfers: FakeTransferList) -> None:
    transfers.open("odd", (0, "PROCESSING"))
    fail_requests_for(transfers, ["odd"])
    with anyio.move_on_after(200):
        await transfers.poller("odd").wait()
    gaps = [after - before for before, after in itertools.pairwise(transfers.times())]
    assert gaps[:3] == pytest.approx([1, 1.5, 2.25])
    assert gaps == sorted(gaps)
    assert max(gaps) == pytest.approx(30)


async def test_undecodable_ids_leave_most_of_the_budget_unused(transfers: FakeTransferList) -> None:
    transfers.latency = 0.05
    names = [f"u{number}" for number in range(400)]
    fail_requests_for(transfers, names)
    began = anyio.current_time()
    with anyio.move_on_after(160):
        await transfers.outcomes(*(transfers.open(name, (0, "PROCESSING")) for name in names))
    later = [uuids for at, uuids in transfers.requests if at > began + 60]
    assert all(len(uuids) == 1 for uuids in later)
    assert len(later) <= 100 / SINGLE_POLL_SPACING + 1
    assert set(names) == {uuid for (uuid,) in later}, "each has its turn"


async def test_last_poll_before_a_deadline_is_not_delayed(transfers: FakeTransferList) -> None:
    transfers.latency = 0.01
    names = [f"u{number}" for number in range(50)]
    fail_requests_for(transfers, names)
    ended: list[float] = []

    async def wait(name: str) -> None:
        with pytest.raises(errors.PollTimeout) as caught:
            await transfers.open(name, (0, "PROCESSING")).wait(timeout=20)
        assert isinstance(caught.value.__cause__, errors.DecodeError)
        ended.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(wait, name)

    assert len(ended) == 50
    assert max(ended) - began < 21
    assert transfers.watcher.watched == 0


async def test_ids_polled_alone_are_dropped_with_their_waiters(transfers: FakeTransferList) -> None:
    fail_requests_for(transfers, ["odd"])
    for _ in range(3):
        with anyio.move_on_after(10):
            await transfers.outcomes(*(transfers.open(name, (0, "PROCESSING")) for name in ("odd", "a")))
        assert transfers.watcher.watched == 0
    assert single_polls(transfers.watcher) == 0


# -- any number of undecodable rows -----------------------------------------------------------------

SOME = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SOME
@given(data=st.data(), count=st.integers(1, 260), refuses=st.booleans(), latency=st.sampled_from([0.0, 0.02]))
@pytest.mark.parametrize("anyio_backend", ["trio-virtual"], indirect=True)
def test_splitting_identifies_the_bad_ids_and_serves_all_others(
    data: st.DataObject,
    count: int,
    refuses: bool,
    latency: float,
    anyio_backend: object,
) -> None:
    names = [f"u{number}" for number in range(count)]
    bad = data.draw(st.sets(st.sampled_from(names)))
    asked: Counter[str] = Counter()

    async def run() -> None:
        transfers = FakeTransferList(PollSchedule(first=1000, longest=1000, jitter=0))
        transfers.latency = latency
        fail_requests_for(transfers, sorted(bad), REFUSAL if refuses else ODD_ROW)
        pollers = [transfers.open(name, (0, "DONE")) for name in names]
        ended: dict[str, str] = {}

        async def wait(poller: WithdrawalPoller) -> None:
            try:
                ended[poller.uuid] = (await poller.wait()).state.value
            except errors.ValidationError as error:
                ended[poller.uuid] = "refused" if error.resume_token == poller.resume_token else "no token"

        async with anyio.create_task_group() as tasks:
            for poller in pollers:
                tasks.start_soon(wait, poller)
            await anyio.sleep(500)
            tasks.cancel_scope.cancel()

        expected = dict.fromkeys(set(names) - bad, "DONE") | (
            dict.fromkeys(bad, "refused") if refuses else {}
        )
        assert ended == expected
        batches = math.ceil(count / 100)
        assert len(transfers.requests) <= batches + min(2 * count, 2 * 7 * len(bad))
        for _, uuids in transfers.requests:
            asked.update(uuids)
        if refuses:  # a wait ends only by a single poll
            assert {uuids[0] for _, uuids in transfers.requests if len(uuids) == 1} >= bad
        else:
            failed = [event.uuids for event in transfers.events if isinstance(event, PollFailed)]
            assert sorted(failed) == sorted((name,) for name in bad)

    anyio.run(run, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
    assert set(asked) == set(names)


@settings(max_examples=200)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["add", "discard", "pick", "last", "end"]),
            st.integers(0, 5),
            st.floats(0, 2, allow_nan=False),
        ),
        max_size=60,
    ),
    deadlines=st.lists(st.floats(0, 20) | st.just(math.inf), min_size=6, max_size=6),
)
def test_single_polls_are_spaced_one_at_a_time_and_none_is_missed(
    steps: list[tuple[str, int, float]], deadlines: list[float]
) -> None:
    entries: list[WatchedTransfer[Withdrawal]] = [
        WatchedTransfer(
            id=str(n), key=str(n), started=0, quiet_since=0, earliest=0, due=n / 2, deadline=deadline
        )
        for n, deadline in enumerate(deadlines)
    ]
    singles: SinglePolls[Withdrawal] = SinglePolls()
    now, last_turn = 0.0, -math.inf
    for what, number, passed in steps:
        now += passed
        entry = entries[number]
        match what:
            case "add":
                singles.add(entry, now)
            case "discard":
                singles.discard(entry)
            case "end":
                entry.in_flight = False
            case _:
                promised = singles.next_due_time()
                taken = singles.pick(now) if what == "pick" else singles.pick_expired(now)
                if taken is None:
                    assert what == "last" or promised > now or any(e.deadline <= now for e in entries)
                    continue
                assert promised <= now, "asking at the promised time misses no turn"
                assert taken.single_since is not None
                assert not taken.in_flight
                if what == "pick":
                    assert now - last_turn >= SINGLE_POLL_SPACING
                    assert not any(e.in_flight and e.single_since is not None for e in entries)
                    last_turn = now
                else:
                    assert taken.deadline <= now
                taken.in_flight = True
        assert len(singles) == sum(e.single_since is not None for e in entries)
