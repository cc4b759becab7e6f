"""`Payouts.run`: queued payouts are sent, lost answers settled, accepted payouts followed, until it is cancelled."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST
from journals import InlineJournal

from upbit_async import errors, events
from upbit_async.payouts import AmountLimit, MemoryJournal, Payout, Payouts, PayoutState, Related
from upbit_async.payouts.departure import UNCONDITIONAL
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def payouts(client: UpbitClient, journal: MemoryJournal) -> Payouts:
    return Payouts(client, journal)


async def test_enqueued_payout_is_sent_and_followed(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with payouts.running():
        accepted = await payouts.enqueue("k", **tron)
        assert accepted.state is PayoutState.QUEUED
        payout = (await payouts.wait("k", timeout=60)).raise_for_state()
    assert [entry.state for entry in payout.history] == ["queued", "sending", "accepted", "done"]
    assert len(sandbox.ledger.created) == 1


async def test_enqueue_makes_no_request(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    async with payouts:
        for number in range(200):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=1 + number))
    assert len(sandbox.requests) == 0


async def test_payouts_of_an_earlier_process_are_taken_up(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(100)
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    async with payouts:
        await payouts.send("lost", **tron, until="accepted")
        await payouts.send("accepted", **dict(tron, amount=140), until="accepted")
        await payouts.enqueue("queued", **dict(tron, amount=150))
    async with Payouts(sandbox.client(), journal).running() as later:
        for key in ("lost", "accepted", "queued"):
            assert (await later.wait(key, timeout=300)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 3


async def test_equal_payouts_are_all_sent(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    async with payouts.running():
        for number in range(40):
            await payouts.enqueue(f"k{number}", **tron)
        for number in range(40):
            assert (await payouts.wait(f"k{number}", timeout=120)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 40


async def test_equals_of_an_unsettled_payout_name_it_and_others_overtake_them(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    async with payouts.running(concurrency=2):
        for key in ("first", "second", "third", "fourth"):
            await payouts.enqueue(key, **tron)
        await payouts.enqueue("other", **dict(tron, amount=500))
        assert (await payouts.wait("other", timeout=20)).state is PayoutState.DONE
        for key in ("second", "third", "fourth"):
            held = await payouts.get(key)
            assert held is not None
            assert held.state is PayoutState.QUEUED
            assert "'first'" in held.reason
            assert isinstance(held.error, errors.PayoutBlocked)
            assert held.error.by_key == "first"
        for key in ("first", "second", "third", "fourth"):
            assert (await payouts.wait(key, timeout=120)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 5


async def test_unowned_withdrawal_blocks_until_it_is_acknowledged(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    (entry,) = sandbox.ledger.created
    async with payouts.running():
        await payouts.enqueue("k", **tron)
        blocked = await payouts.wait("k", timeout=100)
        assert blocked.state is PayoutState.QUEUED
        assert blocked.candidates == (entry.uuid,)
        assert entry.uuid in blocked.reason
        await payouts.acknowledge(entry.uuid, note="made by hand")
        assert (await payouts.wait("k", timeout=10)).state is PayoutState.DONE


async def test_pause_keeps_payouts_queued_and_resume_sends_them_at_once(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with payouts.running():
        await payouts.pause(note="audit", actor="Ann")
        await payouts.enqueue("k", **tron)
        paused = await payouts.wait("k", timeout=100)
        assert paused.state is PayoutState.QUEUED
        assert "paused by Ann: audit" in paused.reason
        assert sandbox.requests.of(*CREATE) == ()
        await payouts.resume(actor="Ann")
        assert (await payouts.wait("k", timeout=10)).state is PayoutState.DONE


async def test_limit_per_day_keeps_payouts_queued_until_the_sum_is_older(
    client: UpbitClient, journal: MemoryJournal, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    limits = [AmountLimit("USDT", per_day=38)]
    async with Payouts(client, journal, amount_limits=limits, clock=lambda: sandbox.now).running() as payouts:
        for key in ("a", "b", "c"):
            await payouts.enqueue(key, **tron)
        await payouts.enqueue("small", **dict(tron, amount=10))
        assert (await payouts.wait("small", timeout=60)).state is PayoutState.DONE
        states = [payout.state for key in ("a", "b", "c") if (payout := await payouts.get(key))]
        assert sorted(states) == ["done", "done", "queued"]
        (held,) = await payouts.list(states=["queued"])
        assert "38" in held.reason
    await anyio.sleep(86400)
    async with payouts:
        (payout,) = await payouts.run_once()
        assert payout.state is PayoutState.DONE


async def test_limit_per_payout_is_refused_by_enqueue_and_leaves_nothing(
    client: UpbitClient, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    async with Payouts(client, journal, amount_limits=[AmountLimit("USDT", per_payout=12)]) as payouts:
        with pytest.raises(errors.AmountLimitExceeded, match="exceeds the limit of 12 USDT per payout"):
            await payouts.enqueue("k", **tron)
        with pytest.raises(errors.AmountLimitExceeded):
            await payouts.send("k", **tron)
        assert await payouts.get("k") is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(503, *LIST, times=20),
        Fault.status(429, *CREATE, times=20),
        Fault.reset_before(*CREATE, times=3),
        Fault.status(401, *LIST, name="invalid_access_key", times=5),
    ],
)
async def test_run_survives_failures_and_sends_later(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], fault: Fault
) -> None:
    sandbox.faults.add(fault)
    async with payouts.running():
        await payouts.enqueue("k", **tron)
        payout = await payouts.wait("k", timeout=3600)
    expected = PayoutState.NOT_SENT if fault.ending == "reset" else PayoutState.DONE
    assert payout.state is expected
    assert len(sandbox.ledger.created) == (expected is PayoutState.DONE)


class FailingJournal(MemoryJournal):
    """A journal whose methods raise what no journal should raise, a few times each."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.remaining = dict.fromkeys(names, 3)

    def fail(self, name: str) -> None:
        if self.remaining.get(name, 0):
            self.remaining[name] -= 1
            raise RuntimeError(name)

    async def claim(self, *args: Any, **options: Any) -> Any:
        self.fail("claim")
        return await super().claim(*args, **options)

    async def get(self, key: str) -> Any:
        self.fail("get")
        return await super().get(key)

    async def compare_and_swap(self, old: Payout, new: Payout, conditions: Any = UNCONDITIONAL) -> Payout:
        self.fail("compare_and_swap")
        return await super().compare_and_swap(old, new, conditions)

    async def related(self, currency: str, uuids: Collection[str]) -> Related:
        self.fail("related")
        return await super().related(currency, uuids)

    async def retire(self, runner: str) -> None:
        self.fail("retire")
        await super().retire(runner)


@pytest.mark.parametrize("name", ["claim", "get", "compare_and_swap", "related", "retire"])
async def test_run_survives_foreign_exceptions_of_a_journal(
    sandbox: Sandbox, tron: dict[str, Any], name: str
) -> None:
    journal = FailingJournal(name)
    observer = Payouts(sandbox.client(), journal)
    async with Payouts(sandbox.client(), journal).running() as payouts:
        await payouts.enqueue("k", **tron)
        with anyio.fail_after(500):
            while (await observer.list())[0].state is not PayoutState.DONE:  # noqa: ASYNC110 - as an observer polls
                await anyio.sleep(5)
    assert len(sandbox.ledger.created) == 1


class ForgetfulJournal(MemoryJournal):
    """A journal whose first claim is made, and then reported as failed."""

    failed = False

    async def claim(self, *args: Any, **options: Any) -> Any:
        claimed = await super().claim(*args, **options)
        if claimed and not self.failed:
            self.failed = True
            raise errors.JournalError("the connection was lost at the commit")
        return claimed


async def test_claims_that_the_journal_could_not_return_are_claimed_again(
    sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with Payouts(sandbox.client(), ForgetfulJournal()).running() as payouts:
        await payouts.enqueue("k", **tron)
        assert (await payouts.wait("k", timeout=60)).state is PayoutState.DONE


@pytest.mark.parametrize("is_lost", [False, True])
async def test_outcome_that_is_written_late_is_not_recorded_for_the_next_copy(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], *, is_lost: bool
) -> None:
    """Else the next copy would count as not sent, and a third one would be paid too."""
    swaps = 0

    def lock(work: str) -> None:
        nonlocal swaps
        swaps += work == "compare_and_swap"
        if work == "compare_and_swap" and swaps in {2, 3}:  # the first copy's outcome, and a further attempt
            raise errors.JournalError("the journal is locked by another program")

    journal = InlineJournal(path)
    journal.before = lock
    sandbox.knobs.list_delay = 20
    sandbox.faults.add(Fault.status(429, *CREATE))
    if is_lost:
        sandbox.faults.add(Fault.lose_answer(*CREATE))
    async with Payouts(sandbox.client(), journal, check=False).running() as payouts:
        await payouts.enqueue("k", **tron)
        await anyio.sleep(200)  # a wait would write the outcome sooner
        assert (await payouts.wait("k", timeout=100)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_payout_signed_with_a_former_key_holds_up_no_other(
    sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    key = b"a key of sixteen bytes"
    sandbox.faults.add(Fault.reset_before(*CREATE))
    async with Payouts(sandbox.client(), journal, journal_keys=[key]) as payouts:
        assert (await payouts.send("former", **tron)).state is PayoutState.NOT_SENT
        await payouts.retry("former")
    other = sandbox.client(credentials=sandbox.issue_key())
    async with Payouts(other, journal, journal_keys=[key]).running(concurrency=1) as payouts:
        for number in range(5):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=100 + number))
        for number in range(5):
            assert (await payouts.wait(f"k{number}", timeout=20)).state is PayoutState.DONE


async def test_equals_of_a_payout_in_review_name_it(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 200
    sandbox.faults.add(Fault.reset_before(*CREATE))
    async with payouts.running():
        await payouts.enqueue("first", **tron)
        await anyio.sleep(20)
        for number in range(2):
            sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
            await payouts.enqueue(f"k{number}", **tron)
        sandbox.knobs.list_delay = 0
        review = await payouts.wait("first", timeout=100)
        assert review.state is PayoutState.NEEDS_REVIEW
        await anyio.sleep(60)
        for payout in await payouts.list(states=["queued"]):
            assert "'first'" in payout.reason
            assert "review" in payout.reason
        for entry in sandbox.ledger.created:
            await payouts.acknowledge(entry.uuid)
        await payouts.resolve("first", not_sent=True)
        for key in ("k0", "k1"):
            assert (await payouts.wait(key, timeout=60)).state is PayoutState.DONE


async def test_many_payouts_past_their_time_are_abandoned_while_paused(
    client: UpbitClient, journal: MemoryJournal, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with Payouts(client, journal, clock=lambda: sandbox.now).running() as payouts:
        await payouts.pause(note="audit")
        for number in range(50):
            await payouts.enqueue(
                f"k{number}",
                **dict(tron, amount=20 + number),
                not_after=sandbox.now + dt.timedelta(seconds=9),
            )
        await anyio.sleep(12)
        states = [payout.state for payout in await payouts.list()]
        assert states == [PayoutState.ABANDONED] * 50


async def test_two_runners_share_the_payouts(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    seen: list[events.Event] = []
    async with (
        payouts.running(),
        Payouts(sandbox.client(observer=seen.append), journal).running() as others,
    ):
        for number in range(100):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=10 + number % 40))
        for number in range(100):
            assert (await payouts.wait(f"k{number}", timeout=300)).state is PayoutState.DONE
        assert others is not None
    assert len(sandbox.ledger.created) == 100


async def test_cancelled_run_finishes_what_is_on_the_wire(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *CREATE))
    async with payouts, anyio.create_task_group() as tasks:
        tasks.start_soon(payouts.run)
        await payouts.enqueue("k", **tron)
        await anyio.sleep(2)
        tasks.cancel_scope.cancel()
    async with Payouts(sandbox.client(), journal) as later:
        payout = await later.get("k")
    assert payout is not None
    assert payout.state is PayoutState.ACCEPTED


async def test_request_of_an_injected_client_is_finished_after_the_shutdown_timeout(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(20, *CREATE))
    began = anyio.current_time() + 2
    async with payouts, anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(payouts.run, shutdown_timeout=3))
        await payouts.enqueue("k", **tron)
        await anyio.sleep(2)
        tasks.cancel_scope.cancel()
    assert anyio.current_time() - began == pytest.approx(8, abs=0.1)  # its read timeout
    known = await Payouts(sandbox.client(), journal).get("k")
    assert known is not None
    assert known.state is PayoutState.UNKNOWN
    async with Payouts(sandbox.client(), journal).running() as later:
        assert (await later.wait("k", timeout=300)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_payout_past_its_time_is_abandoned(
    client: UpbitClient, journal: MemoryJournal, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with Payouts(client, journal, clock=lambda: sandbox.now).running() as payouts:
        await payouts.pause(note="audit")
        await payouts.enqueue("k", **tron, not_after=sandbox.now + dt.timedelta(seconds=30))
        payout = await payouts.wait("k", timeout=120)
        assert payout.state is PayoutState.ABANDONED
        assert "not_after" in payout.reason
        assert not payout.is_open
    assert sandbox.requests.of(*CREATE) == ()
