"""Leases: who sends a payout, who may take it up, and what happens when the former owner comes back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from internals import close_file, repository_of, settler_of
from journals import InlineJournal

from upbit_async import RetryPolicy, Timeouts, errors, events
from upbit_async.payouts import Evidence, Payouts, PayoutState, arguments, transitions
from upbit_async.payouts.journal_moments import Moment
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upbit_async.models import Intent
    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.sandbox import Sandbox

POST = ("POST", "/v1/withdraws/coin")
LIST = ("GET", "/v1/withdraws")


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
    close_file(journal)


async def test_what_died_before_it_was_noted_as_leaving_is_planned(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap"))
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.PLANNED
    assert sandbox.ledger.created == ()
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_what_died_when_it_was_noted_is_left_alone_until_its_lease_is_over(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, after=dies_at("compare_and_swap"))
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.SENDING
    await anyio.sleep(89)
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.SENDING
    await anyio.sleep(2)
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.NOT_SENT
    await payouts.retry("k")
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_what_died_with_the_answer_in_hand_is_found(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap", 2))
    payout = await payouts.send("k", **tron)  # which waits for the end of the lease
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 1


async def test_one_that_stands_in_the_way_and_has_died_is_settled_by_who_comes_after(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap", 2))
    assert (await payouts.send("another", **tron)).state is PayoutState.DONE
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 2


async def test_a_crash_long_ago_is_settled_at_the_first_look(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    await crash(sandbox, path, tron, before=dies_at("compare_and_swap", 2))
    await anyio.sleep(3600)
    began = anyio.current_time()
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.DONE
    assert anyio.current_time() - began < 5  # it has settled since the end of its lease


@pytest.mark.parametrize("minutes", [-1440, -20, 20, 1440])
async def test_a_clock_that_leaps_ends_no_lease_and_no_settling_time(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], minutes: int
) -> None:
    sandbox.knobs.list_delay = 25
    sandbox.faults.add(Fault.slow(8, *POST))
    leap = dt.timedelta(0)
    client = sandbox.client()
    payouts = Payouts(client, journal=InlineJournal(path), clock=lambda: sandbox.now + leap)
    others = Payouts(
        sandbox.client(), journal=InlineJournal(path), clock=lambda: sandbox.now + leap, resend="automatic"
    )
    async with payouts, others, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron, wait=False))
        await anyio.sleep(1)
        leap = dt.timedelta(minutes=minutes)
        (payout,) = await others.recover()
        assert payout.state is PayoutState.SENDING
        payout = await others.wait("k")
        assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.ANSWER)
        sandbox.faults.add(Fault.lose_answer(*POST))
        leap = dt.timedelta(0)
        lost = await payouts.send("lost", **dict(tron, amount="14"), wait=False)
        assert lost.state is PayoutState.UNKNOWN
        leap = dt.timedelta(minutes=minutes)
        (payout,) = await others.recover()
        assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
        assert "not_sent" not in [step.state for step in payout.history]
    assert len(sandbox.requests.of(*POST)) == 2


async def test_a_lease_from_the_future_holds_nobody_up(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    journal = InlineJournal(path)
    journal.after = dies_at("compare_and_swap")
    ahead = Payouts(sandbox.client(), journal=journal, clock=lambda: sandbox.now + dt.timedelta(days=1))
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - alone, or in a group
        await ahead.send("k", **tron)
    assert isinstance(caught.value, Crash) or caught.group_contains(Crash)
    close_file(journal)
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE
    assert (await payouts.resolve("k", not_sent=True)).state is PayoutState.NOT_SENT


async def test_without_waiting_another_process_waits_for_the_answer_too(
    sandbox: Sandbox, payouts: Payouts, elsewhere: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
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
        expired = await repository_of(payouts).change("k", _expired_long_ago)
        assert expired.state is PayoutState.UNKNOWN
        go_on.set()
    assert sandbox.requests.of(*POST) == ()
    await late.aclose()
    assert found == [await payouts.get("k")]
    assert found[0].state is PayoutState.NOT_SENT


def _expired_long_ago(payout: Any, now: Any) -> Any:
    """Let the lease be over, and the loss be recorded now."""
    over = transitions.expired(
        payout,
        attrs.evolve(
            now, journal=attrs.evolve(now.journal, seconds=now.journal.seconds + payout.sent_request.lease)
        ),
    )
    assert over is not None
    return attrs.evolve(
        over, sent_request=attrs.evolve(over.required_request, lost_at=Moment.at(now.journal))
    )


async def test_an_answer_that_comes_after_the_lease_still_counts(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *POST))
    late: list[Any] = []

    async def send() -> None:
        late.append(await payouts.send("k", **tron))

    others = Payouts(sandbox.client(), journal=InlineJournal(path), settling_time=0)
    async with others, anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await anyio.sleep(1)
        await repository_of(others).change("k", _expired_long_ago)
        found = await settler_of(others).settle("k")
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


async def test_a_lease_that_is_over_at_the_first_byte_lets_nothing_leave(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    class Asleep(InlineJournal):
        """The machine sleeps for longer than the lease when the request is about to leave; nobody else is there."""

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
        sandbox.client(retry=RetryPolicy(attempts=1)), journal=(journal := Asleep(path))
    ) as payouts:
        with pytest.raises(errors.NotSent):
            await payouts.send("k", **tron)
        assert journal.slept
        payout = await payouts.get("k")
        assert payout is not None
        assert (payout.state, payout.sent_request) == (PayoutState.PLANNED, None)
        assert sandbox.requests.of(*POST) == ()
        assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_two_lists_are_read_after_the_settling_time_before_it_is_not_sent(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    assert (await payouts.send("k", **tron, wait=False)).state is PayoutState.UNKNOWN
    lost = sandbox.now
    before = len(sandbox.requests.of(*LIST))
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT
    first, second = (line.at - lost for line in sandbox.requests.of(*LIST)[before:])
    assert dt.timedelta(seconds=30) <= first
    assert dt.timedelta(seconds=1) <= second - first


async def test_a_withdrawal_that_only_the_second_list_shows_is_found(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 30.5
    sandbox.faults.add(Fault.lose_answer(*POST))
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert "not_sent" not in [step.state for step in payout.history]


async def test_after_a_second_loss_the_settling_time_begins_anew(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST, times=2))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await anyio.sleep(1000)
    await payouts.retry("k")
    assert (await payouts.send("k", **tron, wait=False)).state is PayoutState.UNKNOWN
    began = anyio.current_time()
    payout = await payouts.wait("k")
    assert 30 <= anyio.current_time() - began < 35
    assert payout.state is PayoutState.NOT_SENT
    assert payout.required_request.copies == 2
    first, second = sandbox.requests.of(*POST)
    assert (first.nonce, first.body) == (second.nonce, second.body)


async def test_a_change_is_an_event_only_if_the_state_changes(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    told: list[events.Event] = []
    sandbox.withdrawals.transitions = Transitions.manual()
    client = sandbox.client(observer=told.append)
    async with Payouts(client, journal=InlineJournal(path)) as payouts:
        payout = await payouts.send("k", **tron, wait=False)
        sandbox.withdrawals.set_state(payout.uuid or "", "PROCESSING")
        with pytest.raises(errors.PollTimeout):
            await payouts.wait("k", timeout=5)
        seen = await payouts.get("k")
        assert seen is not None
        assert seen.revision > payout.revision  # its record was written anew
        assert seen.state is payout.state
        await payouts.send("k", **tron, wait=False)
        await payouts.recover(timeout=0)
    changes = [event for event in told if isinstance(event, events.PayoutChanged)]
    assert [(event.previous, event.state) for event in changes] == [
        (None, "planned"),
        ("planned", "sending"),
        ("sending", "accepted"),
    ]


@pytest.mark.parametrize("end", ["abandoned", "done"])
async def test_a_loss_that_is_recorded_after_the_end_is_recorded(
    sandbox: Sandbox, path: Path, payouts: Payouts, tron: dict[str, Any], end: str
) -> None:
    fault = Fault.reset_before(*POST) if end == "abandoned" else Fault.lose_answer(*POST)
    sandbox.faults.add(attrs.evolve(fault, delay=9))
    sandbox.withdrawals.transitions = Transitions.after_seconds(0)
    others = Payouts(sandbox.client(), journal=InlineJournal(path), settling_time=0)
    before: Any = None
    async with others, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron, wait=False))
        await anyio.sleep(1)
        await repository_of(others).change("k", _expired_long_ago)
        await settler_of(others).settle("k")
        before = await (others.abandon("k", force=True) if end == "abandoned" else others.wait("k"))
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.uuid, payout.evidence) == (PayoutState(end), before.uuid, before.evidence)
    assert payout.history[: len(before.history)] == before.history
    assert payout.reason.startswith(f"recorded late, when it was {end}: ")
    assert payout.required_request.reopened
    found = await payouts.recover()
    assert [each.state for each in found] == ([PayoutState.ABANDONED] if end == "abandoned" else [])
    assert len(sandbox.requests.of(*POST)) == 1


EVM = "0x52908400098527886E0F7030069857D2E4169EE7"


@pytest.mark.parametrize("other", [EVM.lower(), EVM.upper(), "0x" + EVM[2:].lower()])
async def test_an_evm_address_in_another_case_is_no_conflict(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any], other: str
) -> None:
    sandbox.account.allow_address("USDT", "ETH", EVM)
    asked = dict(tron, net_type="ETH", address=EVM, amount="30")
    first = await payouts.send("k", **asked)
    assert first.state is PayoutState.DONE
    assert await payouts.send("k", **dict(asked, address=other)) == first
    assert len(sandbox.ledger.created) == 1


def test_another_evm_address_and_another_case_elsewhere_are_conflicts(intent: Callable[..., Intent]) -> None:
    tron = intent()
    for known, other in (
        (intent(net_type="ETH", address=EVM), intent(net_type="ETH", address=f"{EVM[:-1]}8")),
        (tron, intent(address=tron.members["address"].lower())),
    ):
        with pytest.raises(errors.PayoutConflict, match="differs in address"):
            arguments.raise_if_other(transitions.planned("k", known), other)
