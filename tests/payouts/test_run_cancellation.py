"""Cancellation of `run`, `enqueue` and `send` at any step: the journal and the exchange agree, and nothing is left.

After each cancellation another process takes over.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from cancellation import WAYS, Way, assert_nothing_is_left, insisting, other_tasks, skip_repetition
from clients import CREATE
from internals import reading, store_of
from journals import InlineJournal

from upbit_async.concurrency import is_asyncio
from upbit_async.errors import NotSent
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from upbit_async.sandbox import Sandbox

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(120)]

FAULTS = [
    None,
    Fault.lose_answer(*CREATE),
    Fault.reset_before(*CREATE),
    Fault.slow(2, *CREATE),
]
NAMES = ["well", "lost", "not arrived", "slow"]
STEPS = range(0, 200, 9)
FEWER_STEPS = range(0, 200, 15)
CLAIM_LEASE = 15
SETTLING_TIME = 30
LEASE = 90


@pytest.fixture
async def other(sandbox: Sandbox, path: Path) -> AsyncGenerator[Payouts]:
    """Payouts of the process that takes over."""
    sandbox.withdrawals.transitions = Transitions.immediate()
    async with Payouts(sandbox.client(), InlineJournal(path), check=False, resend="automatic") as made:
        yield made


async def _finish(other: Payouts, sandbox: Sandbox, key: str) -> None:
    """Let the other process run, and check that it ends the payout with exactly one withdrawal."""
    before = {entry.uuid for entry in sandbox.ledger.created}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other.run)
        with anyio.fail_after(CLAIM_LEASE + LEASE + SETTLING_TIME + 60):
            while (await other.wait(key)).state is PayoutState.NOT_SENT:  # noqa: ASYNC110 - no event
                await anyio.sleep(1)  # `run` sends it again
        tasks.cancel_scope.cancel()
    payout = await other.get(key)
    assert payout is not None
    assert payout.state is PayoutState.DONE, payout.history
    made = {entry.uuid for entry in sandbox.ledger.created}
    assert payout.uuid in made
    assert len(made - before) <= 1


async def _claims(path: Path) -> int:
    """Return how many runners and claims the journal has."""
    journal = InlineJournal(path)
    with reading(store_of(journal)) as connection:
        claimed = "SELECT (SELECT count(*) FROM runners) + count(claimed_by) FROM payouts"
        count = int(connection.execute(claimed).fetchone()[0])
    await journal.aclose()
    return count


@pytest.mark.parametrize("way", WAYS)
async def test_enqueue_can_be_cancelled_at_every_step(
    payouts: Payouts, other: Payouts, sandbox: Sandbox, tron: dict[str, Any], way: Way
) -> None:
    skip_repetition(way)
    known: list[bool] = []
    for steps in range(16):
        asked = dict(tron, amount=str(100 + steps))
        before = other_tasks()
        await way(functools.partial(payouts.enqueue, asked["amount"], **asked), steps)
        await assert_nothing_is_left(payouts, before)
        known.append(await other.get(asked["amount"]) is not None)
        assert (await other.enqueue(asked["amount"], **asked)).state is PayoutState.QUEUED
        await _finish(other, sandbox, asked["amount"])
    assert len(sandbox.ledger.created) == len(known)
    assert True in known
    assert False in known or not is_asyncio()  # on trio, the order of tasks is random


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
@pytest.mark.parametrize("way", WAYS)
async def test_run_can_be_cancelled_at_every_step(
    other: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], way: Way, fault: Fault | None
) -> None:
    skip_repetition(way)
    seen: set[PayoutState] = set()
    for steps in STEPS:
        sandbox.faults.clear()
        if fault is not None:
            sandbox.faults.add(fault)
        asked = dict(tron, amount=str(100 + steps))
        await other.enqueue(asked["amount"], **asked)
        before = other_tasks()
        async with Payouts(sandbox.client(), InlineJournal(path), check=False) as payouts:
            await way(functools.partial(payouts.run, shutdown_timeout=5), steps)
            await assert_nothing_is_left(payouts, before)
            if way is not insisting:  # what interrupts the release is ended by the lease
                assert await _claims(path) == 0
            payout = await payouts.get(asked["amount"])
        assert payout is not None
        assert payout.state is not PayoutState.SENDING
        seen.add(payout.state)
        sandbox.faults.clear()
        await _finish(other, sandbox, asked["amount"])
    assert len(sandbox.ledger.created) == len(STEPS)
    assert PayoutState.QUEUED in seen
    assert len(seen) > 1


@pytest.mark.parametrize("ends_by", ["raising", "returning", "cancellation"])
@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_running_can_end_at_every_step(
    other: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], fault: Fault | None, ends_by: str
) -> None:
    for steps in FEWER_STEPS:
        sandbox.faults.clear()
        if fault is not None:
            sandbox.faults.add(fault)
        asked = dict(tron, amount=str(100 + steps))
        before = other_tasks()
        payouts = Payouts(sandbox.client(), InlineJournal(path), check=False)
        with anyio.CancelScope() as scope, contextlib.suppress(_BodyError):
            async with payouts.running(shutdown_timeout=5) as running:
                await running.enqueue(asked["amount"], **asked)
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                if ends_by == "raising":
                    raise _BodyError
                if ends_by == "cancellation":
                    scope.cancel()
        await assert_nothing_is_left(payouts, before)
        assert await _claims(path) == 0
        sandbox.faults.clear()
        await _finish(other, sandbox, asked["amount"])
    assert len(sandbox.ledger.created) == len(FEWER_STEPS)


class _BodyError(Exception):
    pass


async def test_error_in_the_body_of_running_is_raised_as_it_is(payouts: Payouts) -> None:
    with pytest.raises(_BodyError) as caught:
        async with payouts.running():
            raise _BodyError
    assert caught.value.__cause__ is None


class _SlowJournal(InlineJournal):
    """Journal whose calls take a tenth of a second, so that a timeout can fall on any of them."""

    async def _run(self, work: Any, *arguments: object) -> Any:
        await anyio.sleep(0.05)
        result = await super()._run(work, *arguments)
        await anyio.sleep(0.05)
        return result


async def _send_until(
    payouts: Payouts, key: str, asked: dict[str, Any], seconds: float
) -> PayoutState | None:
    """Return the state in which `send` returns a payout; None if it raises, and nothing is sent under the key."""
    try:
        return (await payouts.send(key, **asked, timeout=seconds)).state
    except NotSent:
        known = await payouts.get(key)
        assert known is None or known.state is PayoutState.PLANNED
    return None


@pytest.mark.parametrize("is_queued", [False, True])
@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_timeout_of_send_can_end_at_every_step(
    other: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any], fault: Fault | None, is_queued: bool
) -> None:
    seen: set[PayoutState | None] = set()
    for number in range(25):
        sandbox.faults.clear()
        if fault is not None:
            sandbox.faults.add(fault)
        asked = dict(tron, amount=str(100 + number))
        key = asked["amount"]
        before = other_tasks()
        async with Payouts(sandbox.client(), _SlowJournal(path), check=False) as payouts:
            if is_queued:
                await other.enqueue(key, **asked)
            state = await _send_until(payouts, key, asked, number * 0.1)
            assert state is not None or not is_queued
            seen.add(state)
            await assert_nothing_is_left(payouts, before)
        sandbox.faults.clear()
        await other.enqueue(key, **asked)
        await _finish(other, sandbox, key)
    assert len(sandbox.ledger.created) == 25
    assert (PayoutState.QUEUED if is_queued else None) in seen
    assert len(seen) > 1
