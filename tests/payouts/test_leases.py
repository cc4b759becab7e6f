"""Leases: who sends a payout, who takes it over, and what happens when the former owner returns."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from clients import CREATE
from internals import close_file, repository_of, settler_of
from journals import InlineJournal, open_payouts
from payout_samples import with_expired_lease

from upbit_async import RetryPolicy, Timeouts, errors, events
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.sandbox import Sandbox


class Crash(BaseException):
    """Stands for the end of a process."""


def dies_at(name: str, number: int = 1) -> Any:
    """Return a hook that ends the process at the n-th journal operation of this name."""
    left = number

    def die(work: str) -> None:
        nonlocal left
        if work == name:
            left -= 1
            if left == 0:
                raise Crash

    return die


async def crash(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], *, before: Any = None, after: Any = None
) -> None:
    """Send a payout in a process that dies before it is finished."""
    journal = InlineJournal(path)
    journal.before, journal.after = before, after
    payouts = Payouts(sandbox.client(), journal=journal, check=False)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - alone, or in a group
        await payouts.send("k", **tron)
    assert isinstance(caught.value, Crash) or caught.group_contains(Crash)
    close_file(journal)


async def test_crash_before_departure_leaves_nothing(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap"))
    assert await payouts.run_once() == []
    assert await payouts.get("k") is None
    assert sandbox.ledger.created == ()
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_crash_at_departure_is_settled_after_the_lease(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, after=dies_at("compare_and_swap"))
    (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.SENDING
    await anyio.sleep(89)
    (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.SENDING
    await anyio.sleep(2)
    (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.NOT_SENT
    await payouts.retry("k")
    (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_crash_before_storing_the_answer_is_found_by_match(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap", 2))
    payout = await payouts.send("k", **tron)  # which waits for the end of the lease
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 1


async def test_crashed_payout_is_settled_by_the_next_equal_one(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap", 2))
    assert (await payouts.send("another", **tron)).state is PayoutState.DONE
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 2


async def test_old_crash_is_settled_by_the_first_recover(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap", 2))
    await anyio.sleep(3600)
    began = anyio.current_time()
    (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.DONE
    assert anyio.current_time() - began < 5  # it has settled since the end of its lease


@pytest.mark.parametrize("minutes", [-1440, -20, 20, 1440])
async def test_clock_jump_ends_no_lease_and_no_settling_time(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], minutes: int
) -> None:
    sandbox.knobs.list_delay = 25
    sandbox.faults.add(Fault.slow(8, *CREATE))
    jump = dt.timedelta(0)
    client = sandbox.client()
    payouts = Payouts(client, journal=InlineJournal(path), clock=lambda: sandbox.now + jump, check=False)
    others = Payouts(
        sandbox.client(),
        journal=InlineJournal(path),
        clock=lambda: sandbox.now + jump,
        resend="automatic",
        check=False,
    )
    async with payouts, others, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron, until="accepted"))
        await anyio.sleep(1)
        jump = dt.timedelta(minutes=minutes)
        (payout,) = await others.run_once()
        assert payout.state is PayoutState.SENDING
        payout = await others.wait("k")
        assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.ANSWER)
        sandbox.faults.add(Fault.lose_answer(*CREATE))
        jump = dt.timedelta(0)
        lost = await payouts.send("lost", **dict(tron, amount="14"), until="accepted")
        assert lost.state is PayoutState.UNKNOWN
        jump = dt.timedelta(minutes=minutes)
        (payout,) = await others.run_once()
        assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
        assert "not_sent" not in [step.state for step in payout.history]
    assert len(sandbox.requests.of(*CREATE)) == 2


async def test_lease_from_the_future_blocks_nobody(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    journal = InlineJournal(path)
    journal.after = dies_at("compare_and_swap")
    ahead = Payouts(
        sandbox.client(), journal=journal, clock=lambda: sandbox.now + dt.timedelta(days=1), check=False
    )
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - alone, or in a group
        await ahead.send("k", **tron)
    assert isinstance(caught.value, Crash) or caught.group_contains(Crash)
    close_file(journal)
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE
    assert (await payouts.resolve("k", not_sent=True)).state is PayoutState.NOT_SENT


async def test_send_without_wait_waits_for_another_processs_answer(
    sandbox: Sandbox, payouts: Payouts, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    sandbox.faults.add(Fault.slow(5, *CREATE))
    found: list[Any] = []

    async def send(by: Payouts) -> None:
        found.append(await by.send("k", **tron, until="accepted"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, payouts)
        await anyio.sleep(1)
        tasks.start_soon(send, elsewhere)
    assert [payout.state for payout in found] == [PayoutState.ACCEPTED] * 2
    assert found[0] == found[1]
    assert len(sandbox.requests.of(*CREATE)) == 1


async def test_payout_held_back_is_sent_by_another_process(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(attrs.evolve(Fault.status(429, *CREATE), delay=2))
    hasty = Payouts(sandbox.client(retry=RetryPolicy(attempts=1)), journal=InlineJournal(path), check=False)
    found: list[Any] = []

    async def send_first() -> None:
        with pytest.raises(errors.RateLimited):
            await hasty.send("k", **tron, until="accepted")

    async def send_too() -> None:
        found.append(await payouts.send("k", **tron, until="accepted"))

    async with hasty, anyio.create_task_group() as tasks:
        tasks.start_soon(send_first)
        await anyio.sleep(1)
        tasks.start_soon(send_too)
    assert found[0].state is PayoutState.ACCEPTED
    assert len(sandbox.ledger.created) == 1


async def test_callers_of_a_failed_attempt_share_its_error(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(attrs.evolve(Fault.status(429, *CREATE, times=None), delay=2))
    payouts = Payouts(sandbox.client(retry=RetryPolicy(attempts=1)), journal=InlineJournal(path), check=False)

    async def send() -> None:
        with pytest.raises(errors.RateLimited):
            await payouts.send("k", **tron)

    async with payouts:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(send)
        assert len(sandbox.requests.of(*CREATE)) == 1
        await send()  # this call has not joined it
        assert len(sandbox.requests.of(*CREATE)) == 2


async def test_another_process_sees_a_payout_being_sent(
    sandbox: Sandbox, payouts: Payouts, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *CREATE))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron))
        await anyio.sleep(1)
        assert [each.state for each in await open_payouts(elsewhere)] == [PayoutState.SENDING]
        with pytest.raises(ValueError, match="while a copy of it is being sent"):
            await elsewhere.resolve("k", not_sent=True)
        assert (await elsewhere.wait("k", timeout=1)).state is PayoutState.SENDING
        assert (await elsewhere.send("k", **tron)).state is PayoutState.DONE


async def test_owner_without_its_lease_sends_nothing(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    stopped, go_on = anyio.Event(), anyio.Event()

    class Stopping(InlineJournal):
        async def get(self, key: str) -> Any:
            if (known := await super().get(key)) is not None and known.state is PayoutState.SENDING:
                stopped.set()
                await go_on.wait()  # as if the machine slept
                return await super().get(key)
            return known

    late = Payouts(sandbox.client(timeouts=Timeouts(total=600)), journal=Stopping(path), check=False)
    found: list[Any] = []

    async def send_late() -> None:
        found.append(await late.send("k", **tron))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_late)
        await stopped.wait()
        known = await payouts.get("k")
        assert known is not None
        expired = await repository_of(payouts).change("k", with_expired_lease)
        assert expired.state is PayoutState.UNKNOWN
        go_on.set()
    assert sandbox.requests.of(*CREATE) == ()
    await late.aclose()
    assert found == [await payouts.get("k")]
    assert found[0].state is PayoutState.NOT_SENT


async def test_answer_after_the_lease_still_counts(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *CREATE))
    late: list[Any] = []

    async def send() -> None:
        late.append(await payouts.send("k", **tron))

    others = Payouts(sandbox.client(), journal=InlineJournal(path), settling_time=0, check=False)
    async with others, anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await anyio.sleep(1)
        await repository_of(others).change("k", with_expired_lease)
        found = await settler_of(others).settle("k")
        assert (found.state, found.evidence) == (PayoutState.ACCEPTED, Evidence.MATCH)
    assert late[0].state is PayoutState.DONE
    assert late[0].evidence is Evidence.ANSWER
    assert len(sandbox.ledger.created) == 1


async def test_cancelled_caller_leaves_nothing_of_an_unsent_payout(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, "GET", "/v1/withdraws"))
    with anyio.move_on_after(1):
        await payouts.send("k", **tron)
    assert await payouts.get("k") is None
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_cancelled_caller_still_stores_the_answer(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *CREATE))
    began = anyio.current_time()
    with anyio.move_on_after(1) as scope:
        await payouts.send("k", **tron)
    assert scope.cancelled_caught
    assert anyio.current_time() - began >= 5
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.evidence) == (PayoutState.ACCEPTED, Evidence.ANSWER)


async def test_joined_caller_continues_when_the_first_is_cancelled(
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


async def test_lease_over_at_the_first_byte_sends_nothing(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    class Asleep(InlineJournal):
        """The machine sleeps for longer than the lease when the request is about to leave, without other processes."""

        slept = 0.0

        async def get(self, key: str) -> Any:
            known = await super().get(key)
            if known is not None and known.state is PayoutState.SENDING and not self.slept:
                self.slept = known.required_request.lease
            return known

        async def now(self) -> JournalTime:
            present = await super().now()
            return attrs.evolve(present, seconds=present.seconds + self.slept)

    async with Payouts(
        sandbox.client(retry=RetryPolicy(attempts=1)), journal=(journal := Asleep(path)), check=False
    ) as payouts:
        with pytest.raises(errors.NotSent):
            await payouts.send("k", **tron)
        assert journal.slept
        payout = await payouts.get("k")
        assert payout is not None
        assert (payout.state, payout.sent_request) == (PayoutState.PLANNED, None)
        assert sandbox.requests.of(*CREATE) == ()
        assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_event_is_emitted_only_if_the_state_changes(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    observed: list[events.Event] = []
    sandbox.withdrawals.transitions = Transitions.manual()
    client = sandbox.client(observer=observed.append)
    async with Payouts(client, journal=InlineJournal(path), check=False) as payouts:
        payout = await payouts.send("k", **tron, until="accepted")
        sandbox.withdrawals.set_state(payout.uuid or "", "PROCESSING")
        seen = await payouts.wait("k", timeout=5)
        assert seen.revision > payout.revision  # its record was written again
        assert seen.state is payout.state
        await payouts.send("k", **tron, until="accepted")
        await payouts.run_once(timeout=0)
    changes = [event for event in observed if isinstance(event, events.PayoutChanged)]
    assert [(event.previous, event.state) for event in changes] == [
        (None, "sending"),
        ("sending", "accepted"),
    ]
