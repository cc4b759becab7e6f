"""Unreadable rows of Upbit's list forbid ``not_sent``, are reported, and delay nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from clients import CREATE, LIST
from journals import InlineJournal

from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from upbit_async.client import UpbitClient

ODD = {"uuid": "0dd-R0W", "currency": "USDT", "amount": "a lot", "state": "DONE"}


@pytest.fixture
def list_with_odd_row(sandbox: Sandbox, client: UpbitClient) -> Callable[[], Awaitable[None]]:
    """Return what puts a row that can't be read on top of the present list, for good."""

    async def put() -> None:
        sandbox.faults.clear()
        rows = await client.request(*LIST)
        sandbox.faults.add(Fault.garbage(*LIST, body=json.dumps([ODD, *rows]).encode(), times=None))

    return put


async def _lose(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], key: str, fault: Fault) -> None:
    sandbox.faults.add(fault)
    lost = await payouts.send(key, **tron, until="accepted")
    assert lost.state is PayoutState.UNKNOWN


async def test_unreadable_row_forbids_not_sent(
    payouts: Payouts,
    sandbox: Sandbox,
    tron: dict[str, Any],
    list_with_odd_row: Callable[[], Awaitable[None]],
) -> None:
    await _lose(payouts, sandbox, tron, "k", Fault.reset_before(*CREATE))
    await list_with_odd_row()
    payout = await payouts.wait("k")
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert "can't be read" in payout.reason
    assert "0dd-R0W" in payout.reason
    assert payout.candidates == ("0dd-r0w",)
    assert (await payouts.resolve("k", not_sent=True)).state is PayoutState.NOT_SENT

    await _lose(payouts, sandbox, {**tron, "amount": "20"}, "next", Fault.reset_before(*CREATE))
    assert (await payouts.wait("next")).state is PayoutState.NOT_SENT  # the row is acknowledged


async def test_match_is_adopted_beside_an_unreadable_row(
    payouts: Payouts,
    sandbox: Sandbox,
    tron: dict[str, Any],
    list_with_odd_row: Callable[[], Awaitable[None]],
) -> None:
    await _lose(payouts, sandbox, tron, "k", Fault.lose_answer(*CREATE))
    await list_with_odd_row()
    payout = await payouts.wait("k", timeout=40)  # the list no longer changes, so the payout never ends
    assert payout.state is PayoutState.ACCEPTED
    assert payout.uuid == sandbox.ledger.created[0].uuid


async def test_unreadable_row_delays_the_mark_but_no_payment(
    payouts: Payouts,
    sandbox: Sandbox,
    path: Path,
    tron: dict[str, Any],
    list_with_odd_row: Callable[[], Awaitable[None]],
) -> None:
    await payouts.send("first", **tron)
    await list_with_odd_row()
    assert (await payouts.send("second", **tron, until="accepted")).state is PayoutState.ACCEPTED
    assert len(sandbox.ledger.created) == 2
    journal = InlineJournal(path)
    assert await journal.mark("USDT") is None
    await journal.aclose()


async def test_unproven_answer_with_anothers_uuid_is_lost(
    payouts: Payouts, sandbox: Sandbox, client: UpbitClient, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 600  # so that no baseline shows the first
    first = await payouts.send("first", **tron)
    assert first.uuid is not None
    answer = await client.request("GET", "/v1/withdraw", params={"uuid": first.uuid})
    sandbox.faults.add(Fault.garbage(*CREATE, body=json.dumps(answer).encode()))
    client.known_withdrawals.accept(first.intent, first.record, is_guarded=True, is_fresh=False)
    second = await payouts.send("second", **tron, until="accepted")
    assert second.state is PayoutState.UNKNOWN
    assert "belongs to payout 'first'" in second.reason
    assert (await payouts.get("first")) == first
