"""One payout whose row is damaged stops no other payout, and nothing is paid twice because of it."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox


def change(path: Path, statement: str) -> None:
    """Change the journal's file as another program would."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def damage(path: Path, key: str, what: str = "sent_request = '{'") -> None:
    change(path, f"UPDATE payouts SET {what} WHERE key = '{key}'")  # noqa: S608 - the test's own words


def lines_of(caplog: pytest.LogCaptureFixture, key: str) -> list[logging.LogRecord]:
    """Return the log records of level WARNING and above about a payout whose row can't be read."""
    return [
        line
        for line in caplog.records
        if f"payout '{key}' can't be read" in line.getMessage()
        and line.levelno >= logging.WARNING
        and vars(line)["key"] == key
    ]


@pytest.mark.parametrize("what", ["intent = '{'", "revision = 'odd'", "mac = 'odd'"])
async def test_others_are_paid_beside_a_damaged_queued_payout(
    payouts: Payouts,
    sandbox: Sandbox,
    path: Path,
    tron: dict[str, Any],
    what: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(5):
        await payouts.enqueue(f"k{number}", **dict(tron, amount=str(20 + number)))
    damage(path, "k2", what)
    async with Payouts(sandbox.client(), InlineJournal(path), check=False).running() as running:
        for key in ("k0", "k1", "k3", "k4"):
            assert (await running.wait(key, timeout=20)).state is PayoutState.DONE
        await anyio.sleep(60)
    assert len(sandbox.ledger.created) == 4
    if what != "mac = 'odd'":
        assert len(lines_of(caplog, "k2")) == 1
        with pytest.raises(errors.JournalError, match="payout 'k2' can't be read") as caught:
            await payouts.get("k2")
        assert caught.value.key == "k2"


async def test_row_that_is_damaged_while_it_waits_holds_up_no_other(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with payouts.running(concurrency=1):
        await payouts.pause()
        for number in range(5):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=str(20 + number)))
        await anyio.sleep(3)
        damage(path, "k0", "intent = '{'")
        await payouts.resume()
        for number in range(1, 5):
            assert (await payouts.wait(f"k{number}", timeout=15)).state is PayoutState.DONE
    assert len(lines_of(caplog, "k0")) >= 1


async def test_row_that_is_damaged_while_it_is_followed_holds_up_no_other(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(10)
    async with payouts.running():
        await payouts.enqueue("a", **tron)
        await payouts.enqueue("b", **dict(tron, amount=20))
        await anyio.sleep(5)
        damage(path, "a")
        assert (await payouts.wait("b", timeout=30)).state is PayoutState.DONE
        await anyio.sleep(20)
        assert lines_of(caplog, "a")
        assert (await payouts.enqueue("c", **dict(tron, amount=30))).state is PayoutState.QUEUED
        assert (await payouts.wait("c", timeout=30)).state is PayoutState.DONE


async def test_repaired_row_continues(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(10)
    async with payouts.running():
        await payouts.enqueue("a", **tron)
        await anyio.sleep(5)
        change(path, "UPDATE payouts SET error = '{'")
        await anyio.sleep(30)
        change(path, "UPDATE payouts SET error = NULL")
        assert (await payouts.wait("a", timeout=60)).state is PayoutState.DONE


async def test_run_once_advances_and_returns_the_others(
    payouts: Payouts, path: Path, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        await payouts.enqueue(f"k{number}", **dict(tron, amount=str(20 + number)))
    damage(path, "k1", "intent = '{'")
    found = await payouts.run_once(timeout=20)
    assert [(each.key, each.state) for each in found] == [("k0", "done"), ("k2", "done")]
    assert lines_of(caplog, "k1")


async def test_list_and_iter_leave_a_damaged_payout_out_and_log_it(
    payouts: Payouts, path: Path, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        await payouts.enqueue(f"k{number}", **dict(tron, amount=str(20 + number)))
    damage(path, "k1", "intent = '{'")
    assert [each.key for each in await payouts.list()] == ["k2", "k0"]
    assert [each.key async for each in payouts.iter()] == ["k2", "k0"]
    assert len(lines_of(caplog, "k1")) == 1
    assert (await payouts.health()).counts == {PayoutState.QUEUED: 3}


async def _unsettled_and_damaged(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], what: str = "sent_request = '{'"
) -> None:
    """Leave a payout of 13 USDT that was carried out, whose answer was lost and whose row is damaged."""
    await payouts.send("paid before", **dict(tron, amount=99))
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    lost = await payouts.send("damaged", **tron, until="accepted")
    assert lost.state is PayoutState.UNKNOWN
    damage(path, "damaged", what)


@pytest.mark.parametrize("what", ["sent_request = '{'", "intent = '{'", "record = 'x'"])
async def test_others_in_the_currency_are_settled_beside_a_damaged_unsettled_payout(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], what: str
) -> None:
    await _unsettled_and_damaged(payouts, sandbox, path, tron, what)
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    sandbox.faults.add(Fault.reset_before(*CREATE))
    async with Payouts(sandbox.client(), InlineJournal(path), check=False).running() as running:
        for number, key in enumerate(("lost", "not arrived", "well")):
            await running.enqueue(key, **dict(tron, amount=str(50 + number)))
            await anyio.sleep(1)
        assert (await running.wait("well", timeout=20)).state is PayoutState.DONE
        assert (await running.wait("lost", timeout=100)).state is PayoutState.DONE
        assert (await running.wait("not arrived", timeout=100)).state is PayoutState.NOT_SENT


@pytest.mark.parametrize("what", ["sent_request = '{'", "intent = '{'"])
async def test_equal_payout_names_the_damaged_one_and_is_not_sent(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], what: str
) -> None:
    await _unsettled_and_damaged(payouts, sandbox, path, tron, what)
    before = len(sandbox.ledger.created)
    async with Payouts(
        sandbox.client(), InlineJournal(path), check=False, on_unowned="allow"
    ).running() as running:
        await running.enqueue("equal", **tron)
        held = await running.wait("equal", timeout=100)
        assert held.state is PayoutState.QUEUED
        assert "'damaged'" in held.reason
        assert (await running.get("equal")) == held
    assert len(sandbox.ledger.created) == before


async def test_withdrawal_of_a_damaged_payout_is_not_taken_for_anothers(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    """Or else the damaged payout would be paid again once its row is repaired."""
    sandbox.knobs.list_delay = 100
    await _unsettled_and_damaged(payouts, sandbox, path, dict(tron, net_type="TRX"))
    # Its columns say that it was not sent, so an equal payout may leave.
    damage(path, "damaged", "state = 'not_sent', may_be_unseen = 1")
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("equal", **tron, until="accepted")
    sandbox.knobs.list_delay = 0
    equal = await payouts.wait("equal", timeout=100)
    assert equal.state is PayoutState.NEEDS_REVIEW
    assert "'damaged'" in equal.reason


async def test_row_without_a_readable_amount_sends_lost_answers_to_review_and_stops_no_first_copy(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    await _unsettled_and_damaged(payouts, sandbox, path, tron, "amount = 'many'")
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    async with Payouts(sandbox.client(), InlineJournal(path), check=False).running() as running:
        await running.enqueue("lost", **dict(tron, amount=50))
        await anyio.sleep(1)
        await running.enqueue("well", **dict(tron, amount=51))
        assert (await running.wait("well", timeout=20)).state is PayoutState.DONE
        lost = await running.wait("lost", timeout=100)
        assert lost.state is PayoutState.NEEDS_REVIEW
        assert "row of 'damaged' is damaged" in lost.reason


async def test_damaged_unowned_withdrawal_blocks_its_currency_until_it_is_acknowledged(
    client: UpbitClient, payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.create_on_website("USDT", "TRX", "77", address=tron["address"])
    (entry,) = sandbox.ledger.created
    await payouts.send("a", **tron)
    change(path, "UPDATE unowned SET record = '{'")
    with pytest.raises(errors.PayoutBlocked, match=r"is damaged, so it could be this payment") as caught:
        await payouts.send("b", **dict(tron, amount=20))
    assert caught.value.uuids == (entry.uuid,)
    await payouts.acknowledge(entry.uuid)
    assert (await payouts.send("b", **dict(tron, amount=20))).state is PayoutState.DONE
