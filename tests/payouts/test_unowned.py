"""Withdrawals without a payout block an equal payout, because the journal may have been lost."""

from __future__ import annotations

import datetime as dt
import sqlite3
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE
from internals import repository_of
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox


def website(sandbox: Sandbox, tron: dict[str, Any], amount: str = "13") -> str:
    """Return the id of a withdrawal that was made on the website."""
    return sandbox.withdrawals.create_on_website("USDT", "TRX", amount, address=tron["address"]).uuid


def lose_journal(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def put_back(path: Path) -> None:
    """Set all payouts back to planned, as anyone with access to the file could."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(
        "UPDATE payouts SET state = 'planned', is_open = 1, holds_up_equals = 0, may_be_unseen = 0, uuid = NULL, "
        "evidence = NULL, record = NULL, error = NULL, sent_request = NULL, "
        "left_utc = NULL, left_epoch = NULL, left_seconds = NULL"
    )
    connection.close()


async def test_journal_lost_between_two_sends_blocks_an_equal_payout(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    async with Payouts(client, journal=InlineJournal(path), check=False) as payouts:
        paid = await payouts.send("invoice-1", **tron)
    lose_journal(path)
    async with Payouts(client, journal=InlineJournal(path), check=False) as payouts:
        for key in ("invoice-2", "invoice-1"):
            with pytest.raises(errors.PayoutBlocked) as caught:
                await payouts.send(key, **tron)
            assert (caught.value.by_key, caught.value.uuids) == (None, (paid.uuid,))
            assert await payouts.get(key) is None
        await anyio.sleep(3600)  # time does not lift it
        with pytest.raises(errors.PayoutBlocked):
            await payouts.send("invoice-2", **tron)
        assert len(sandbox.ledger.created) == 1
        await payouts.acknowledge(paid.uuid or "", note="invoice 1", actor="Ann")
        assert (await payouts.send("invoice-2", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 2


async def test_row_set_back_to_planned_is_not_paid_again(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    async with Payouts(client, journal=InlineJournal(path), check=False) as payouts:
        fresh = await payouts.send("k", **tron)
    put_back(path)
    async with Payouts(client, journal=InlineJournal(path), check=False) as payouts:
        known = await payouts.get("k")
        assert known is not None
        assert (known.state, known.uuid) == (PayoutState.PLANNED, None)
        with pytest.raises(errors.PayoutBlocked) as caught:
            await payouts.send("k", **tron)
        assert caught.value.uuids == (fresh.uuid,)
        await payouts.run_once()
        resolved = await payouts.resolve("k", uuid=fresh.uuid)
        assert (resolved.state, resolved.uuid) == (PayoutState.DONE, fresh.uuid)
        assert await payouts.send("k", **tron) == resolved
    assert len(sandbox.requests.of(*CREATE)) == len(sandbox.ledger.created) == 1


async def test_acknowledge_lifts_the_block_of_one_withdrawal(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    first, second = website(sandbox, tron), website(sandbox, tron)
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("k", **tron)
    assert set(caught.value.uuids) == {first, second}
    await payouts.acknowledge(first)
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("k", **tron)
    assert caught.value.uuids == (second,)
    await payouts.acknowledge(second.upper())
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_resolve_not_sent_lifts_the_block(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    theirs = {website(sandbox, tron), website(sandbox, tron)}
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("k", **tron)
    assert set(caught.value.uuids) == theirs
    await payouts.enqueue("k", **tron)
    (blocked,) = await payouts.run_once()
    assert blocked.state is PayoutState.QUEUED
    assert set(blocked.candidates) == theirs
    payout = await payouts.resolve("k", not_sent=True, note="two other invoices")
    assert payout.state is PayoutState.QUEUED
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 4


async def test_withdrawal_of_a_payout_cannot_be_acknowledged(payouts: Payouts, tron: dict[str, Any]) -> None:
    paid = await payouts.send("k", **tron)
    with pytest.raises(errors.PayoutConflict, match="belongs to payout 'k'"):
        await payouts.acknowledge(paid.uuid or "")
    with pytest.raises(errors.NotFound):
        await payouts.acknowledge("00000000-0000-4000-8000-999999999999")


async def test_unowned_withdrawal_blocks_a_new_nonce(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k", new_nonce=True)
    other = website(sandbox, tron)
    payout = await payouts.send("k", **tron)
    assert other in payout.candidates
    assert payout.state in {PayoutState.QUEUED, PayoutState.NEEDS_REVIEW}
    assert len(sandbox.requests.of(*CREATE)) == 1


@pytest.mark.parametrize("amount", ["20", "13.5", "11"])
async def test_another_amount_is_not_blocked(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], amount: str
) -> None:
    website(sandbox, tron)
    assert (await payouts.send("k", **dict(tron, amount=amount))).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 2


async def test_amount_that_differs_by_the_fee_is_blocked_at_first(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    website(sandbox, tron)
    with pytest.raises(errors.PayoutBlocked):
        await payouts.send("k", **dict(tron, amount="14"))  # 13 and a fee of 1
    assert (await payouts.send("known", **dict(tron, amount="40"))).state is PayoutState.DONE
    assert (await payouts.send("k", **dict(tron, amount="14"))).state is PayoutState.DONE
    with pytest.raises(errors.PayoutBlocked):
        await payouts.send("equal", **tron)


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED", "REJECTED"])
async def test_failed_unowned_withdrawal_does_not_block(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], end: str
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(1, states=["PROCESSING", end])
    other = website(sandbox, tron)
    await anyio.sleep(10)
    assert sandbox.withdrawals[other].state == end
    sandbox.withdrawals.transitions = Transitions.after_seconds(1)
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


@pytest.mark.parametrize(("days", "blocks"), [(6.9, True), (7.1, False)])
async def test_unowned_withdrawals_block_for_seven_days_without_a_mark(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], days: float, blocks: bool
) -> None:
    other = website(sandbox, tron)
    now = sandbox.now
    repository_of(payouts).clock = lambda: now + dt.timedelta(days=days)
    if blocks:
        with pytest.raises(errors.PayoutBlocked) as caught:
            await payouts.send("k", **tron)
        assert caught.value.uuids == (other,)
    else:
        assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_recorded_block_outlasts_the_seven_days(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    other = website(sandbox, tron)
    with pytest.raises(errors.PayoutBlocked):
        await payouts.send("k", **tron)
    now = sandbox.now
    repository_of(elsewhere).clock = lambda: now + dt.timedelta(days=30)
    with pytest.raises(errors.PayoutBlocked) as caught:
        await elsewhere.send("k", **tron)
    assert caught.value.uuids == (other,)


async def test_on_unowned_allow_sends_anyway(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    website(sandbox, tron)
    async with Payouts(client, journal=InlineJournal(path), on_unowned="allow", check=False) as payouts:
        assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 2


async def test_withdrawal_an_open_payout_may_own_is_waited_for(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("lost", **tron, until="accepted")
    assert (await elsewhere.send("alike", **tron)).state is PayoutState.DONE
    lost = await elsewhere.get("lost")
    assert lost is not None
    assert lost.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 2


async def test_candidate_that_proves_to_be_no_payout_still_blocks(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    """While a review is open, other payouts move the mark; it must not pass the candidates."""
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("reviewed", **tron, until="accepted")
    ours, strangers = sandbox.ledger.created[-1].uuid, website(sandbox, tron)
    assert (await payouts.wait("reviewed")).state is PayoutState.NEEDS_REVIEW
    for amount in ("18", "19"):
        await anyio.sleep(60)
        await payouts.send(f"other {amount}", **dict(tron, amount=amount))
    await payouts.resolve("reviewed", uuid=ours)
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("alike", **tron)
    assert caught.value.uuids == (strangers,)
