"""A payout that is held back leaves one log record per reason, and holds up no other payout."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE
from internals import store_of, writing
from journals import InlineJournal

from upbit_async.errors import JournalError
from upbit_async.payouts import AmountLimit, MemoryJournal, Payouts, PayoutState
from upbit_async.payouts.departure import UNCONDITIONAL
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.payouts import Payout
    from upbit_async.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "upbit_async.payouts")


def lines_of(caplog: pytest.LogCaptureFixture, key: str, words: str) -> list[logging.LogRecord]:
    """Return the log records about a queued payout that have these words."""
    return [
        line
        for line in caplog.records
        if words in line.getMessage()
        and (vars(line).get("key"), vars(line).get("state"), vars(line).get("uuid")) == (key, "queued", None)
    ]


async def test_payout_that_an_unowned_withdrawal_blocks_is_logged_once_as_a_warning(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate()  # the reason shows the withdrawal's state
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    (entry,) = sandbox.ledger.created
    async with payouts.running():
        await payouts.enqueue("k", **tron)
        await anyio.sleep(300)
    (line,) = lines_of(caplog, "k", entry.uuid)
    assert line.levelno == logging.WARNING


async def test_payout_that_waits_for_another_is_logged_once_as_information(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    async with payouts.running():
        await payouts.enqueue("first", **tron)
        await payouts.enqueue("second", **tron)
        assert (await payouts.wait("second", timeout=120)).state is PayoutState.DONE
    (line,) = lines_of(caplog, "second", "waits until payout 'first'")
    assert line.levelno == logging.INFO


async def test_limits_are_logged_by_whether_they_pass(
    sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    journal = MemoryJournal()
    async with Payouts(sandbox.client(), journal) as other:
        await other.enqueue("large", **dict(tron, amount=50))
    limits = [AmountLimit("USDT", per_payout=40, per_day=15)]
    async with Payouts(sandbox.client(), journal, amount_limits=limits).running() as payouts:
        await payouts.enqueue("a", **tron)
        assert (await payouts.wait("a", timeout=20)).state is PayoutState.DONE
        await payouts.enqueue("b", **tron)
        await anyio.sleep(100)
    (passing,) = lines_of(caplog, "b", "within 24 hours")
    assert passing.levelno == logging.INFO
    (lasting,) = lines_of(caplog, "large", "exceeds the limit of 40 USDT per payout")
    assert lasting.levelno == logging.WARNING


async def test_failed_check_that_passes_is_logged_once_as_information(
    sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with Payouts(sandbox.client(), MemoryJournal()).running() as payouts:
        await payouts.enqueue("k", **dict(tron, amount=2_000_000))
        await anyio.sleep(100)
    (line,) = lines_of(caplog, "k", "balance")
    assert line.levelno == logging.INFO


async def test_row_that_another_key_has_authorised_is_logged_once_as_a_warning(
    sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    journal = MemoryJournal()
    async with Payouts(sandbox.client(), journal, journal_keys=[b"a key of sixteen bytes"]) as former:
        await former.enqueue("k", **tron)
    async with Payouts(sandbox.client(), journal).running():
        await anyio.sleep(200)
    (line,) = lines_of(caplog, "k", "authorised with another journal key")
    assert line.levelno == logging.WARNING


class _StubbornJournal(MemoryJournal):
    """A journal that can't write one payout."""

    async def compare_and_swap(self, old: Payout, new: Payout, conditions: Any = UNCONDITIONAL) -> Payout:
        if old.key == "stuck":
            raise JournalError("the row can't be written")
        return await super().compare_and_swap(old, new, conditions)


async def test_overdue_payout_that_cannot_be_written_holds_up_no_other(
    sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    payouts = Payouts(sandbox.client(), _StubbornJournal(), clock=lambda: sandbox.now)
    async with payouts.running(concurrency=1):
        await payouts.pause()
        soon = sandbox.now + dt.timedelta(seconds=5)
        await payouts.enqueue("stuck", **tron, not_after=soon)
        for number in range(20):
            later = soon + dt.timedelta(seconds=0.1)
            await payouts.enqueue(f"k{number}", **dict(tron, amount=20 + number), not_after=later)
        await anyio.sleep(6.5)  # before a sender tries them again
        states = {payout.key: payout.state for payout in await payouts.list()}
        assert states.pop("stuck") is PayoutState.QUEUED
        assert set(states.values()) == {PayoutState.ABANDONED}
        await payouts.resume()
        await payouts.enqueue("next", **dict(tron, amount=50))
        assert (await payouts.wait("next", timeout=20)).state is PayoutState.DONE
    assert "the row can't be written" in caplog.text


async def test_damaged_overdue_row_holds_up_no_other(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    journal = InlineJournal(path)
    payouts = Payouts(sandbox.client(), journal, clock=lambda: sandbox.now)
    async with payouts.running(concurrency=1):
        await payouts.pause()
        soon = sandbox.now + dt.timedelta(seconds=5)
        for number in range(20):
            await payouts.enqueue(f"k{number:02}", **dict(tron, amount=20 + number), not_after=soon)
        await anyio.sleep(3)
        with writing(store_of(journal)) as connection:
            connection.execute("UPDATE payouts SET intent = '{' WHERE key = 'k00'")
        await anyio.sleep(3.4)  # before a sender tries them again
        assert [payout.state for payout in await payouts.list()] == [PayoutState.ABANDONED] * 19
