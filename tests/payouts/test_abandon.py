"""What was given up after a copy had left is looked at for seven days."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from internals import repository_of
from journals import InlineJournal

from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

POST = ("POST", "/v1/withdraws/coin")
LIST = ("GET", "/v1/withdraws")


@pytest.fixture
async def payouts(client: UpbitClient, path: Path) -> AsyncGenerator[Payouts]:
    async with Payouts(client, journal=InlineJournal(path), settling_time=2) as made:
        yield made


async def _given_up(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> str:
    """Give up a payout that was carried out, because the list lags by more than the settling time."""
    sandbox.knobs.list_delay = 6
    sandbox.faults.add(Fault.lose_answer(*POST))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    with pytest.raises(ValueError, match="less than an hour ago"):
        await payouts.abandon("k")
    payout = await payouts.abandon("k", force=True, note="the invoice was withdrawn")
    assert (payout.state, payout.is_open, payout.candidates) == (PayoutState.ABANDONED, False, ())
    (entry,) = sandbox.ledger.created
    return entry.uuid


async def _pending(payouts: Payouts) -> list[str]:
    return [each.key async for each in payouts.pending()]


async def test_what_was_given_up_and_carried_out_is_open_with_its_candidates(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    uuid = await _given_up(payouts, sandbox, tron)
    assert await _pending(payouts) == []
    await anyio.sleep(6)
    (payout,) = await payouts.recover()
    assert (payout.state, payout.is_open, payout.candidates) == (PayoutState.ABANDONED, True, (uuid,))
    assert uuid in payout.reason
    assert await _pending(payouts) == ["k"]
    assert await payouts.recover() == [
        payout
    ]  # it is reported until somebody decides, and its history does not grow
    assert (await payouts.send("k", **tron)).state is PayoutState.ABANDONED
    payout = await payouts.resolve("k", uuid=uuid, actor="Ann")
    assert (payout.state, payout.uuid) == (PayoutState.DONE, uuid)
    assert await _pending(payouts) == []
    assert await payouts.recover() == []
    assert len(sandbox.requests.of(*POST)) == 1


@pytest.mark.parametrize("by", ["acknowledge", "resolve"])
async def test_the_doubt_ends_by_a_manual_decision(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], by: str
) -> None:
    uuid = await _given_up(payouts, sandbox, tron)
    await anyio.sleep(6)
    await payouts.recover()
    if by == "acknowledge":
        await payouts.acknowledge(uuid)
    else:
        await payouts.resolve("k", not_sent=True)
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.is_open, payout.candidates) == (PayoutState.ABANDONED, False, ())
    assert await _pending(payouts) == []
    assert await payouts.recover() == []


async def test_what_turns_up_after_not_sent_takes_a_manual_decision(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await anyio.sleep(3 * 86400)
    sandbox.account.allow_address("USDT", "TRX", "another customer's address")
    stranger = sandbox.withdrawals.create_on_website(
        "USDT", "TRX", 13, address="another customer's address"
    ).uuid
    await anyio.sleep(600)
    for _ in range(3):
        (payout,) = await payouts.recover()
        assert (payout.state, payout.uuid) == (PayoutState.NEEDS_REVIEW, None)
        assert payout.candidates == (stranger,)
    await payouts.acknowledge(stranger)
    (payout,) = await payouts.recover()
    assert (payout.state, payout.candidates) == (PayoutState.NOT_SENT, ())


async def test_its_late_copy_is_not_taken_for_an_equal_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    late = await _given_up(payouts, sandbox, tron)
    sandbox.faults.add(Fault.reset_before(*POST))
    assert (await payouts.send("alike", **tron, wait=False)).state is PayoutState.UNKNOWN
    await anyio.sleep(6)  # the list shows the late copy, which is new since the baseline of both
    payout = await payouts.wait("alike")
    assert (payout.state, payout.candidates) == (PayoutState.NEEDS_REVIEW, (late,))


async def test_an_equal_payout_is_not_held_up_by_a_late_doubt(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    late = await _given_up(payouts, sandbox, tron)
    await anyio.sleep(6)
    (payout,) = await payouts.recover()
    assert payout.candidates == (late,)
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE  # its baseline shows the late copy
    assert len(sandbox.ledger.created) == 2


@pytest.mark.parametrize("abandons", [True, False])
async def test_the_next_equal_payout_finds_what_was_held_for_not_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], *, abandons: bool
) -> None:
    sandbox.knobs.list_delay = 6
    sandbox.faults.add(Fault.lose_answer(*POST))
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


async def test_after_seven_days_nobody_looks(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron)
    await payouts.abandon("k", force=True)
    assert await payouts.recover() == []
    now = sandbox.now
    repository_of(payouts).clock = lambda: now + dt.timedelta(days=7.1)
    looks = len(sandbox.requests.of(*LIST))
    assert await payouts.recover() == []
    assert len(sandbox.requests.of(*LIST)) > looks  # a wrong time of day does not shorten it
    await anyio.sleep(7.1 * 86400)
    looks = len(sandbox.requests.of(*LIST))
    assert await payouts.recover() == []
    assert len(sandbox.requests.of(*LIST)) == looks
