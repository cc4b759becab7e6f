"""A withdrawal that may be one of two equal payouts, when people find that one of them was not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from clients import CREATE

from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox


async def _in_review(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> str:
    """Bring two payouts into review that may be the same withdrawal; return the id of it."""
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("a", **tron)).state is PayoutState.NOT_SENT
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("b", **tron, until="accepted")
    await anyio.sleep(100)
    await payouts.run_once()
    for key in ("a", "b"):
        payout = await payouts.get(key)
        assert payout is not None
        assert payout.state is PayoutState.NEEDS_REVIEW
        assert payout.candidates == (sandbox.ledger.created[0].uuid,)
    return sandbox.ledger.created[0].uuid


async def test_one_of_two_was_not_sent_so_the_withdrawal_is_the_others(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    uuid = await _in_review(payouts, sandbox, tron)
    assert (await payouts.resolve("a", not_sent=True)).state is PayoutState.NOT_SENT
    await payouts.run_once()
    other = await payouts.get("b")
    assert other is not None
    assert other.uuid == uuid


async def test_withdrawal_that_is_neither_of_two_payouts_is_acknowledged(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await _in_review(payouts, sandbox, tron)
    await payouts.resolve("a", not_sent=True)
    assert (await payouts.resolve("b", not_sent=True)).state is PayoutState.NOT_SENT
    assert (await payouts.reconcile("USDT")).unowned == ()


async def test_withdrawal_that_was_taken_for_another_cannot_be_resolved_away(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    uuid = await _in_review(payouts, sandbox, tron)
    await payouts.resolve("b", uuid=uuid)
    assert (await payouts.resolve("a", not_sent=True)).state is PayoutState.NOT_SENT
    other = await payouts.get("b")
    assert other is not None
    assert other.uuid == uuid
