"""Abandoned payouts whose copy may have left: they are searched for seven days."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST
from internals import repository_of
from journals import InlineJournal, open_payouts

from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox


@pytest.fixture
async def payouts(client: UpbitClient, path: Path) -> AsyncGenerator[Payouts]:
    async with Payouts(client, journal=InlineJournal(path), settling_time=2, check=False) as made:
        yield made


async def _abandoned(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> str:
    """Abandon a payout that was executed, because the list lags by more than the settling time."""
    sandbox.knobs.list_delay = 6
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    with pytest.raises(ValueError, match="less than an hour ago"):
        await payouts.abandon("k")
    payout = await payouts.abandon("k", force=True, note="the invoice was withdrawn")
    assert (payout.state, payout.is_open, payout.candidates) == (PayoutState.ABANDONED, False, ())
    (entry,) = sandbox.ledger.created
    return entry.uuid


async def _pending(payouts: Payouts) -> list[str]:
    return [each.key for each in await open_payouts(payouts)]


async def test_abandoned_payout_that_was_executed_is_open_with_candidates(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    uuid = await _abandoned(payouts, sandbox, tron)
    assert await _pending(payouts) == []
    await anyio.sleep(6)
    (payout,) = await payouts.run_once()
    assert (payout.state, payout.is_open, payout.candidates) == (PayoutState.ABANDONED, True, (uuid,))
    assert uuid in payout.reason
    assert await _pending(payouts) == ["k"]
    assert await payouts.run_once() == [
        payout
    ]  # it is reported until somebody decides, and its history does not grow
    assert (await payouts.send("k", **tron)).state is PayoutState.ABANDONED
    payout = await payouts.resolve("k", uuid=uuid, actor="Ann")
    assert (payout.state, payout.uuid) == (PayoutState.DONE, uuid)
    assert await _pending(payouts) == []
    assert await payouts.run_once() == []
    assert len(sandbox.requests.of(*CREATE)) == 1


@pytest.mark.parametrize("by", ["acknowledge", "resolve"])
async def test_doubt_ends_by_a_manual_decision(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], by: str
) -> None:
    uuid = await _abandoned(payouts, sandbox, tron)
    await anyio.sleep(6)
    await payouts.run_once()
    if by == "acknowledge":
        await payouts.acknowledge(uuid)
    else:
        await payouts.resolve("k", not_sent=True)
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.is_open, payout.candidates) == (PayoutState.ABANDONED, False, ())
    assert await _pending(payouts) == []
    assert await payouts.run_once() == []


async def test_withdrawal_that_appears_after_not_sent_needs_review(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await anyio.sleep(3 * 86400)
    sandbox.account.allow_address("USDT", "TRX", "another customer's address")
    unowned = sandbox.withdrawals.create_on_website(
        "USDT", "TRX", 13, address="another customer's address"
    ).uuid
    await anyio.sleep(600)
    for _ in range(3):
        (payout,) = await payouts.run_once()
        assert (payout.state, payout.uuid) == (PayoutState.NEEDS_REVIEW, None)
        assert payout.candidates == (unowned,)
    await payouts.acknowledge(unowned)
    (payout,) = await payouts.run_once()
    assert (payout.state, payout.candidates) == (PayoutState.NOT_SENT, ())


async def test_late_copy_is_not_adopted_by_an_equal_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    late = await _abandoned(payouts, sandbox, tron)
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("alike", **tron, until="accepted")).state is PayoutState.UNKNOWN
    await anyio.sleep(6)  # the list shows the late copy, which is new since the baseline of both
    payout = await payouts.wait("alike")
    assert (payout.state, payout.candidates) == (PayoutState.NEEDS_REVIEW, (late,))


async def test_late_doubt_does_not_block_an_equal_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    late = await _abandoned(payouts, sandbox, tron)
    await anyio.sleep(6)
    (payout,) = await payouts.run_once()
    assert payout.candidates == (late,)
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE  # its baseline shows the late copy
    assert len(sandbox.ledger.created) == 2


@pytest.mark.parametrize("abandons", [True, False])
async def test_next_equal_payout_reveals_a_late_copy(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], *, abandons: bool
) -> None:
    sandbox.knobs.list_delay = 6
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    if abandons:
        await payouts.abandon("k", force=True)
    await anyio.sleep(6)  # nobody calls recover meanwhile
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE
    first, _ = sandbox.ledger.created
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is (PayoutState.ABANDONED if abandons else PayoutState.NEEDS_REVIEW)
    assert payout.candidates == (first.uuid,)
    assert [step.state for step in payout.history][:4] == ["planned", "sending", "unknown", "not_sent"]


async def test_late_copies_are_searched_for_seven_days(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron)
    await payouts.abandon("k", force=True)
    assert await payouts.run_once() == []
    now = sandbox.now
    repository_of(payouts).clock = lambda: now + dt.timedelta(days=7.1)
    polls = len(sandbox.requests.of(*LIST))
    assert await payouts.run_once() == []
    assert len(sandbox.requests.of(*LIST)) > polls  # a wrong time of day does not shorten the seven days
    await anyio.sleep(7.1 * 86400)
    polls = len(sandbox.requests.of(*LIST))
    assert await payouts.run_once() == []
    assert len(sandbox.requests.of(*LIST)) == polls
