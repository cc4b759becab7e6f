"""`Payouts.run` repeats work that failed at growing intervals, whatever state the payout is in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
from clients import CREATE

from upbit_async.payouts import AmountLimit, MemoryJournal, Payouts, PayoutState
from upbit_async.payouts.departure import UNCONDITIONAL
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    import pytest

    from upbit_async.payouts import JournalTime, Payout
    from upbit_async.sandbox import Sandbox

_MINUTE = 60


async def _not_sent(sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    async with Payouts(sandbox.client(), journal) as payouts:
        payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NOT_SENT


async def test_paused_payout_that_was_not_sent_makes_few_requests(
    sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    journal = MemoryJournal()
    await _not_sent(sandbox, journal, tron)
    async with Payouts(sandbox.client(), journal, resend="automatic").running() as payouts:
        await payouts.pause()
        await anyio.sleep(5)
        before = len(sandbox.requests)
        await anyio.sleep(_MINUTE)
        assert len(sandbox.requests) - before < 30
        await payouts.resume()
        await anyio.sleep(15)
        done = await payouts.get("k")
    assert done is not None
    assert done.state is PayoutState.DONE


async def test_payout_that_was_not_sent_and_exceeds_a_limit_makes_few_requests(
    sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    journal = MemoryJournal()
    await _not_sent(sandbox, journal, tron)
    async with Payouts(sandbox.client(), journal) as payouts:
        await payouts.send("other", **dict(tron, amount=10))
    limits = [AmountLimit("USDT", per_day=13)]
    async with Payouts(sandbox.client(), journal, resend="automatic", amount_limits=limits).running():
        await anyio.sleep(5)
        before = len(sandbox.requests)
        await anyio.sleep(_MINUTE)
        assert len(sandbox.requests) - before < 30


async def test_further_copy_that_waits_for_another_payout_leaves_its_slot_to_others(
    sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    """Before a further copy the list is read again, and it may show a withdrawal that is another payout's."""
    journal = MemoryJournal()
    await _not_sent(sandbox, journal, tron)
    sandbox.knobs.amounts = "net of fee"
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    async with Payouts(sandbox.client(), journal, settling_time=300).running(concurrency=1) as payouts:
        await payouts.enqueue("lost", **dict(tron, amount=14))  # is shown as 13
        await anyio.sleep(5)
        await payouts.retry("k")
        await anyio.sleep(5)
        await payouts.enqueue("other", **dict(tron, amount=500))
        assert (await payouts.wait("other", timeout=20)).state is PayoutState.DONE
        held = await payouts.get("k")
        assert held is not None
        assert held.state is PayoutState.QUEUED
        assert "'lost'" in held.reason
        assert len(sandbox.requests.of(*CREATE)) == 3  # the first copy, the lost one and the other


class _SlowJournal(MemoryJournal):
    """A journal that takes a while for its time and for each write."""

    async def now(self) -> JournalTime:
        await anyio.sleep(0.02)
        return await super().now()

    async def compare_and_swap(self, old: Payout, new: Payout, conditions: Any = UNCONDITIONAL) -> Payout:
        await anyio.sleep(0.05)
        return await super().compare_and_swap(old, new, conditions)


async def test_cancelled_run_logs_no_warning(
    sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whenever it is cancelled: a shutdown is no failure."""
    for step in range(60):
        payouts = Payouts(sandbox.client(), _SlowJournal(), check=False, on_unowned="allow")
        for number in range(6):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=20 + number // 2))
        with anyio.move_on_after(step * 0.02):
            await payouts.run(shutdown_timeout=5)
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []
