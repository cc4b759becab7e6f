"""Leases: who sends a payout, who may take it up, and what happens when the former owner comes back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from journals import InlineJournal

from upbit_async import RetryPolicy, Timeouts, errors
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.sandbox import Sandbox

POST = ("POST", "/v1/withdraws/coin")


class Crash(BaseException):
    """Stands for the end of a process."""


def dies_at(name: str, number: int = 1) -> Any:
    """Return what lets a process die at its n-th piece of journal work of a kind."""
    left = number

    def strike(work: str) -> None:
        nonlocal left
        if work == name:
            left -= 1
            if left == 0:
                raise Crash

    return strike


async def crash(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], *, before: Any = None, after: Any = None
) -> None:
    """Let a process pay and die on the way."""
    journal = InlineJournal(path)
    journal.before, journal.after = before, after
    payouts = Payouts(sandbox.client(), journal=journal)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - alone, or in a group
        await payouts.send("k", **tron)
    assert isinstance(caught.value, Crash) or caught.group_contains(Crash)
    journal._store.close()


async def test_what_died_before_it_was_noted_as_leaving_is_planned(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("swap"))
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.PLANNED
    assert sandbox.ledger.created == ()
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_what_died_when_it_was_noted_is_left_alone_until_its_lease_is_over(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, after=dies_at("swap"))
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.SENDING
    await anyio.sleep(89)
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.SENDING
    await anyio.sleep(2)
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.NOT_SENT
    (payout,) = await payouts.recover(resend=True)
    assert payout.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_what_died_with_the_answer_in_hand_is_found(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("swap", 2))
    payout = await payouts.send("k", **tron)  # which waits for the end of the lease
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 1


async def test_one_that_stands_in_the_way_and_has_died_is_settled_by_who_comes_after(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("swap", 2))
    assert (await payouts.send("another", **tron)).state is PayoutState.DONE
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 2


async def test_a_crash_long_ago_is_settled_at_the_first_look(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("swap", 2))
    await anyio.sleep(3600)
    began = anyio.current_time()
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.DONE
    assert 30 <= anyio.current_time() - began < 35


async def test_a_clock_that_leaps_ahead_does_not_shorten_the_settling_time(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 25
    sandbox.faults.add(Fault.slow(8, *POST))
    leap = dt.timedelta(0)
    client = sandbox.client()
    payouts = Payouts(client, journal=InlineJournal(path), clock=lambda: sandbox.now + leap)
    others = Payouts(sandbox.client(), journal=InlineJournal(path), clock=lambda: sandbox.now + leap)
    async with payouts, others, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron, wait=False))
        await anyio.sleep(1)
        leap = dt.timedelta(minutes=20)  # the lease is over at once
        (payout,) = await others.recover(resend=True)
        assert payout.state is PayoutState.DONE
        assert "not_sent" not in [step.state for step in payout.history]
    assert len(sandbox.requests.of(*POST)) == 1


async def test_a_lease_from_the_future_holds_nobody_up(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    journal = InlineJournal(path)
    journal.after = dies_at("swap")
    ahead = Payouts(sandbox.client(), journal=journal, clock=lambda: sandbox.now + dt.timedelta(days=1))
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - alone, or in a group
        await ahead.send("k", **tron)
    assert isinstance(caught.value, Crash) or caught.group_contains(Crash)
    journal._store.close()
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE
    assert (await payouts.resolve("k", not_sent=True)).state is PayoutState.NOT_SENT


async def test_without_waiting_another_process_waits_for_the_answer_too(
    sandbox: Sandbox, payouts: Payouts, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.plan = Plan.by_hand()
    sandbox.faults.add(Fault.slow(5, *POST))
    found: list[Any] = []

    async def send(by: Payouts) -> None:
        found.append(await by.send("k", **tron, wait=False))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, payouts)
        await anyio.sleep(1)
        tasks.start_soon(send, elsewhere)
    assert [payout.state for payout in found] == [PayoutState.ACCEPTED] * 2
    assert found[0] == found[1]
    assert len(sandbox.requests.of(*POST)) == 1


async def test_another_process_sends_what_the_first_had_to_hold_back(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(attrs.evolve(Fault.status(429, *POST), delay=2))
    hasty = Payouts(sandbox.client(retry=RetryPolicy(attempts=1)), journal=InlineJournal(path))
    found: list[Any] = []

    async def send_first() -> None:
        with pytest.raises(errors.RateLimited):
            await hasty.send("k", **tron, wait=False)

    async def send_too() -> None:
        found.append(await payouts.send("k", **tron, wait=False))

    async with hasty, anyio.create_task_group() as tasks:
        tasks.start_soon(send_first)
        await anyio.sleep(1)
        tasks.start_soon(send_too)
    assert found[0].state is PayoutState.ACCEPTED
    assert len(sandbox.ledger.created) == 1


async def test_all_who_have_joined_an_attempt_that_fails_are_told_at_once(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(attrs.evolve(Fault.status(429, *POST, times=None), delay=2))
    payouts = Payouts(sandbox.client(retry=RetryPolicy(attempts=1)), journal=InlineJournal(path))

    async def send() -> None:
        with pytest.raises(errors.RateLimited):
            await payouts.send("k", **tron)

    async with payouts:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(send)
        assert len(sandbox.requests.of(*POST)) == 1
        await send()  # which has not joined it
        assert len(sandbox.requests.of(*POST)) == 2


async def test_another_process_learns_that_it_is_under_way(
    sandbox: Sandbox, payouts: Payouts, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *POST))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron))
        await anyio.sleep(1)
        assert [each.state async for each in elsewhere.pending()] == [PayoutState.SENDING]
        with pytest.raises(ValueError, match="nothing to resolve"):
            await elsewhere.resolve("k", not_sent=True)
        with pytest.raises(errors.PollTimeout, match="is sending after 1 s"):
            await elsewhere.wait("k", timeout=1)
        assert (await elsewhere.send("k", **tron)).state is PayoutState.DONE


async def test_who_has_lost_the_lease_lets_nothing_leave(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    stopped, go_on = anyio.Event(), anyio.Event()

    class Stopping(InlineJournal):
        async def get(self, key: str) -> Any:
            if (known := await super().get(key)) is not None and known.state is PayoutState.SENDING:
                stopped.set()
                await go_on.wait()  # the whole machine slept, say
                return await super().get(key)
            return known

    late = Payouts(sandbox.client(timeouts=Timeouts(total=600)), journal=Stopping(path))
    found: list[Any] = []

    async def send_late() -> None:
        found.append(await late.send("k", **tron))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_late)
        await stopped.wait()
        known = await payouts.get("k")
        assert known is not None
        expired = await payouts._books.change("k", _expired_long_ago)
        assert expired.state is PayoutState.UNKNOWN
        go_on.set()
    assert sandbox.requests.of(*POST) == ()
    await late.aclose()
    assert found == [await payouts.get("k")]
    assert found[0].state is PayoutState.NOT_SENT


def _expired_long_ago(payout: Any) -> Any:
    from upbit_async.payouts import transitions  # noqa: PLC0415

    return transitions.expired(payout, payout.departure.lease_until)


async def test_an_answer_that_comes_after_the_lease_still_counts(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *POST))
    late: list[Any] = []

    async def send() -> None:
        late.append(await payouts.send("k", **tron))

    others = Payouts(sandbox.client(), journal=InlineJournal(path), settle=0)
    async with others, anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await anyio.sleep(1)
        await others._books.change("k", _expired_long_ago)
        found = await others._settler.settle("k")
        assert (found.state, found.evidence) == (PayoutState.ACCEPTED, Evidence.MATCH)
    assert late[0].state is PayoutState.DONE
    assert late[0].evidence is Evidence.ANSWER
    assert len(sandbox.ledger.created) == 1


async def test_a_cancelled_caller_that_has_sent_nothing_leaves_it_planned(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, "GET", "/v1/withdraws"))
    with anyio.move_on_after(1):
        await payouts.send("k", **tron)
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.PLANNED
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_a_cancelled_caller_whose_request_is_out_still_notes_the_answer(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *POST))
    began = anyio.current_time()
    with anyio.move_on_after(1) as scope:
        await payouts.send("k", **tron)
    assert scope.cancelled_caught
    assert anyio.current_time() - began >= 5
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.evidence) == (PayoutState.ACCEPTED, Evidence.ANSWER)


async def test_who_joins_goes_on_when_the_first_caller_is_cancelled(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, "GET", "/v1/withdraws"))
    found: list[Any] = []

    async def join() -> None:
        found.append(await payouts.send("k", **tron))

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as first:
                first.start_soon(lambda: payouts.send("k", **tron))
                await anyio.sleep(1)
                tasks.start_soon(join)
                await anyio.sleep(1)
                scope.cancel()
    assert found[0].state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1
