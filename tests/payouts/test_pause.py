"""A pause is shown in the reason of what waits, makes no requests, and its end is noticed by every process."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
from clients import CREATE
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from upbit_async.sandbox import Sandbox


async def test_reason_of_what_waits_shows_the_pause_until_resume(
    payouts: Payouts, path: Path, tron: dict[str, Any]
) -> None:
    for number in range(3):
        await payouts.enqueue(f"k{number}", **dict(tron, amount=20 + number))
    journal = InlineJournal(path)
    position = await journal.position()
    await payouts.pause(note="audit", actor="Ann")
    shown = [
        *await payouts.list(),
        *[payout async for payout in payouts.iter()],
        await payouts.get("k1"),
        await payouts.wait("k1", timeout=1),
    ]
    assert len(shown) == 8
    for payout in shown:
        assert payout is not None
        assert payout.state is PayoutState.QUEUED
        assert isinstance(payout.error, errors.PayoutsPaused)
        assert "payouts are paused by Ann: audit; call resume to send again" in payout.reason
        assert f"payout {payout.key!r}" in payout.reason
    await payouts.resume()
    for payout in await payouts.list():
        assert (payout.reason, payout.error, payout.revision) == ("enqueued; run sends it", None, 0)
    assert await journal.position() == position
    await journal.aclose()


async def test_reason_of_a_blocked_payout_names_what_blocks_it_and_the_pause(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    (entry,) = sandbox.ledger.created
    await payouts.enqueue("k", **tron)
    await payouts.run_once(timeout=1)
    await payouts.pause(note="audit")
    held = await payouts.get("k")
    assert held is not None
    assert held.candidates == (entry.uuid,)
    assert entry.uuid in held.reason
    assert held.reason.endswith("in addition, payouts are paused: audit")
    assert isinstance(held.error, errors.PayoutBlocked)
    await payouts.resume()
    held = await payouts.get("k")
    assert held is not None
    assert "paused" not in held.reason


async def test_payout_that_has_left_does_not_show_the_pause(payouts: Payouts, tron: dict[str, Any]) -> None:
    await payouts.send("k", **tron)
    await payouts.pause(note="audit")
    done = await payouts.get("k")
    assert done is not None
    assert "paused" not in done.reason
    assert done.error is None


async def test_send_during_a_pause_records_no_reason_that_would_outlast_it(
    payouts: Payouts, tron: dict[str, Any]
) -> None:
    await payouts.enqueue("k", **tron)
    await payouts.pause(note="audit")
    sent = await payouts.send("k", **tron)
    assert isinstance(sent.error, errors.PayoutsPaused)
    (held,) = await payouts.run_once(timeout=1)
    assert "paused: audit" in held.reason
    await payouts.resume()
    free = await payouts.get("k")
    assert free is not None
    assert free.reason == "enqueued; run sends it"


async def test_paused_runner_makes_no_requests_and_names_each_payout_once(
    payouts: Payouts,
    elsewhere: Payouts,
    sandbox: Sandbox,
    tron: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "upbit_async.payouts")
    await elsewhere.pause(note="audit", actor="Ann")
    async with payouts.running(concurrency=2):
        for number in range(20):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=20 + number))
        await anyio.sleep(5)
        before = len(sandbox.requests.of("GET", "/v1/withdraws"))
        await anyio.sleep(50)
        await payouts.enqueue("late", **dict(tron, amount=99))
        assert len(sandbox.requests.of("GET", "/v1/withdraws")) == before
        await anyio.sleep(50)
    lines = [line for line in caplog.records if "payouts are paused by Ann: audit" in line.getMessage()]
    assert Counter(vars(line)["key"] for line in lines) == Counter(
        [f"k{number}" for number in range(20)] + ["late"]
    )
    assert {(line.levelno, vars(line)["state"], vars(line)["uuid"]) for line in lines} == {
        (logging.WARNING, "queued", None)
    }


async def test_reason_of_an_overdue_payout_says_that_it_waited_for_the_end_of_a_pause(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    async with Payouts(sandbox.client(), InlineJournal(path), clock=lambda: sandbox.now).running() as payouts:
        await payouts.pause(note="audit")
        await payouts.enqueue("k", **tron, not_after=sandbox.now + dt.timedelta(seconds=9))
        await anyio.sleep(12)
        payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.ABANDONED
    assert "not_after" in payout.reason
    assert "paused: audit" in payout.reason


class _CountingJournal(InlineJournal):
    """A journal that counts the calls of each second."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.calls: dict[int, Counter[str]] = {}

    async def _run(self, work: Any, *arguments: object) -> Any:
        self.calls.setdefault(int(anyio.current_time()), Counter())[work.__name__] += 1
        return await super()._run(work, *arguments)


async def test_resume_in_another_process_is_noticed_within_two_seconds_by_one_read_a_second(
    elsewhere: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    journal = _CountingJournal(path)
    async with Payouts(sandbox.client(), journal, check=False).running() as payouts:
        await elsewhere.pause()
        await payouts.enqueue("k", **tron)
        await anyio.sleep(100)
        journal.calls.clear()
        await anyio.sleep(100)
        for calls in journal.calls.values():
            assert calls["claim"] <= 2
            assert sum(calls[name] for name in calls if name not in {"claim", *_PASS}) <= 2
        assert sum(sum(calls.values()) for calls in journal.calls.values()) <= 100 * 2 + 2 * len(_PASS) * 2
        await elsewhere.resume()
        await anyio.sleep(2)
        assert len(sandbox.requests.of(*CREATE)) == 1


async def test_enqueued_payouts_cause_no_more_reads_of_the_pause(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    journal = _CountingJournal(path)
    async with Payouts(sandbox.client(), journal, check=False).running() as payouts:
        await payouts.pause()
        await payouts.enqueue("first", **tron)
        await anyio.sleep(5)
        journal.calls.clear()
        for number in range(100):
            await payouts.enqueue(f"k{number}", **dict(tron, amount=20 + number))
            await anyio.sleep(0.1)
        reads = sum(calls["pause_in_force"] for calls in journal.calls.values())
    assert 5 <= reads <= 13


_PASS = ["position", "mark", "related", "unowned", "reconcile", "unreported", "select", "recent_answered"]
"""Calls of a reconciliation, once a minute."""


async def test_payout_that_another_process_settles_holds_up_its_equals_for_at_most_two_seconds(
    elsewhere: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    lost = await elsewhere.send("first", **tron, until="accepted")
    assert lost.state is PayoutState.UNKNOWN
    async with (
        Payouts(sandbox.client(), InlineJournal(path), check=False, settling_time=600).running() as payouts,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(elsewhere.wait, "first")
        await payouts.enqueue("second", **tron)
        await anyio.sleep(20)
        (held,) = await payouts.list(states=["queued"])
        assert "'first'" in held.reason
        while await elsewhere.list(states=["unknown"]):  # noqa: ASYNC110 - as an observer polls
            await anyio.sleep(0.1)
        await anyio.sleep(2.5)
        assert len(sandbox.requests.of(*CREATE)) == 2


async def test_review_that_another_process_ends_holds_up_its_equals_for_at_most_two_seconds(
    elsewhere: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await elsewhere.send("first", **tron, until="accepted")
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    review = await elsewhere.wait("first")
    assert review.state is PayoutState.NEEDS_REVIEW
    async with Payouts(sandbox.client(), InlineJournal(path), check=False).running() as payouts:
        await payouts.enqueue("second", **tron)
        await anyio.sleep(100)
        held = await payouts.get("second")
        assert held is not None
        assert "'first'" in held.reason
        await elsewhere.resolve("first", not_sent=True)
        await anyio.sleep(2.5)
        assert len(sandbox.requests.of(*CREATE)) == 2
