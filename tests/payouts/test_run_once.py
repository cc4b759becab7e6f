"""`Payouts.run_once` beside other tasks and processes that change the payouts, and a journal that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import Evidence, Payout, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.sandbox import Sandbox


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """Withdrawals end only when a test says so."""
    sandbox.withdrawals.transitions = Transitions.manual()
    return sandbox


async def _match(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> Payout:
    """Return a payout that was matched to its withdrawal, because its answer was lost."""
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("a", **tron, until="accepted")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(payouts.run_once)
        await anyio.sleep(60)
        tasks.cancel_scope.cancel()
    payout = await payouts.get("a")
    assert payout is not None
    assert (payout.state, payout.evidence) == (PayoutState.ACCEPTED, Evidence.MATCH)
    return payout


async def test_answer_that_could_not_be_written_is_written_by_run_once(
    sandbox: Sandbox, path: Path, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(3)
    writes = 0

    def fail_once(work: str) -> None:
        nonlocal writes
        writes += work == "compare_and_swap"
        if writes == 2 and work == "compare_and_swap":
            raise errors.JournalError("disk full")

    journal = InlineJournal(path)
    journal.before = fail_once
    async with Payouts(sandbox.client(), journal, check=False) as payouts:
        await payouts.enqueue("k", **tron)
        await payouts.run_once()
    payout = await elsewhere.get("k")
    assert payout is not None
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.ANSWER)


async def test_answer_that_could_not_be_written_replaces_the_match_of_another_process(
    sandbox: Sandbox, path: Path, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    is_down = False

    def fail(work: str) -> None:
        if is_down and work in {"compare_and_swap", "get", "add"}:
            raise errors.JournalError("disk full")

    journal = InlineJournal(path)
    journal.before = fail
    sandbox.faults.add(Fault.slow(1, *CREATE))
    async with Payouts(sandbox.client(), journal, check=False) as payouts:
        async with anyio.create_task_group() as tasks:

            async def send() -> None:
                await payouts.send("a", **tron, until="accepted")

            tasks.start_soon(send)
            await anyio.sleep(0.5)
            is_down = True
        await anyio.sleep(120)
        (matched,) = await elsewhere.run_once(timeout=120)
        assert (matched.state, matched.evidence) == (PayoutState.ACCEPTED, Evidence.MATCH)
        is_down = False
        (found,) = await payouts.run_once(timeout=3)
        assert (found.state, found.evidence) == (PayoutState.ACCEPTED, Evidence.ANSWER)
        sandbox.withdrawals.set_state(matched.uuid or "", "DONE")
        (found,) = await payouts.run_once(timeout=3)
        assert found.state is PayoutState.DONE


async def test_run_once_ends_if_a_match_is_corrected_meanwhile(
    payouts: Payouts, sandbox: Sandbox, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    first = (await _match(payouts, sandbox, tron)).uuid or ""
    second = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"]).uuid
    found: list[Payout] = []

    async def run_once() -> None:
        found.extend(await payouts.run_once())

    with anyio.fail_after(1000):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_once)
            await anyio.sleep(5)
            await elsewhere.resolve("a", uuid=second, note="by its txid")
            sandbox.withdrawals.set_state(first, "DONE")
            await anyio.sleep(60)
            sandbox.withdrawals.set_state(second, "DONE")
    (payout,) = found
    assert payout.uuid == second


async def test_run_once_returns_what_another_process_has_changed_meanwhile(
    payouts: Payouts, sandbox: Sandbox, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    await _match(payouts, sandbox, tron)
    found: list[Payout] = []

    async def run_once() -> None:
        found.extend(await payouts.run_once(timeout=60))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_once)
        await anyio.sleep(5)
        await elsewhere.resolve("a", not_sent=True, note="it is another payment")
    assert [payout.state for payout in found] == [PayoutState.NOT_SENT]


async def test_run_once_polls_beside_run(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    async with payouts.running():
        await payouts.enqueue("a", **tron)
        await anyio.sleep(400)
        (entry,) = sandbox.ledger.created
        sandbox.withdrawals.set_state(entry.uuid, "PROCESSING")
        (payout,) = await payouts.run_once(timeout=0)
        assert payout.record is not None
        assert payout.record.state == "PROCESSING"
