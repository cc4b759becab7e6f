"""The limiter's budget: no second, wherever it starts, receives more calls than allowed, and hardly fewer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server import CountingServer, Traffic, Window, answers_of, client_of, most_in_a_second

from upbit_async import LocalLimiter, NoLimiter

if TYPE_CHECKING:
    from upbit_async.transport.limiter import Ticket

pytestmark = pytest.mark.thorough

BUDGET = 5
"""Calls per second; small, so that few calls fill many seconds."""
LONGEST_TRIP = 0.8
WINDOWS: list[Window] = ["fixed", "sliding"]


@attrs.frozen
class Plan:
    """What happens to one call: when it comes, how long its caller waits for its turn, and how it travels."""

    at: float
    timeout: float
    forth: float
    back: float
    header: bool
    given_up: float


def _plans() -> st.SearchStrategy[Plan]:
    trips = st.floats(0, LONGEST_TRIP / 2)
    often_never = st.just(math.inf) | st.floats(0, 3)
    plans = st.builds(Plan, st.floats(0, 3), often_never, trips, trips, st.booleans(), often_never)
    # What has left reaches the server a tenth of a second after it was given up at the latest.
    return plans.map(lambda plan: attrs.evolve(plan, given_up=max(plan.given_up, plan.forth - 0.1)))


async def _go(traffic: Traffic, plan: Plan) -> None:
    await anyio.sleep(plan.at)
    with anyio.move_on_after(plan.timeout):
        ticket = await traffic.limiter.acquire("default")
        with anyio.CancelScope(shield=True):
            await traffic.travel(ticket, plan.forth, plan.back, header=plan.header, given_up=plan.given_up)


@given(st.lists(_plans(), min_size=1, max_size=40), st.sampled_from(WINDOWS), st.floats(0, 0.999))
@settings(max_examples=60)
async def test_no_second_receives_more_calls_than_the_budget(
    plans: list[Plan], window: Window, phase: float
) -> None:
    traffic = Traffic(LocalLimiter({"default": BUDGET}), CountingServer(BUDGET, window, phase))
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for plan in plans:
            tasks.start_soon(_go, traffic, plan)
    assert traffic.server.refusals == []
    assert most_in_a_second(traffic.arrived) <= BUDGET - 1
    assert most_in_a_second(traffic.left) <= BUDGET - 1
    assert len(traffic.left) >= sum(plan.timeout == math.inf for plan in plans)
    rounds = math.ceil(len(plans) / (BUDGET - 1))
    assert anyio.current_time() - began <= 3 + rounds * (1.1 + LONGEST_TRIP)


async def test_falling_latency_does_not_exceed_the_budget() -> None:
    traffic = Traffic(LocalLimiter(), CountingServer(10_000))
    async with anyio.create_task_group() as tasks:
        for forth, back in [(0.3, 0.0)] * 29 + [(0.0, 0.3)] * 29:
            tasks.start_soon(traffic.call, forth, back)
    assert most_in_a_second(traffic.arrived) == 29


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("trip", "seconds"), [(0.0, 6.1), (0.02, 6.3), (0.1, 7.0)])
async def test_two_hundred_concurrent_calls_take_seven_seconds(
    window: Window, trip: float, seconds: float
) -> None:
    traffic = Traffic(LocalLimiter(), CountingServer(30, window, 0.3))
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(traffic.call, trip / 2, trip / 2)
    assert traffic.server.refusals == []
    assert 6.0 < anyio.current_time() - began <= seconds


@pytest.mark.parametrize("window", WINDOWS)
async def test_sequential_calls_within_the_budget_are_not_delayed(window: Window) -> None:
    traffic = Traffic(LocalLimiter(), CountingServer(30, window))
    began = anyio.current_time()
    for _ in range(100):
        await traffic.call(0.025, 0.025)
    assert anyio.current_time() - began == pytest.approx(5)


async def test_reordered_answers_are_not_mistaken_for_another_process() -> None:
    traffic = Traffic(LocalLimiter(), CountingServer(30, "sliding"))
    began = anyio.current_time()

    async def go_on(number: int) -> None:
        for turn in range(20):
            await traffic.call(0.01 + (number * 7 + turn * 3) % 10 / 100, (number * 3 + turn * 7) % 10 / 100)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(go_on, number)
    assert traffic.server.refusals == []
    assert anyio.current_time() - began <= 200 / 29 * 1.15


async def test_limiter_leaves_one_call_of_the_budget_unused() -> None:
    limiter = LocalLimiter()
    began = anyio.current_time()
    for _ in range(29):
        limiter.observe(await limiter.acquire("default"), None)
    assert anyio.current_time() == began
    await limiter.acquire("default")
    assert anyio.current_time() - began == pytest.approx(1.002)


async def test_abandoned_call_counts_a_little_longer() -> None:
    limiter = LocalLimiter({"default": 2})
    ticket = await limiter.acquire("default")
    ticket.lost = True
    limiter.observe(ticket, None)
    began = anyio.current_time()
    await limiter.acquire("default")
    assert anyio.current_time() - began == pytest.approx(1.102)


async def test_client_marks_tickets_of_abandoned_calls() -> None:
    tickets: list[Ticket] = []

    class Remembering(NoLimiter):
        def observe(self, ticket: Ticket, remaining: int | None) -> None:
            tickets.append(ticket)

    client = client_of(answers_of(CountingServer()), limiter=Remembering(), trip=0.2)
    await client.withdraws.list()
    with anyio.move_on_after(0.05):
        await client.withdraws.list()
    assert [ticket.lost for ticket in tickets] == [False, True]


@pytest.mark.parametrize(("group", "calls"), [("default", 29), ("order", 7), ("order-test", 7)])
async def test_groups_have_separate_budgets(group: str, calls: int) -> None:
    limiter = LocalLimiter()
    for name in ("default", "order", "order-test"):
        if name != group:
            limiter.refuse(await limiter.acquire(name), 60.0)
    began = anyio.current_time()
    for _ in range(calls):
        await limiter.acquire(group)
    assert anyio.current_time() == began
    with anyio.move_on_after(0.9) as scope:
        await limiter.acquire(group)
    assert scope.cancelled_caught
