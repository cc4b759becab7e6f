"""The reason of a payout says in every state why it is in it, and what happens next or what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE

from upbit_async import errors
from upbit_async.payouts import AmountLimit, MemoryJournal, Payout, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox

OF_STATES = {
    PayoutState.QUEUED: ("enqueued", "run sends it"),
    PayoutState.SENDING: ("about to be sent", "Upbit's answer", "lease"),
    PayoutState.ACCEPTED: ("Upbit has it as withdrawal", "until it ends"),
    PayoutState.DONE: ("is DONE",),
    PayoutState.FAILED: ("is FAILED", "releases the locked amount", "use a new key"),
    PayoutState.CANCELLED: ("is CANCELLED", "releases the locked amount", "use a new key"),
    PayoutState.REJECTED: ("is REJECTED", "releases the locked amount", "use a new key"),
    PayoutState.DECLINED: ("less than the minimum", "no money has moved", "retry('k')"),
    PayoutState.UNKNOWN: ("the answer was lost", "do not send it again", "compared with Upbit's list"),
    PayoutState.NOT_SENT: ("shows no new withdrawal", "retry('k')"),
    PayoutState.NEEDS_REVIEW: ("several withdrawals fit", "Upbit's website", "resolve('k'"),
    PayoutState.ABANDONED: ("abandoned (withdrawn)", "no proof that nothing was sent"),
}


class _Case:
    """A payout that is brought into a state."""

    def __init__(self, sandbox: Sandbox, tron: dict[str, Any]) -> None:
        self.sandbox = sandbox
        self.payouts = Payouts(sandbox.client(), MemoryJournal(), check=False)
        self._tron = tron

    async def reach(self, state: PayoutState) -> Payout:
        """Bring the payout into a state, and return it."""
        prepare = {
            PayoutState.SENDING: Fault.slow(20, *CREATE),
            PayoutState.UNKNOWN: Fault.lose_answer(*CREATE),
            PayoutState.NOT_SENT: Fault.reset_before(*CREATE),
            PayoutState.NEEDS_REVIEW: Fault.lose_answer(*CREATE),
            PayoutState.ABANDONED: Fault.reset_before(*CREATE),
        }
        if state in prepare:
            self.sandbox.faults.add(prepare[state])
        if state is PayoutState.DECLINED:
            self.payouts = Payouts(self.sandbox.client(), MemoryJournal())
        self.sandbox.withdrawals.transitions = Transitions.manual()
        if state is PayoutState.QUEUED:
            async with self.payouts:
                return await self.payouts.enqueue("k", **self._tron)
        async with self.payouts.running():
            return await self._run_to(state)

    async def _run_to(self, state: PayoutState) -> Payout:
        amount = "0.5" if state is PayoutState.DECLINED else self._tron["amount"]
        await self.payouts.enqueue("k", **dict(self._tron, amount=amount))
        await anyio.sleep(5)
        if state in {PayoutState.DONE, PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED}:
            (entry,) = self.sandbox.ledger.created
            self.sandbox.withdrawals.set_state(entry.uuid, state.upper())
        if state is PayoutState.NEEDS_REVIEW:
            amount, address = self._tron["amount"], self._tron["address"]
            self.sandbox.withdrawals.create_on_website("USDT", "TRX", amount, address=address)
        if state not in {PayoutState.SENDING, PayoutState.UNKNOWN}:
            await anyio.sleep(60)
        if state is PayoutState.ABANDONED:
            await self.payouts.abandon("k", note="withdrawn", force=True)
        payout = await self.payouts.get("k")
        assert payout is not None
        return payout


@pytest.mark.parametrize("state", [state for state in PayoutState if state is not PayoutState.PLANNED])
async def test_reason_of_each_state_says_why_and_what_is_next(
    sandbox: Sandbox, tron: dict[str, Any], state: PayoutState
) -> None:
    payout = await _Case(sandbox, tron).reach(state)
    assert payout.state is state
    for words in OF_STATES[state]:
        assert words in payout.reason
    if payout.uuid is not None:
        assert payout.uuid in payout.reason
    for uuid in payout.candidates:
        assert uuid in payout.reason


async def test_reason_of_a_payout_that_is_held_back_names_the_obstacle(
    sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    limit = AmountLimit("USDT", per_day=100)
    payouts = Payouts(sandbox.client(), MemoryJournal(), amount_limits=[limit])
    async with payouts.running():
        await payouts.enqueue("first", **dict(tron, amount=60))
        await payouts.wait("first", timeout=60)
        for key, amount in (("day", 50), ("never", 101)):
            await payouts.enqueue(key, **dict(tron, amount=amount))
        await anyio.sleep(5)
        found = {payout.key: payout.reason for payout in await payouts.list(states=["queued"])}
    assert "60 USDT of at most 100 may have been sent within 24 hours" in found["day"]
    assert "its amount alone exceeds the limit of 100 USDT" in found["never"]
    assert all(reason.endswith("; run tries it again by itself") for reason in found.values())


async def test_reason_of_a_planned_payout_says_why_it_was_not_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(429, *CREATE, times=None))
    with pytest.raises(errors.RateLimited):
        await payouts.send("k", **tron)
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.PLANNED
    assert "429" in payout.reason
