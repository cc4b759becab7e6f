from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from upbit_async import errors
from upbit_async.polling import WithdrawalPoller
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.polling.conftest import FakeTransferList
    from upbit_async.models import Withdrawal
    from upbit_async.polling import StateChange


async def collected(poller: WithdrawalPoller) -> list[StateChange[Withdrawal]]:
    return [change async for change in poller.changes()]


async def test_changes_come_once_in_order_and_end(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "WAITING"), (10, "PROCESSING"), (100, "DONE"))

    changes = await collected(poller)

    assert [change.state for change in changes] == ["WAITING", "PROCESSING", "DONE"]
    assert [change.previous for change in changes] == [None, "WAITING", "PROCESSING"]
    assert not any(change.skipped for change in changes)
    assert all(change.at.tzinfo is not None for change in changes)
    assert poller.last is changes[-1].record


async def test_a_jump_is_skipped(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "WAITING"), (10, "PROCESSING"), (10.1, "DONE"))

    assert [change.skipped for change in await collected(poller)] == [False, True]


async def test_a_state_that_goes_back_and_an_unknown_one_are_told(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (10, "WAITING"), (20, "MOONED"), (90, "DONE"))

    assert [change.state for change in await collected(poller)] == ["PROCESSING", "WAITING", "MOONED", "DONE"]


async def test_what_is_known_comes_first_and_costs_nothing(
    desk: FakeTransferList, make: Callable[..., Withdrawal]
) -> None:
    desk.open("u", (0, "DONE"))
    poller = desk.poller("u", make("u", "WAITING"))
    began = anyio.current_time()
    changes = poller.changes()

    assert (await anext(changes)).state == "WAITING"
    assert not desk.requests
    assert (await anext(changes)).state == "DONE"
    assert desk.times() == [began + 1]
    assert [change async for change in changes] == []


async def test_a_final_record_needs_no_request(
    desk: FakeTransferList, make: Callable[..., Withdrawal]
) -> None:
    record = make("u", "DONE")
    poller = desk.poller("u", record)

    assert [change.record for change in await collected(poller)] == [record]
    assert await poller.wait() is record
    assert await poller.result(timeout=0) is record
    assert not desk.requests


async def test_an_unseen_withdrawal_is_looked_at_at_once(desk: FakeTransferList) -> None:
    began = anyio.current_time()

    await desk.open("u", (0, "DONE")).wait()

    assert desk.times() == [began]


async def test_one_poller_serves_many_at_once_and_again(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "WAITING"), (3, "PROCESSING"), (60, "DONE"))
    seen: list[list[str]] = []

    async def follow() -> None:
        seen.append([change.state.value async for change in poller.changes()])

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(follow)
            tasks.start_soon(poller.wait)

    assert seen == [["WAITING", "PROCESSING", "DONE"]] * 3
    assert [change.state for change in await collected(poller)] == ["DONE"]


async def test_a_slow_consumer_misses_nothing_while_others_wait(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "WAITING"), (5, "PROCESSING"), (60, "DONE"))
    seen: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.poller("u").wait)
        async for change in poller.changes():
            seen.append(change.state.value)
            await anyio.sleep(200)

    assert seen == ["WAITING", "PROCESSING", "DONE"]


async def test_a_generator_that_is_closed_early_leaks_nothing(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "WAITING"), (5, "DONE"))
    changes = poller.changes()
    await anext(changes)
    assert desk.watcher.watched == 1

    await changes.aclose()

    assert desk.watcher.watched == 0
    assert poller.last is not None


async def test_the_latest_record_is_kept_and_a_final_one_for_good(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (40, "DONE"))
    changes = poller.changes()
    await anext(changes)

    final = await poller.wait()
    desk.open("u", (0, "PROCESSING"))

    assert poller.last is final
    assert (await anext(changes)).state == "DONE"
    await changes.aclose()


# --- timeouts ---


async def test_the_last_look_is_exactly_at_the_deadline(desk: FakeTransferList) -> None:
    began = anyio.current_time()
    poller = desk.open("u", (0, "PROCESSING"))

    with pytest.raises(
        errors.PollTimeout, match=r"u is PROCESSING after 100 s. It may still complete"
    ) as caught:
        await poller.wait(timeout=100)

    assert desk.times()[-1] == anyio.current_time() == pytest.approx(began + 100)
    assert caught.value.record is poller.last
    assert caught.value.resume_token == poller.resume_token
    assert caught.value.__cause__ is None
    assert desk.watcher.watched == 0


async def test_what_ends_just_before_the_deadline_is_seen(desk: FakeTransferList) -> None:
    assert (await desk.open("u", (0, "PROCESSING"), (99.9, "DONE")).wait(timeout=100)).state == "DONE"


async def test_last_looks_go_together(desk: FakeTransferList) -> None:
    pollers = [desk.open(f"u{number}", (0, "PROCESSING")) for number in range(50)]
    timeouts = itertools.count()

    async def wait(poller: WithdrawalPoller) -> None:
        with pytest.raises(errors.PollTimeout):
            await poller.wait(timeout=20)
        next(timeouts)

    async with anyio.create_task_group() as tasks:
        for poller in pollers:
            tasks.start_soon(wait, poller)

    assert next(timeouts) == 50
    assert Counter(desk.times())[max(desk.times())] == 1


async def test_a_deadline_among_patient_waiters_concerns_only_its_own(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (300, "DONE"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.poller("u").wait)
        tasks.start_soon(desk.open("v", (0, "PROCESSING"), (300, "DONE")).wait)
        await anyio.sleep(50)
        began = anyio.current_time()
        with pytest.raises(errors.PollTimeout):
            await poller.wait(timeout=7)
        assert anyio.current_time() == pytest.approx(began + 7)

    assert desk.watcher.watched == 0


@pytest.mark.parametrize("history", [[(0, "PROCESSING")], []])
async def test_no_time_means_one_look(desk: FakeTransferList, history: list[tuple[float, str]]) -> None:
    poller = desk.open("u", *history)

    with pytest.raises(errors.PollTimeout) as caught:
        await poller.wait(timeout=0)

    assert len(desk.requests) == 1
    assert (caught.value.record is None) is (not history)
    assert ("was not seen" in str(caught.value)) is (not history)


async def test_an_odd_id_that_upbit_has_told_gets_its_handle(
    desk: FakeTransferList, make: Callable[..., Withdrawal]
) -> None:
    odd = "x" * 300

    assert desk.poller(odd, make(odd)).uuid == odd


async def test_no_time_means_one_look_for_a_known_record_too(
    desk: FakeTransferList, make: Callable[..., Withdrawal]
) -> None:
    desk.open("u", (0, "DONE"))

    assert (await desk.poller("u", make("u")).wait(timeout=0)).state == "DONE"
    assert len(desk.requests) == 1


async def test_a_last_look_that_fails_is_the_cause(desk: FakeTransferList) -> None:
    trouble = errors.TransportError("no answer")
    desk.fault = lambda _uuids: trouble

    with pytest.raises(errors.PollTimeout) as caught:
        await desk.open("u", (0, "DONE")).wait(timeout=5)

    assert caught.value.__cause__ is trouble


@pytest.mark.parametrize("trouble", [None, errors.TransportError("no answer")], ids=["seen", "failed"])
async def test_a_look_under_way_at_the_deadline_is_the_last(
    desk: FakeTransferList, trouble: errors.UpbitError | None
) -> None:
    desk.latency = 20
    desk.fault = lambda _uuids: trouble
    began = anyio.current_time()

    with pytest.raises(errors.PollTimeout) as caught:
        await desk.open("u", (0, "PROCESSING")).wait(timeout=5)

    assert len(desk.requests) == 1
    assert anyio.current_time() == pytest.approx(began + 20)
    assert caught.value.__cause__ is trouble


async def test_who_waits_longer_is_not_hurried_by_a_deadline_that_has_passed(desk: FakeTransferList) -> None:
    desk.latency = 20
    poller = desk.open("u", (0, "PROCESSING"), (60, "DONE"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poller.wait)
        with pytest.raises(errors.PollTimeout):
            await desk.poller("u").wait(timeout=5)

    first, second = desk.times()[:2]
    assert second - first > 20.5


async def test_what_a_look_under_way_at_the_deadline_brings_is_told(desk: FakeTransferList) -> None:
    desk.latency = 3
    poller = desk.open("u", (0, "PROCESSING"), (3.5, "DONE"))

    assert (await poller.wait(timeout=5)).state == "DONE"
    assert anyio.current_time() - desk.times()[-1] == pytest.approx(3)


async def test_a_callers_deadline_simply_cancels(desk: FakeTransferList) -> None:
    with pytest.raises(TimeoutError):
        with anyio.fail_after(10):
            await desk.open("u", (0, "PROCESSING")).wait(timeout=math.inf)

    assert desk.watcher.watched == 0


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(-1, ValueError), (math.nan, ValueError), (True, TypeError), ("5", TypeError), (Decimal(5), TypeError)],
)
async def test_an_odd_timeout_is_refused(
    desk: FakeTransferList,
    timeout: Any,  # noqa: ASYNC109 - it is passed on
    error: type[Exception],
) -> None:
    with pytest.raises(error, match="timeout"):
        await desk.open("u", (0, "DONE")).result(timeout=timeout)
    assert not desk.requests


# --- results ---


async def test_a_withdrawal_that_is_done_is_the_result(desk: FakeTransferList) -> None:
    assert (await desk.open("u", (0, "WAITING"), (5, "DONE")).result()).state == "DONE"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("FAILED", errors.WithdrawalFailed),
        ("CANCELLED", errors.WithdrawalCancelled),
        ("REJECTED", errors.WithdrawalRejected),
    ],
)
async def test_another_end_is_an_error(
    desk: FakeTransferList, state: str, kind: type[errors.WithdrawalNotDone]
) -> None:
    poller = desk.open("u", (0, "WAITING"), (5, state))

    with pytest.raises(kind, match=f"u of 13 USDT ended as {state}") as caught:
        await poller.result()

    assert type(caught.value) is kind
    assert caught.value.record is poller.last
    assert caught.value.resume_token == poller.resume_token


# --- values ---


def test_a_poller_is_a_cheap_value(desk: FakeTransferList, make: Callable[..., Withdrawal]) -> None:
    poller = desk.poller("9F43")

    assert poller.uuid == "9F43"
    assert poller.last is None
    assert poller == desk.poller("9f43", make("9f43"))
    assert hash(poller) == hash(desk.poller("9f43"))
    assert poller != desk.poller("9f44")
    assert poller != WithdrawalPoller("9F43", watcher=desk.watcher, region=Region.TH, host="th-api.upbit.com")
    assert poller != "9F43"
    assert repr(poller) == "<WithdrawalPoller 9F43 at sg-api.upbit.com: not seen yet>"
    assert repr(desk.poller("u", make("u"))).endswith("WAITING>")


def test_the_resume_token_names_what_is_needed_and_nothing_else(desk: FakeTransferList) -> None:
    assert json.loads(desk.poller("9f43").resume_token) == {
        "v": 1,
        "kind": "withdrawal",
        "region": "sg",
        "host": "sg-api.upbit.com",
        "uuid": "9f43",
    }


def test_what_is_no_id_is_refused(desk: FakeTransferList, make: Callable[..., Withdrawal]) -> None:
    odd: Any = 7
    with pytest.raises(ValueError, match="uuid of a withdrawal must not be empty"):
        desk.poller("")
    with pytest.raises(TypeError, match="must be text"):
        desk.poller(odd)
    with pytest.raises(ValueError, match="must be withdrawal u, got v"):
        desk.poller("u", make("v"))
