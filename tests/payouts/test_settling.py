"""Settling of lost answers: when the list is read, and when a loss counts."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs
import pytest
from clients import CREATE, LIST
from internals import repository_of, settler_of
from journals import InlineJournal
from payout_samples import with_expired_lease

from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.payouts.journal_time import Moment
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.sandbox import Sandbox


async def test_not_sent_needs_two_lists_after_the_settling_time(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("k", **tron, until="accepted")).state is PayoutState.UNKNOWN
    lost = sandbox.now
    before = len(sandbox.requests.of(*LIST))
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT
    first, second = (line.at - lost for line in sandbox.requests.of(*LIST)[before:])
    assert dt.timedelta(seconds=30) <= first
    assert dt.timedelta(seconds=1) <= second - first


async def test_withdrawal_only_in_the_second_list_is_found(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 30.5
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert "not_sent" not in [step.state for step in payout.history]


async def test_second_loss_restarts_the_settling_time(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE, times=2))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await anyio.sleep(1000)
    await payouts.retry("k")
    assert (await payouts.send("k", **tron, until="accepted")).state is PayoutState.UNKNOWN
    began = anyio.current_time()
    payout = await payouts.wait("k")
    assert 30 <= anyio.current_time() - began < 35
    assert payout.state is PayoutState.NOT_SENT
    assert payout.required_request.copies == 2
    first, second = sandbox.requests.of(*CREATE)
    assert (first.nonce, first.body) == (second.nonce, second.body)


@pytest.mark.parametrize("end", ["abandoned", "done"])
async def test_loss_reported_after_the_end_is_recorded(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any], end: str
) -> None:
    fault = Fault.reset_before(*CREATE) if end == "abandoned" else Fault.lose_answer(*CREATE)
    sandbox.faults.add(attrs.evolve(fault, delay=9))
    sandbox.withdrawals.transitions = Transitions.after_seconds(0)
    others = Payouts(sandbox.client(), journal=InlineJournal(path), settling_time=0, check=False)
    before: Any = None
    async with others, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron, until="accepted"))
        await anyio.sleep(1)
        await repository_of(others).change("k", with_expired_lease)
        await settler_of(others).settle("k")
        before = await (others.abandon("k", force=True) if end == "abandoned" else others.wait("k"))
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.uuid, payout.evidence) == (PayoutState(end), before.uuid, before.evidence)
    assert payout.history[: len(before.history)] == before.history
    assert payout.reason.startswith(f"recorded late, when it was {end}: ")
    assert payout.required_request.reopened
    found = await payouts.run_once()
    assert [each.state for each in found] == ([PayoutState.ABANDONED] if end == "abandoned" else [])
    assert len(sandbox.requests.of(*CREATE)) == 1


async def test_networks_that_the_list_leaves_out_are_read_once_for_all(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_net_type = False
    known = await payouts.send("known", **dict(tron, amount="500"), until="accepted")
    assert known.state is PayoutState.ACCEPTED
    sandbox.faults.add(*(Fault.lose_answer(*CREATE) for _ in range(10)))
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            amount = dict(tron, amount=str(20 + number))  # each may be the next one's, net of its fee
            tasks.start_soon(partial(payouts.send, f"k{number}", **amount, until="accepted"))
    before = len(sandbox.requests.of("GET", "/v1/withdraw"))
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(settler_of(payouts).settle, f"k{number}")
    assert len(sandbox.requests.of("GET", "/v1/withdraw")) - before <= 20
    for number in range(10):
        payout = await payouts.get(f"k{number}")
        assert payout is not None
        assert (payout.evidence, payout.record and payout.record.net_type) == (Evidence.MATCH, "TRX")


@pytest.mark.parametrize(("proves", "seconds"), [(True, 31), (True, 29), (False, 31)])
async def test_late_loss_is_cleared_only_by_a_list_that_proves_it(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any], proves: bool, seconds: int
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    abandoned = await payouts.abandon("k", force=True)
    now = (await repository_of(payouts).now()).journal
    lost = attrs.evolve(abandoned.required_request, reopened=True, lost_at=Moment.at(now))
    await repository_of(payouts).change("k", lambda payout, _now: attrs.evolve(payout, sent_request=lost))
    await anyio.sleep(seconds)
    if not proves:
        odd = {"uuid": "0dd", "currency": "USDT", "amount": "a lot", "state": "DONE"}
        sandbox.faults.add(Fault.garbage(*LIST, body=json.dumps([odd]).encode(), times=None))
    await payouts.run_once()
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.is_open) == (PayoutState.ABANDONED, not (proves and seconds > 30))


@pytest.mark.parametrize("resend", ["manual", "automatic"])
async def test_payout_that_was_not_sent_is_settled_while_others_are_sent(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], resend: Literal["manual", "automatic"]
) -> None:
    payouts = Payouts(sandbox.client(), InlineJournal(path), check=False, settling_time=5, resend=resend)
    async with payouts.running():
        await payouts.enqueue("first", **dict(tron, amount="15"))  # shows whether amounts include the fee
        await payouts.wait("first")
        sandbox.faults.add(Fault.reset_before(*CREATE))
        await payouts.enqueue("lost", **dict(tron, amount="5000"))
        await anyio.sleep(1)
        for number in range(60):
            lost_answers = [Fault.lose_answer(*CREATE)] if number % 10 == 0 else []
            sandbox.faults.add(*lost_answers, Fault.slow(1.7, *CREATE))
            await payouts.enqueue(f"other {number}", **dict(tron, amount=20 + 10 * number))
            await anyio.sleep(1)
        lost = await payouts.get("lost")
    assert lost is not None
    settled = next(entry for entry in lost.history if entry.state is PayoutState.NOT_SENT)
    unknown = next(entry for entry in lost.history if entry.state is PayoutState.UNKNOWN)
    assert (settled.at - unknown.at).total_seconds() <= 20
