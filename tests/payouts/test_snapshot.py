"""Snapshots of Upbit's list and the journal: what is stored as unowned, where the mark moves, who shares them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST, WITHDRAWAL
from internals import repository_of, settler_of, snapshots_of, unowned_check_of
from journals import InlineJournal

from upbit_async import NoLimiter
from upbit_async.payouts import MemoryJournal, Payouts, PayoutState
from upbit_async.payouts.settling import SettleFirst
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.payouts import Payout
    from upbit_async.payouts.baseline import Baseline
    from upbit_async.sandbox import Sandbox


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
async def payouts(client: UpbitClient, journal: MemoryJournal) -> AsyncGenerator[Payouts]:
    async with Payouts(client, journal=journal, check=False) as made:
        yield made


def website(sandbox: Sandbox, amount: str = "13") -> str:
    """Return the id of a withdrawal that was made on the website."""
    return sandbox.withdrawals.create_on_website("USDT", "TRX", amount, address=WITHDRAWAL["address"]).uuid


def lists(sandbox: Sandbox) -> int:
    return len(sandbox.requests.of(*LIST))


async def queued(payouts: Payouts, tron: dict[str, Any], key: str, amount: str) -> Payout:
    """Return a payout that was not sent yet."""
    return await payouts.enqueue(key, **dict(tron, amount=amount))


# -- the mark --------------------------------------------------------------------------------------


async def test_first_mark_passes_withdrawals_from_before_the_seven_days(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal
) -> None:
    website(sandbox)
    now = sandbox.now
    repository_of(payouts).clock = lambda: now + dt.timedelta(days=8)
    newest = website(sandbox, "20")
    await anyio.sleep(100)
    website(sandbox, "21")
    await snapshots_of(payouts).read("USDT")
    assert await journal.mark("USDT") == newest


@pytest.mark.parametrize("by", ["snapshot", "reconciliation"])
async def test_first_mark_of_a_clock_a_week_ahead_does_not_pass_a_lost_withdrawal(
    by: str, payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    now = sandbox.now
    repository_of(payouts).clock = lambda: now + dt.timedelta(days=8)
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("lost", **tron, until="accepted")).state is PayoutState.UNKNOWN
    await anyio.sleep(100)
    await payouts.send("other", **dict(tron, amount="20"), until="accepted")
    await (snapshots_of(payouts).read("USDT") if by == "snapshot" else payouts.reconcile())
    found = await settler_of(payouts).settle("lost")
    assert found.uuid == sandbox.ledger.created[0].uuid


async def test_mark_trails_the_newest_withdrawal(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal
) -> None:
    uuids: list[str] = []
    for _ in range(5):
        uuids.append(website(sandbox))
        await anyio.sleep(10)
    await snapshots_of(payouts).read("USDT")
    assert await journal.mark("USDT") == uuids[0]  # made 40 s before the newest; the second, 30 s
    related = await journal.related("USDT", ())
    assert {row.uuid for row in related.unowned} == set(uuids)


async def test_mark_stops_at_a_withdrawal_an_open_payout_may_own(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    first = website(sandbox, "20")
    await anyio.sleep(100)
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("lost", **tron, until="accepted")).state is PayoutState.UNKNOWN
    await anyio.sleep(100)
    last = website(sandbox, "21")
    await anyio.sleep(100)
    website(sandbox, "22")
    await snapshots_of(payouts).read("USDT")
    assert await journal.mark("USDT") == first
    lost = (await payouts.wait("lost", timeout=60)).uuid
    assert lost not in {row.uuid for row in (await journal.related("USDT", ())).unowned}
    await snapshots_of(payouts).read("USDT")
    assert await journal.mark("USDT") == last


# -- sharing ---------------------------------------------------------------------------------------


async def test_payouts_of_a_currency_share_a_baseline(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    waiting = [await queued(payouts, tron, f"k{n}", str(100 + n)) for n in range(20)]
    before, began = lists(sandbox), sandbox.now
    baselines: list[Baseline] = []

    async def check(payout: Payout) -> None:
        baselines.append(await unowned_check_of(payouts).check_and_take_baseline(payout))

    async with anyio.create_task_group() as tasks:
        for payout in waiting:
            tasks.start_soon(check, payout)
    assert len(baselines) == 20
    assert lists(sandbox) - before <= 2
    assert all(line.at >= began for line in sandbox.requests.of(*LIST)[before:])


async def test_baseline_has_the_position_and_time_before_its_request(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    payout = await queued(payouts, tron, "k", "13")
    await anyio.sleep(10)
    position, now = await journal.position(), await journal.now()
    sandbox.faults.add(Fault.slow(3, *LIST))
    baseline: list[Baseline] = []

    async def check() -> None:
        baseline.append(await unowned_check_of(payouts).check_and_take_baseline(payout))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check)
        await anyio.sleep(1)
        await queued(payouts, tron, "other", "14")
    assert baseline[0].position == position < await journal.position()
    assert baseline[0].requested_at.elapsed(now) == pytest.approx(0, abs=0.01)


async def test_list_that_was_requested_before_a_payout_asked_does_not_serve_it(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    payout = await queued(payouts, tron, "k", "13")
    sandbox.faults.add(Fault.slow(3, *LIST))
    asked: list[dt.datetime] = []

    async def check() -> None:
        await anyio.sleep(1)
        asked.append(sandbox.now)
        await unowned_check_of(payouts).check_and_take_baseline(payout)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(snapshots_of(payouts).read, "USDT")
        tasks.start_soon(check)
    first, second = (line.at for line in sandbox.requests.of(*LIST)[-2:])
    assert first < asked[0] <= second


# -- other payouts ---------------------------------------------------------------------------------


async def test_check_that_does_not_wait_names_the_payouts_to_settle(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    payout = await queued(payouts, tron, "alike", "13")
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("lost", **tron, until="accepted")).state is PayoutState.UNKNOWN
    began = anyio.current_time()
    with pytest.raises(SettleFirst, match="'lost' must be settled first") as caught:
        await unowned_check_of(payouts).check_and_take_baseline(payout, waits=False)
    assert caught.value.keys == ("lost",)
    assert anyio.current_time() - began < 5
    await payouts.wait("lost")
    baseline = await unowned_check_of(payouts).check_and_take_baseline(payout, waits=False)
    assert baseline.uuids == (sandbox.ledger.created[0].uuid,)


@pytest.mark.parametrize("waits", [True, False])
async def test_late_withdrawal_of_an_unsent_payout_blocks_no_equal_one(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], waits: bool
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("unsent", **tron)).state is PayoutState.NOT_SENT
    late = website(sandbox)
    await snapshots_of(payouts).read("USDT")  # it is stored as unowned before anything asks about the payout
    payout = await queued(payouts, tron, "alike", "13")
    await unowned_check_of(payouts).check_and_take_baseline(payout, waits=waits)
    unsent = await payouts.get("unsent")
    assert unsent is not None
    assert (unsent.state, unsent.candidates) == (PayoutState.NEEDS_REVIEW, (late,))


# -- settling --------------------------------------------------------------------------------------


async def test_looks_are_requested_after_the_end_of_each_payouts_settling_time(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    lost_at: dict[str, dt.datetime] = {}
    async with anyio.create_task_group() as tasks:

        async def lose_and_wait(key: str, amount: int) -> None:
            sandbox.faults.add(Fault.reset_before(*CREATE))
            await payouts.send(key, **dict(tron, amount=str(amount)), until="accepted")
            lost_at[key] = sandbox.now
            assert (await payouts.wait(key)).state is PayoutState.NOT_SENT
            ended = sandbox.now
            looks = [line.at for line in sandbox.requests.of(*LIST)]
            own = [at for at in looks if lost_at[key] + dt.timedelta(seconds=30) <= at <= ended]
            assert len(own) >= 2
            assert own[-1] - own[0] >= dt.timedelta(seconds=1)

        for number in range(10):
            tasks.start_soon(lose_and_wait, f"k{number}", 100 + number)
            await anyio.sleep(0.3)


@pytest.mark.parametrize("older", [0, 2500])
async def test_300_lost_payouts_are_settled_in_30_requests(
    sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any], older: int
) -> None:
    for _ in range(older):
        website(sandbox, "20")
    await anyio.sleep(100)
    sandbox.knobs.limit = 1000
    async with Payouts(sandbox.client(limiter=NoLimiter()), journal=journal, check=False) as payouts:
        known = await payouts.send("known", **dict(tron, amount="5000"), until="accepted")
        assert known.state is PayoutState.ACCEPTED  # its answer shows whether amounts include the fee
        faults = [Fault.lose_answer(*CREATE) if n % 3 else Fault.reset_before(*CREATE) for n in range(300)]
        sandbox.faults.add(*faults)
        async with anyio.create_task_group() as tasks:
            for number in range(300):
                amount = dict(tron, amount=str(100 + number))
                tasks.start_soon(partial(payouts.send, f"k{number}", **amount, until="accepted"))
        lost, before = anyio.current_time(), len(sandbox.requests)
        settled: list[Payout] = []

        async def settle(key: str) -> None:
            settled.append(await settler_of(payouts).settle(key))

        async with anyio.create_task_group() as tasks:
            for number in range(300):
                tasks.start_soon(settle, f"k{number}")
        assert anyio.current_time() - lost <= 30 + 5
        assert len(sandbox.requests) - before <= 30
        counts = Counter(payout.state for payout in settled)
        assert counts == {PayoutState.DONE: 200, PayoutState.NOT_SENT: 100}
        own = {entry.uuid: entry.amount for entry in sandbox.ledger.created}
        for payout in settled:
            assert payout.uuid is None or own[payout.uuid] == payout.criteria.amount


async def test_300_payouts_that_are_lost_one_after_another_are_settled_in_30_requests(
    sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    async with Payouts(sandbox.client(), journal=journal, check=False, settling_time=20).running() as payouts:
        await payouts.send("known", **dict(tron, amount="10000"), until="accepted")
        sandbox.faults.add(*[Fault.lose_answer(*CREATE)] * 300)
        for number in range(300):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=20 + 10 * number))
        await _until_unknown(payouts, 300)
        lost, before = anyio.current_time(), len(sandbox.requests)
        await _until_unknown(payouts, 0)
        assert anyio.current_time() - lost <= 20 + 5
        assert len(sandbox.requests) - before <= 30


# -- what a burst costs ----------------------------------------------------------------------------


@pytest.mark.parametrize(("check", "requests_each", "per_second"), [(False, 1.25, 24), (True, 1.36, 22)])
async def test_burst_of_payouts_uses_the_budget_for_withdrawals(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], check: bool, requests_each: float, per_second: float
) -> None:
    count = 300
    calls: list[str] = []
    journal = InlineJournal(path)
    journal.after = calls.append
    async with Payouts(sandbox.client(), journal, check=check).running() as payouts:
        began = anyio.current_time()
        for number in range(count):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=20 + 10 * number))
        await _until_created(sandbox, count)
        seconds, requests = anyio.current_time() - began, len(sandbox.requests)
        await anyio.sleep(10)
        used = Counter(calls)
        assert (await payouts.health()).counts == {PayoutState.DONE: count}
    assert requests / count <= requests_each
    assert count / seconds >= per_second
    # A request in this process is checked twice right before it is sent; one over a socket is checked once.
    own = {"add": 1, "compare_and_swap": 3, "get": 2 + 1}
    assert {name: used.pop(name) / count for name in own} == own
    assert used.total() / count <= 0.5  # shared by all


async def _until_unknown(payouts: Payouts, count: int) -> None:
    while (await payouts.health()).counts.get(PayoutState.UNKNOWN, 0) != count:  # noqa: ASYNC110 - no event
        await anyio.sleep(0.1)


async def _until_created(sandbox: Sandbox, count: int) -> None:
    while len(sandbox.ledger.created) < count:  # noqa: ASYNC110 - the sandbox reports no event
        await anyio.sleep(0.05)
