"""`Payouts.wait` and `Payouts.run_once`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST
from journals import InlineJournal

from upbit_async import Timeouts, errors
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.sandbox import Sandbox


async def test_wait_returns_the_newest_record_at_its_timeout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(100)
    await payouts.send("k", **tron, until="accepted")
    known = await payouts.wait("k", timeout=150)
    assert known.state is PayoutState.ACCEPTED
    assert known.record is not None
    assert known.record.state == "PROCESSING"
    assert known == await payouts.get("k")
    assert (await payouts.wait("k")).state is PayoutState.DONE


async def test_wait_timeout_applies_while_settling(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    began = anyio.current_time()
    assert (await payouts.wait("k", timeout=5)).state is PayoutState.UNKNOWN
    assert anyio.current_time() - began == pytest.approx(5, abs=0.1)
    assert (await payouts.wait("k")).state is PayoutState.DONE


async def test_wait_sees_a_queued_payout_paid_by_another_process(
    payouts: Payouts, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    await payouts.enqueue("k", **tron)
    found: list[Any] = []

    async def wait() -> None:
        found.append(await payouts.wait("k"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(10)
        assert found == []
        await elsewhere.send("k", **tron)
    assert found[0].state is PayoutState.DONE


@pytest.mark.parametrize("call", ["wait", "resolve"])
async def test_unknown_key_is_refused(payouts: Payouts, call: str) -> None:
    assert await payouts.get("nobody's") is None
    with pytest.raises(ValueError, match="there is no payout"):
        await (payouts.wait("nobody's") if call == "wait" else payouts.resolve("nobody's", not_sent=True))


async def test_polling_error_is_returned_by_send_and_raised_by_wait(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(401, *LIST, name="expired_access_key", skip=1, times=None))
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.ACCEPTED
    assert isinstance(payout.error, errors.AuthenticationError)
    with pytest.raises(errors.AuthenticationError):
        await payouts.wait("k")
    (payout,) = await payouts.run_once()
    assert isinstance(payout.error, errors.AuthenticationError)
    sandbox.faults.clear()
    assert (await payouts.wait("k")).error is None


@pytest.mark.timeout(60)  # 152 payouts
async def test_run_once_continues_all_open_payouts(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(20)
    for number in range(150):
        await payouts.send(f"accepted {number}", **dict(tron, amount=100 + number), until="accepted")
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("lost", **tron, until="accepted")
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("not sent", **dict(tron, amount="50"), until="accepted")
    sandbox.requests.clear()
    async with Payouts(
        sandbox.client(), journal=InlineJournal(path), resend="automatic", check=False
    ) as others:
        found = await others.run_once()
        assert len(found) == 152
        assert {payout.state for payout in found} == {PayoutState.DONE}
        assert [payout.key for payout in found[-2:]] == ["lost", "not sent"]
        assert len(sandbox.requests.of("GET", "/v1/withdraws")) < 60
        assert await others.run_once() == []


async def test_run_once_returns_when_its_timeout_is_over(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    await payouts.send("k", **tron, until="accepted")
    began = anyio.current_time()
    (payout,) = await payouts.run_once(timeout=10)
    assert payout.state is PayoutState.ACCEPTED
    assert anyio.current_time() - began == pytest.approx(10, abs=1)


async def test_run_once_polls_each_accepted_payout_once_and_writes_only_what_is_new(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    calls: list[str] = []
    journal = InlineJournal(path)
    async with Payouts(sandbox.client(), journal, check=False) as payouts:
        for number in range(20):
            await payouts.send(f"k{number}", **dict(tron, amount=20 + number), until="accepted")
        created = sandbox.ledger.created
        sandbox.withdrawals.set_state(created[3].uuid, "PROCESSING")
        sandbox.withdrawals.set_state(created[4].uuid, "DONE")
        journal.after = calls.append
        requests = len(sandbox.requests)
        found = await payouts.run_once(timeout=0)
        assert len(sandbox.requests) == requests + 1
        assert [payout.state.value for payout in found].count("done") == 1
        stored = await payouts.get("k3")
        assert stored is not None
        assert stored.record == found[3].record
        assert stored.record is not None
        assert stored.record.state == "PROCESSING"
        before = calls.count("compare_and_swap")
        assert len(await payouts.run_once(timeout=0)) == 19
        assert calls.count("compare_and_swap") == before


async def test_run_once_timeout_applies_to_leases_and_settling(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    await payouts.send("before", **tron)
    sandbox.faults.add(Fault.reset_before(*CREATE), Fault.slow(600, *CREATE))
    await payouts.send("b", **tron, until="accepted")
    patient = sandbox.client(timeouts=Timeouts(read=90, total=90))
    async with (
        Payouts(patient, journal=InlineJournal(path), check=False) as other,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(functools.partial(other.send, "a", **dict(tron, amount="20")))
        await anyio.sleep(1)
        for _ in range(2):  # the first time it settles, the second it waits for the lease of the other
            began = anyio.current_time()
            found = await payouts.run_once(timeout=20)
            assert anyio.current_time() - began <= 21
            assert [(each.key, each.state.value) for each in found] == [("b", "unknown"), ("a", "sending")]
            await anyio.sleep(15)
        tasks.cancel_scope.cancel()


async def test_run_once_with_timeout_zero_sends_what_is_queued(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron)
    await payouts.retry("k")
    (payout,) = await payouts.run_once(timeout=0)
    assert payout.state is PayoutState.ACCEPTED


async def test_run_once_does_not_resend_by_default(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron)
    (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.NOT_SENT
    assert len(sandbox.requests.of(*CREATE)) == 1
