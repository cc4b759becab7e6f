"""Pollers of withdrawals: changes, timeouts, results and resume tokens."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from transfer_list import FakeTransferList, withdrawal

from upbit_async import errors
from upbit_async.polling import WithdrawalPoller
from upbit_async.region import Region

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.polling import StateChange


async def collected(poller: WithdrawalPoller) -> list[StateChange[Withdrawal]]:
    return [change async for change in poller.changes()]


async def test_changes_come_once_in_order_and_end(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "WAITING"), (10, "PROCESSING"), (100, "DONE"))

    changes = await collected(poller)

    assert [change.state for change in changes] == ["WAITING", "PROCESSING", "DONE"]
    assert [change.previous for change in changes] == [None, "WAITING", "PROCESSING"]
    assert not any(change.skipped for change in changes)
    assert all(change.at.tzinfo is not None for change in changes)
    assert poller.last is changes[-1].record


async def test_change_that_skips_a_state_is_marked(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "WAITING"), (10, "PROCESSING"), (10.1, "DONE"))

    assert [change.skipped for change in await collected(poller)] == [False, True]


async def test_backward_and_unknown_states_are_reported(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "PROCESSING"), (10, "WAITING"), (20, "MOONED"), (90, "DONE"))

    assert [change.state for change in await collected(poller)] == ["PROCESSING", "WAITING", "MOONED", "DONE"]


async def test_known_record_is_the_first_change_without_a_request(transfers: FakeTransferList) -> None:
    transfers.open("u", (0, "DONE"))
    poller = transfers.poller("u", withdrawal("u", "WAITING"))
    began = anyio.current_time()
    changes = poller.changes()

    assert (await anext(changes)).state == "WAITING"
    assert not transfers.requests
    assert (await anext(changes)).state == "DONE"
    assert transfers.times() == [began + 1]
    assert [change async for change in changes] == []


async def test_final_record_needs_no_request(transfers: FakeTransferList) -> None:
    record = withdrawal("u", "DONE")
    poller = transfers.poller("u", record)

    assert [change.record for change in await collected(poller)] == [record]
    assert await poller.wait() is record
    assert await poller.result(timeout=0) is record
    assert not transfers.requests


async def test_unseen_withdrawal_is_polled_at_once(transfers: FakeTransferList) -> None:
    began = anyio.current_time()

    await transfers.open("u", (0, "DONE")).wait()

    assert transfers.times() == [began]


async def test_one_poller_serves_concurrent_and_later_waits(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "WAITING"), (3, "PROCESSING"), (60, "DONE"))
    seen: list[list[str]] = []

    async def follow() -> None:
        seen.append([change.state.value async for change in poller.changes()])

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(follow)
            tasks.start_soon(poller.wait)

    assert seen == [["WAITING", "PROCESSING", "DONE"]] * 3
    assert [change.state for change in await collected(poller)] == ["DONE"]


async def test_slow_consumer_misses_no_change(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "WAITING"), (5, "PROCESSING"), (60, "DONE"))
    seen: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transfers.poller("u").wait)
        async for change in poller.changes():
            seen.append(change.state.value)
            await anyio.sleep(200)

    assert seen == ["WAITING", "PROCESSING", "DONE"]


async def test_closed_generator_stops_watching(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "WAITING"), (5, "DONE"))
    changes = poller.changes()
    await anext(changes)
    assert transfers.watcher.watched == 1

    await changes.aclose()

    assert transfers.watcher.watched == 0
    assert poller.last is not None


async def test_latest_record_is_kept_and_a_final_one_never_replaced(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "PROCESSING"), (40, "DONE"))
    changes = poller.changes()
    await anext(changes)

    final = await poller.wait()
    transfers.open("u", (0, "PROCESSING"))

    assert poller.last is final
    assert (await anext(changes)).state == "DONE"
    await changes.aclose()


# --- timeouts ---


async def test_last_poll_is_exactly_at_the_deadline(transfers: FakeTransferList) -> None:
    began = anyio.current_time()
    poller = transfers.open("u", (0, "PROCESSING"))

    with pytest.raises(
        errors.PollTimeout, match=r"u is PROCESSING after 100 s. It may still complete"
    ) as caught:
        await poller.wait(timeout=100)

    assert transfers.times()[-1] == anyio.current_time() == pytest.approx(began + 100)
    assert caught.value.record is poller.last
    assert caught.value.resume_token == poller.resume_token
    assert caught.value.__cause__ is None
    assert transfers.watcher.watched == 0


async def test_change_just_before_the_deadline_is_seen(transfers: FakeTransferList) -> None:
    assert (await transfers.open("u", (0, "PROCESSING"), (99.9, "DONE")).wait(timeout=100)).state == "DONE"


async def test_last_polls_share_one_request(transfers: FakeTransferList) -> None:
    pollers = [transfers.open(f"u{number}", (0, "PROCESSING")) for number in range(50)]
    timeouts = itertools.count()

    async def wait(poller: WithdrawalPoller) -> None:
        with pytest.raises(errors.PollTimeout):
            await poller.wait(timeout=20)
        next(timeouts)

    async with anyio.create_task_group() as tasks:
        for poller in pollers:
            tasks.start_soon(wait, poller)

    assert next(timeouts) == 50
    assert Counter(transfers.times())[max(transfers.times())] == 1


async def test_deadline_of_one_waiter_does_not_affect_others(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "PROCESSING"), (300, "DONE"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transfers.poller("u").wait)
        tasks.start_soon(transfers.open("v", (0, "PROCESSING"), (300, "DONE")).wait)
        await anyio.sleep(50)
        began = anyio.current_time()
        with pytest.raises(errors.PollTimeout):
            await poller.wait(timeout=7)
        assert anyio.current_time() == pytest.approx(began + 7)

    assert transfers.watcher.watched == 0


@pytest.mark.parametrize("history", [[(0, "PROCESSING")], []])
async def test_timeout_zero_polls_once(transfers: FakeTransferList, history: list[tuple[float, str]]) -> None:
    poller = transfers.open("u", *history)

    with pytest.raises(errors.PollTimeout) as caught:
        await poller.wait(timeout=0)

    assert len(transfers.requests) == 1
    assert (caught.value.record is None) is (not history)
    assert ("was not seen" in str(caught.value)) is (not history)


async def test_unusual_id_of_a_known_record_is_accepted(transfers: FakeTransferList) -> None:
    odd = "x" * 300

    assert transfers.poller(odd, withdrawal(odd)).uuid == odd


async def test_timeout_zero_polls_a_known_record_once(transfers: FakeTransferList) -> None:
    transfers.open("u", (0, "DONE"))

    assert (await transfers.poller("u", withdrawal("u")).wait(timeout=0)).state == "DONE"
    assert len(transfers.requests) == 1


async def test_failed_last_poll_is_the_cause_of_the_timeout(transfers: FakeTransferList) -> None:
    trouble = errors.TransportError("no answer")
    transfers.fault = lambda _uuids: trouble

    with pytest.raises(errors.PollTimeout) as caught:
        await transfers.open("u", (0, "DONE")).wait(timeout=5)

    assert caught.value.__cause__ is trouble


@pytest.mark.parametrize("trouble", [None, errors.TransportError("no answer")], ids=["seen", "failed"])
async def test_poll_in_progress_at_the_deadline_is_the_last(
    transfers: FakeTransferList, trouble: errors.UpbitError | None
) -> None:
    transfers.latency = 20
    transfers.fault = lambda _uuids: trouble
    began = anyio.current_time()

    with pytest.raises(errors.PollTimeout) as caught:
        await transfers.open("u", (0, "PROCESSING")).wait(timeout=5)

    assert len(transfers.requests) == 1
    assert anyio.current_time() == pytest.approx(began + 20)
    assert caught.value.__cause__ is trouble


async def test_passed_deadline_does_not_hurry_other_waiters(
    transfers: FakeTransferList,
) -> None:
    transfers.latency = 20
    poller = transfers.open("u", (0, "PROCESSING"), (60, "DONE"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poller.wait)
        with pytest.raises(errors.PollTimeout):
            await transfers.poller("u").wait(timeout=5)

    first, second = transfers.times()[:2]
    assert second - first > 20.5


async def test_result_of_a_poll_in_progress_at_the_deadline_counts(transfers: FakeTransferList) -> None:
    transfers.latency = 3
    poller = transfers.open("u", (0, "PROCESSING"), (3.5, "DONE"))

    assert (await poller.wait(timeout=5)).state == "DONE"
    assert anyio.current_time() - transfers.times()[-1] == pytest.approx(3)


async def test_callers_deadline_cancels_the_wait(transfers: FakeTransferList) -> None:
    with pytest.raises(TimeoutError):
        with anyio.fail_after(10):
            await transfers.open("u", (0, "PROCESSING")).wait(timeout=math.inf)

    assert transfers.watcher.watched == 0


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(-1, ValueError), (math.nan, ValueError), (True, TypeError), ("5", TypeError), (Decimal(5), TypeError)],
)
async def test_invalid_timeout_is_refused(
    transfers: FakeTransferList,
    timeout: Any,  # noqa: ASYNC109 - it is passed on
    error: type[Exception],
) -> None:
    with pytest.raises(error, match="timeout"):
        await transfers.open("u", (0, "DONE")).result(timeout=timeout)
    assert not transfers.requests


# --- results ---


async def test_result_returns_a_withdrawal_that_is_done(transfers: FakeTransferList) -> None:
    assert (await transfers.open("u", (0, "WAITING"), (5, "DONE")).result()).state == "DONE"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("FAILED", errors.WithdrawalFailed),
        ("CANCELLED", errors.WithdrawalCancelled),
        ("REJECTED", errors.WithdrawalRejected),
    ],
)
async def test_result_raises_for_any_other_final_state(
    transfers: FakeTransferList, state: str, kind: type[errors.WithdrawalNotDone]
) -> None:
    poller = transfers.open("u", (0, "WAITING"), (5, state))

    with pytest.raises(kind, match=f"u of 13 USDT ended as {state}") as caught:
        await poller.result()

    assert type(caught.value) is kind
    assert caught.value.record is poller.last
    assert caught.value.resume_token == poller.resume_token


# --- values ---


def test_poller_is_a_hashable_value(transfers: FakeTransferList) -> None:
    poller = transfers.poller("9F43")

    assert poller.uuid == "9F43"
    assert poller.last is None
    assert poller == transfers.poller("9f43", withdrawal("9f43"))
    assert hash(poller) == hash(transfers.poller("9f43"))
    assert poller != transfers.poller("9f44")
    assert poller != WithdrawalPoller(
        "9F43", watcher=transfers.watcher, region=Region.TH, host="th-api.upbit.com"
    )
    assert poller != "9F43"
    assert repr(poller) == "<WithdrawalPoller 9F43 at sg-api.upbit.com: not seen yet>"
    assert repr(transfers.poller("u", withdrawal("u"))).endswith("WAITING>")


def test_resume_token_contains_only_what_is_needed(transfers: FakeTransferList) -> None:
    assert json.loads(transfers.poller("9f43").resume_token) == {
        "v": 1,
        "kind": "withdrawal",
        "region": "sg",
        "host": "sg-api.upbit.com",
        "uuid": "9f43",
    }


def test_invalid_id_is_refused(transfers: FakeTransferList) -> None:
    odd: Any = 7
    with pytest.raises(ValueError, match="uuid of a withdrawal must not be empty"):
        transfers.poller("")
    with pytest.raises(TypeError, match="must be text"):
        transfers.poller(odd)
    with pytest.raises(ValueError, match="must be withdrawal u, got v"):
        transfers.poller("u", withdrawal("v"))
