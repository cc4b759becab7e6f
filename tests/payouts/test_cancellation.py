"""Cancellation at any step: nothing is paid twice, and what has left is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from cancellation import WAYS, Way
from clients import CREATE

from upbit_async import UpbitClient
from upbit_async.payouts import Payouts, PayoutState, SqliteJournal
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough

STEPS = range(0, 160, 4)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault.lose_answer(*CREATE, times=None),
        Fault.reset_before(*CREATE, times=None),
        Fault.slow(2, *CREATE, times=None),
    ],
    ids=["well", "lost", "not arrived", "slow"],
)
@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", WAYS)
async def test_send_can_be_cancelled_at_every_step(
    payouts: Payouts,
    sandbox: Sandbox,
    tron: dict[str, Any],
    way: Way,
    fault: Fault | None,
) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate()
    seen: set[PayoutState] = set()
    for steps in STEPS:
        sandbox.faults.clear()
        if fault is not None:
            sandbox.faults.add(fault)
        asked = dict(tron, amount=str(100 + steps))
        before = len(sandbox.ledger.created)

        async def send(asked: dict[str, Any] = asked) -> None:
            await payouts.send(str(asked["amount"]), **asked, until="accepted")

        await way(send, steps)
        known = await payouts.get(asked["amount"])
        if known is not None:
            seen.add(known.state)
            assert known.state is not PayoutState.SENDING
            assert len(sandbox.ledger.created) - before <= 1
            assert known.state is not PayoutState.PLANNED or len(sandbox.ledger.created) == before
        sandbox.faults.clear()
        payout = await payouts.send(asked["amount"], **asked)
        if payout.state is PayoutState.NOT_SENT:
            await payouts.retry(payout.key)
            payout = await payouts.send(payout.key, **asked)
        assert payout.state is PayoutState.DONE, payout.history
        assert len(sandbox.ledger.created) - before == 1
    assert PayoutState.PLANNED in seen  # some were cancelled before anything had left,
    assert len(seen) > 1  # and others after that


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_send_can_be_cancelled_with_real_threads_and_sockets(path: Path, tron: dict[str, Any]) -> None:
    sandbox = Sandbox("sg", transitions=Transitions.immediate(), limits=False)
    sandbox.account.fund("USDT", 1_000_000)
    with sandbox.serve() as url:
        async with (
            UpbitClient("sg", credentials=sandbox.credentials, base_url=url) as client,
            Payouts(client, journal=SqliteJournal(path), settling_time=0.1, check=False) as payouts,
        ):
            for number in range(40):
                asked = dict(tron, amount=str(100 + number))
                with anyio.move_on_after(number * 0.0005):
                    await payouts.send(str(number), **asked, until="accepted")
                payout = await payouts.send(str(number), **asked)
                assert payout.state is PayoutState.DONE, payout.history
    assert len(sandbox.ledger.created) == 40
