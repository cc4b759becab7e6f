from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import random
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest

from upbit_async import errors
from upbit_async.events import LookFailed, StateSeen
from upbit_async.models import Withdrawal
from upbit_async.policy import PollSchedule
from upbit_async.polling import Watcher, WithdrawalPoller
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.polling.conftest import Desk

ENDS_ALL = [
    errors.AuthenticationError("the key was refused", status=401, name="invalid_access_key"),
    errors.PermissionDenied("the key lacks a permission", status=403, name="out_of_scope"),
    errors.ConfigurationError("there is no key"),
]
PASSES = [
    errors.TransportError("no answer"),
    errors.ServerError("maintenance", status=503),
    errors.RateLimited("too many", status=429, name="too_many_requests", retry_after=1),
    errors.DecodeError("not JSON"),
    errors.APIError("a proxy's page", status=404),
    errors.APIError("too slow", status=408, name="request_timeout"),
]


async def outcomes(*pollers: WithdrawalPoller) -> list[str]:
    """Wait with all pollers at once; return how each wait ended."""
    ended: dict[int, str] = {}

    async def wait(index: int, poller: WithdrawalPoller) -> None:
        try:
            ended[index] = (await poller.wait()).state.value
        except errors.UpbitError as error:
            ended[index] = type(error).__name__ if error.resume_token == poller.resume_token else "no token"

    async with anyio.create_task_group() as tasks:
        for index, poller in enumerate(pollers):
            tasks.start_soon(wait, index, poller)
    return [ended[index] for index in range(len(pollers))]


# --- many at once ---


@pytest.mark.parametrize("latency", [0.0, 0.03])
async def test_a_thousand_cost_ten_requests_a_sweep(desk_for: type[Desk], latency: float) -> None:
    desk = desk_for(PollSchedule())
    desk.latency = latency
    pollers = [
        desk.open(f"u{number}", (0, "WAITING"), (100 + number % 7, "PROCESSING"), (300, "DONE"))
        for number in range(1000)
    ]

    ended = await outcomes(*pollers)

    assert set(ended) == {"DONE"}
    sweeps: list[int] = []
    last = -math.inf
    for at in desk.times():
        if at - last > latency + 0.05:
            sweeps.append(0)
        sweeps[-1] += 1
        last = at
    assert max(sweeps) <= 11
    # Per nominal schedule step, whatever one calls a sweep: 1 s, 1.5 s, ... 30 s, and again after each change.
    assert len(desk.requests) <= 11 * 3 * 13
    assert desk.watcher.watched == 0


@pytest.mark.parametrize("aligned", [True, False])
async def test_a_thousand_changes_are_seen_within_a_schedule_step(
    desk_for: type[Desk], aligned: bool
) -> None:
    schedule = PollSchedule()
    desk = desk_for(schedule)
    chance = random.Random(7)
    late: list[float] = []

    async def follow(poller: WithdrawalPoller, change_at: float) -> None:
        await poller.wait()
        late.append(anyio.current_time() - change_at)

    async with anyio.create_task_group() as tasks:
        for number in range(1000):
            moment = chance.uniform(50, 600)
            poller = desk.open(f"u{number}", (0, "PROCESSING"), (moment, "DONE"))
            tasks.start_soon(follow, poller, anyio.current_time() + moment)
            if not aligned:
                await anyio.sleep(chance.uniform(0, 0.1))

    assert min(late) >= 0
    assert max(late) <= schedule.longest * (1 + schedule.jitter)
    assert sum(late) / len(late) < schedule.longest * 0.6


async def test_a_sweep_takes_along_what_is_almost_due(desk_for: type[Desk]) -> None:
    desk = desk_for(PollSchedule(first=10, factor=1, longest=10, jitter=0.2))
    early = desk.open("early", (0, "PROCESSING"), (200, "DONE"))

    async def later() -> None:
        await anyio.sleep(1)
        await desk.open("later", (0, "PROCESSING"), (199, "DONE")).wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(early.wait)
        tasks.start_soon(later)

    assert Counter(len(uuids) for _, uuids in desk.requests)[2] >= 15


async def test_the_last_request_of_a_sweep_is_filled(desk: Desk) -> None:
    due = [desk.open(f"due{number}", (0, "PROCESSING"), (1000, "DONE")) for number in range(30)]
    idle = [desk.open(f"idle{number}", (0, "PROCESSING"), (1000, "DONE")) for number in range(150)]

    async with anyio.create_task_group() as tasks:
        for poller in idle:
            tasks.start_soon(poller.wait)
        await anyio.sleep(300)
        seen = len(desk.requests)
        for poller in due:
            tasks.start_soon(poller.wait)
        await anyio.sleep(0.5)
        assert [len(uuids) for _, uuids in desk.requests[seen:]] == [100]
        tasks.cancel_scope.cancel()

    assert desk.watcher.watched == 0


async def test_batches_are_published_as_they_come(desk: Desk) -> None:
    desk.latency = 5
    pollers = [desk.open(f"u{number}", (0, "DONE")) for number in range(250)]
    ends: Counter[float] = Counter()
    began = anyio.current_time()

    async def wait(poller: WithdrawalPoller) -> None:
        await poller.wait()
        ends[round(anyio.current_time() - began, 6)] += 1

    async with anyio.create_task_group() as tasks:
        for poller in pollers:
            tasks.start_soon(wait, poller)

    assert ends == {5: 100, 10: 100, 15: 50}


# --- comings and goings ---


async def test_with_comings_and_goings_nobody_is_late_and_nothing_leaks(desk_for: type[Desk]) -> None:
    schedule = PollSchedule()
    desk = desk_for(schedule)
    desk.latency = 0.05
    chance = random.Random(3)
    late: list[float] = []

    async def follow(number: int, start: float, moment: float, patience: float) -> None:
        await anyio.sleep(start)
        poller = desk.open(f"u{number}", (0, "WAITING"), (moment, "DONE"))
        opened = anyio.current_time()
        with anyio.move_on_after(patience):
            await poller.wait()
            late.append(anyio.current_time() - opened - moment)

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            patience = chance.uniform(0, 100) if number % 3 == 0 else math.inf
            tasks.start_soon(follow, number, chance.uniform(0, 200), chance.uniform(0, 400), patience)

    assert len(late) >= 66
    assert max(late) <= schedule.longest * (1 + schedule.jitter) + 2 * desk.latency
    assert desk.watcher.watched == 0


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 1.0, 1.3, 1.6])
async def test_whoever_is_cancelled_at_whatever_tick_the_others_go_on(
    desk_for: type[Desk], moment: float
) -> None:
    async def wait(poller: WithdrawalPoller, scope: anyio.CancelScope, ended: list[float]) -> None:
        with scope:
            await poller.wait()
            ended.append(anyio.current_time())

    for victims, ticks in itertools.product([(0,), (1,), (0, 1), (2, 0)], range(8)):
        desk = desk_for(PollSchedule(jitter=0))
        desk.latency = 0.3
        ended: list[float] = []
        scopes = [anyio.CancelScope() for _ in range(4)]
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for number, scope in enumerate(scopes):
                poller = desk.open(f"u{number}", (0, "WAITING"), (2, "DONE"))
                tasks.start_soon(wait, poller, scope, ended)
            await anyio.sleep(moment)
            for _ in range(ticks):
                await anyio.lowlevel.checkpoint()
            for victim in victims:
                scopes[victim].cancel()

        assert len(ended) == 4 - len(victims)
        assert max(ended) - began <= 4.5
        assert desk.watcher.watched == 0


async def test_a_newcomer_makes_the_leader_plan_anew(desk: Desk) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.open("slow", (0, "PROCESSING"), (900, "DONE")).wait)
        await anyio.sleep(301)
        began = anyio.current_time()

        await desk.open("quick", (0, "DONE")).wait()

        assert anyio.current_time() == began
        tasks.cancel_scope.cancel()


async def test_a_second_waiter_for_the_same_withdrawal_is_told_at_once_and_looks_soon(desk: Desk) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (305, "DONE"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poller.wait)
        await anyio.sleep(300)
        asked = len(desk.requests)

        changes = desk.poller("U").changes()
        assert (await anext(changes)).state == "PROCESSING"
        assert len(desk.requests) == asked
        await anyio.sleep(1.5)
        assert len(desk.requests) > asked
        await changes.aclose()
        assert desk.watcher.watched == 1


async def test_what_one_waiter_knows_counts_for_the_other(
    desk_for: type[Desk], make: Callable[..., Withdrawal]
) -> None:
    desk = desk_for(PollSchedule(grace=0, jitter=0))
    desk.latency = 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.poller("u").wait)
        await anyio.sleep(0.5)
        tasks.start_soon(desk.poller("u", make("u")).wait)
        await anyio.sleep(20)
        tasks.cancel_scope.cancel()

    assert any(isinstance(event, LookFailed) for event in desk.events)


# --- failures ---


@pytest.mark.parametrize("error", PASSES, ids=str)
async def test_a_failed_look_is_an_event_and_no_end(desk: Desk, error: errors.UpbitError) -> None:
    faults = [error, error]
    desk.fault = lambda _uuids: faults.pop() if faults else None
    pollers = [desk.open(name, (0, "DONE")) for name in "abc"]

    assert await outcomes(*pollers) == ["DONE"] * 3

    failed = [event for event in desk.events if isinstance(event, LookFailed)]
    assert [event.uuids for event in failed] == [desk.requests[0][1]] * 2
    assert failed[0].error is error
    assert desk.times() == pytest.approx([desk.times()[0] + after for after in (0, 1, 2.5)])


@pytest.mark.parametrize("error", ENDS_ALL, ids=lambda error: type(error).__name__)
async def test_some_errors_end_every_wait(desk: Desk, error: errors.UpbitError) -> None:
    desk.fault = lambda _uuids: error if len(desk.requests) == 3 else None
    pollers = [desk.open(f"u{number}", (0, "PROCESSING")) for number in range(120)]

    assert set(await outcomes(*pollers)) == {type(error).__name__}
    assert error.resume_token is None
    assert desk.watcher.watched == 0


@pytest.mark.parametrize(
    "error",
    [
        errors.ValidationError("no such format", status=400, name="validation_error"),
        errors.APIError("what is it", status=400, name="invalid_uuid"),
    ],
    ids=["validation", "other"],
)
async def test_one_poisonous_id_does_not_starve_the_others(desk: Desk, error: errors.UpbitError) -> None:
    desk.fault = lambda uuids: error if "poison" in uuids else None
    names = [*(f"u{number}" for number in range(99)), "poison"]
    pollers = [desk.open(name, (0, "DONE")) for name in names]

    ended = await outcomes(*pollers)

    assert Counter(ended) == {"DONE": 99, type(error).__name__: 1}
    assert ended[-1] == type(error).__name__
    assert len(desk.requests) <= 15
    assert desk.watcher.watched == 0


async def test_one_row_that_does_not_decode_does_not_starve_the_others(desk: Desk) -> None:
    error = errors.DecodeError("no decimal", path="$[3].amount")
    desk.fault = lambda uuids: error if "odd" in uuids and anyio.current_time() < mended else None
    mended = anyio.current_time() + 50
    pollers = [desk.open(name, (0, "PROCESSING"), (5, "DONE")) for name in ["odd", "a", "b", "c"]]

    assert await outcomes(*pollers) == ["DONE"] * 4
    assert {event.uuids for event in desk.events if isinstance(event, LookFailed)} == {("odd",)}


async def test_who_leaves_while_the_batch_is_halved_is_not_asked_for(desk: Desk) -> None:
    desk.latency = 1
    desk.fault = lambda uuids: errors.ValidationError("bad", status=400) if len(uuids) > 1 else None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.open("stays", (0, "PROCESSING"), (30, "DONE")).wait)
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(0.5):
            await desk.open("leaves", (0, "PROCESSING")).wait()

    assert all(uuids == ("stays",) for _, uuids in desk.requests[1:])


async def test_who_leaves_while_a_look_is_on_its_way_is_forgotten(desk: Desk) -> None:
    desk.latency = 1
    ending = errors.ValidationError("bad", status=400)
    desk.fault = lambda uuids: ending if "bad" in uuids else None

    async def leave_soon(poller: WithdrawalPoller) -> None:
        with anyio.move_on_after(1.5):
            await poller.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.open("stays", (0, "PROCESSING"), (30, "DONE")).wait)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(leave_soon, desk.open("gone", (0, "PROCESSING")))
        tasks.start_soon(leave_soon, desk.open("bad", (0, "PROCESSING")))

    assert desk.watcher.watched == 0


async def test_a_slip_in_our_own_code_is_raised_and_the_others_go_on(desk: Desk) -> None:
    slips = [LookupError("a slip")]
    desk.fault = lambda _uuids: slips.pop() if slips else None
    ended: Counter[str] = Counter()

    async def wait(poller: WithdrawalPoller) -> None:
        try:
            ended[(await poller.wait()).state] += 1
        except LookupError:
            ended["slip"] += 1

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(wait, desk.open(name, (0, "DONE")))

    assert ended == {"slip": 1, "DONE": 2}


# --- absence ---


async def test_a_list_that_lags_behind_is_patience(desk: Desk, make: Callable[..., Withdrawal]) -> None:
    known = desk.poller("known", make("known"))
    desk.open("known", (20, "PROCESSING"), (25, "DONE"))
    fresh = desk.open("fresh", (20, "PROCESSING"), (25, "DONE"))

    assert await outcomes(known, fresh) == ["DONE", "DONE"]


async def test_what_never_appears_is_not_found(desk: Desk) -> None:
    ghost = desk.open("ghost")
    began = anyio.current_time()

    with pytest.raises(errors.NotFound, match="no withdrawal ghost") as caught:
        await ghost.wait()

    assert caught.value.resume_token == ghost.resume_token
    assert 30 <= anyio.current_time() - began <= 45
    assert not desk.events


async def test_a_refusal_to_know_the_only_id_is_absence_too(desk: Desk) -> None:
    desk.fault = lambda _uuids: errors.NotFound("none", status=404, name="withdraw_not_found")

    assert await outcomes(desk.open("ghost")) == ["NotFound"]
    assert len(desk.requests) > 5


async def test_what_was_seen_and_is_missing_now_is_a_failed_look(desk: Desk) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (10, "GONE"), (200, "DONE"))

    assert (await poller.wait()).state == "DONE"
    failed = [event for event in desk.events if isinstance(event, LookFailed)]
    assert failed
    assert all(isinstance(event.error, errors.NotFound) for event in failed)


async def test_strangers_in_the_answer_are_ignored(desk: Desk, make: Callable[..., Withdrawal]) -> None:
    desk.strangers = [make("somebody", "DONE")]
    poller = desk.open("u", (0, "PROCESSING"), (5, "DONE"))

    assert (await poller.wait()).uuid == "u"


# --- events ---


async def test_changes_are_events_and_oddities_are_logged_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (5, "WAITING"), (20, "MOONED"), (60, "DONE"))

    with caplog.at_level(logging.WARNING, logger="upbit_async.polling"):
        await outcomes(poller, desk.poller("u"))

    seen = [(event.previous, event.state) for event in desk.events if isinstance(event, StateSeen)]
    assert seen == [
        (None, "PROCESSING"),
        ("PROCESSING", "WAITING"),
        ("WAITING", "MOONED"),
        ("MOONED", "DONE"),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "withdrawal u went back from PROCESSING to WAITING",
        "withdrawal u is in the unknown state MOONED; the wait goes on",
    ]


async def test_what_is_known_beforehand_is_no_event(desk: Desk, make: Callable[..., Withdrawal]) -> None:
    desk.open("u", (0, "WAITING"), (5, "DONE"))

    await desk.poller("u", make("u", "WAITING")).wait()

    assert [event.state for event in desk.events if isinstance(event, StateSeen)] == ["DONE"]


# --- event loops ---


def test_a_loop_that_was_torn_down_does_not_jam_the_next(desk: Desk) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)

    async def begin() -> tuple[asyncio.Task[Withdrawal], asyncio.Task[Withdrawal]]:
        leader = asyncio.ensure_future(desk.open("a", (0, "PROCESSING")).wait())
        sleeper = asyncio.ensure_future(desk.open("b", (0, "PROCESSING")).wait())
        for _ in range(10):
            await asyncio.sleep(0)
        return leader, sleeper

    abandoned = loop.run_until_complete(begin())
    loop.close()
    assert desk.watcher.watched == 2

    async def again() -> str:
        return (await desk.open("c", (0, "DONE")).wait()).state

    assert asyncio.run(again()) == "DONE"
    assert desk.watcher.watched == 0
    for task in abandoned:
        coroutine = task.get_coro()
        assert coroutine is not None
        with contextlib.suppress(RuntimeError):  # anyio's own scopes mind that their loop has gone
            coroutine.close()


def test_a_watcher_can_be_made_outside_a_loop(desk: Desk) -> None:
    watcher = Watcher[Withdrawal](desk.fetch, PollSchedule(), kind="withdrawal", host="sg-api.upbit.com")
    poller = WithdrawalPoller("u", watcher=watcher, region=Region.SG, host="sg-api.upbit.com")
    assert watcher.watched == 0

    async def wait() -> str:
        desk.open("u", (0, "DONE"))
        return (await poller.wait()).state

    assert asyncio.run(wait()) == "DONE"
