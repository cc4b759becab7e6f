"""A review that needs the fee convention ends when Upbit's answers have shown it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE

from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox


async def _put_two_into_review(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    """Lose two answers of which only one fee convention explains both, and let nothing show it yet."""
    sandbox.knobs.amounts = "net of fee"
    sandbox.faults.add(Fault.lose_answer(*CREATE, times=2))
    async with anyio.create_task_group() as tasks:
        for key, amount in (("a", "13.0"), ("b", "12.5")):
            tasks.start_soon(functools.partial(payouts.send, key, **dict(tron, amount=amount)))
    assert {payout.state for payout in await payouts.list()} == {PayoutState.NEEDS_REVIEW}


@pytest.mark.parametrize("passes_before", [0, 2])
async def test_run_once_ends_the_review_when_an_answer_has_shown_the_fee(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], passes_before: int
) -> None:
    await _put_two_into_review(payouts, sandbox, tron)
    for _ in range(passes_before):
        await payouts.reconcile()
        await anyio.sleep(60)
    await payouts.send("c", **dict(tron, amount=12))
    await payouts.run_once()
    assert {payout.state for payout in await payouts.list()} == {PayoutState.DONE}


async def test_service_ends_the_review_when_an_answer_has_shown_the_fee(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await _put_two_into_review(payouts, sandbox, tron)
    async with payouts.running():
        await anyio.sleep(90)
        await payouts.enqueue("c", **dict(tron, amount=12))
        await anyio.sleep(200)
    assert {payout.state for payout in await payouts.list()} == {PayoutState.DONE}


async def test_review_ends_although_the_mark_has_passed_its_withdrawals(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await _put_two_into_review(payouts, sandbox, tron)
    await anyio.sleep(60)
    sandbox.withdrawals.create_on_website("USDT", "TRX", "99", address=tron["address"])
    for _ in range(2):
        await payouts.reconcile()
        await anyio.sleep(60)
    await payouts.send("c", **dict(tron, amount=12))
    await payouts.run_once()
    await payouts.reconcile()
    assert {payout.state for payout in await payouts.list()} == {PayoutState.DONE}
