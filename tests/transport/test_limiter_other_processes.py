"""A budget shared with another process, which only the server's header reveals."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server import CountingServer, Traffic, Window, spend

from upbit_async import LocalLimiter

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.thorough

WINDOWS: list[Window] = ["fixed", "sliding"]
BEGINS, ENDS, OVER = 2.3, 9.3, 13.5
"""When the other process begins and stops, and when the test ends, in seconds."""


@attrs.frozen
class Other:
    """How another process calls: the number of calls at once, and how often."""

    rate: float
    at_once: int = 1

    def gaps(self, dice: random.Random) -> Iterator[float]:
        """Return how long it waits each time, until it stops."""
        until = ENDS - BEGINS
        while until > 0:
            gap = self.at_once / self.rate * dice.uniform(0.7, 1.3)
            yield min(gap, until)
            until -= gap


async def _go_on(traffic: Traffic, until: float, trip: float, dice: random.Random) -> None:
    """Call again and again, and back off as a client does."""
    while anyio.current_time() < until:
        if not await traffic.call(trip / 2 * dice.uniform(0.6, 1.4), trip / 2 * dice.uniform(0.6, 1.4)):
            await anyio.sleep(1 + dice.random())


async def _side_by_side(
    server: CountingServer, other: Other, *, trip: float = 0.03, seed: int = 1
) -> Traffic:
    """Call as fast as ten connections and the limiter allow, while another process calls too."""
    dice = random.Random(seed)
    traffic = Traffic(LocalLimiter(), server)
    began = anyio.current_time()
    server.phase += began
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(_go_on, traffic, began + OVER, trip, dice)
        await anyio.sleep(BEGINS)
        tasks.start_soon(spend, server, other.gaps(dice), other.at_once)
    server.ours[:] = [at - began for at in server.ours]
    server.refusals[:] = [at - began for at in server.refusals]
    return traffic


def _between(times: list[float], begin: float, end: float) -> int:
    return sum(begin <= at < end for at in times)


@given(
    st.sampled_from(WINDOWS),
    st.builds(Other, st.floats(1, 90), st.integers(1, 30)),
    st.floats(0.001, 0.3),
    st.integers(0, 2**16),
)
@settings(max_examples=10)
async def test_no_refusal_that_a_header_announced(
    window: Window, other: Other, trip: float, seed: int
) -> None:
    server = CountingServer(30, window, seed % 1000 / 1000)
    traffic = await _side_by_side(server, other, trip=trip, seed=seed)
    assert traffic.foretold == 0


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("other", [Other(5), Other(15)], ids=str)
async def test_limiter_adapts_to_another_process_within_a_second(window: Window, other: Other) -> None:
    server, share = CountingServer(30, window, 0.37), 30 - other.rate
    await _side_by_side(server, other)
    for second in range(1, 6):
        assert _between(server.ours, BEGINS + second, BEGINS + second + 1) <= share + 4
    assert _between(server.ours, BEGINS + 2, ENDS) >= 0.6 * share * (ENDS - BEGINS - 2)
    assert len(server.refusals) <= 4
    assert server.others_refused <= 0.4 * server.others
    assert _between(server.ours, ENDS + 1.2, ENDS + 4.2) >= 3 * 25


@pytest.mark.parametrize("window", WINDOWS)
async def test_limiter_probes_once_a_second_while_the_budget_is_used_up(window: Window) -> None:
    server = CountingServer(30, window, 0.37)
    await _side_by_side(server, Other(60))
    for second in range(1, 6):
        assert _between(server.refusals, BEGINS + second, BEGINS + second + 1) <= 1
    assert _between(server.ours, ENDS + 1.2, ENDS + 4.2) >= 3 * 24


@pytest.mark.parametrize("window", WINDOWS)
async def test_two_processes_of_ours_share_the_budget(window: Window) -> None:
    server = CountingServer(30, window)
    sides = [Traffic(LocalLimiter(), server) for _ in range(2)]
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for traffic in sides * 10:
            tasks.start_soon(_go_on, traffic, began + 20, 0.03, random.Random(1))
    assert min(len(traffic.left) for traffic in sides) >= 20 * 7
    assert len(server.refusals) <= 20


@pytest.mark.parametrize("window", WINDOWS)
async def test_reduced_budget_is_detected_and_kept(window: Window) -> None:
    server = CountingServer(20, window, 0.37)
    began = anyio.current_time()
    traffic = Traffic(LocalLimiter(), server)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(_go_on, traffic, began + 12, 0.03, random.Random(1))
    assert server.refusals == []
    assert _between(server.ours, began + 2, began + 12) >= 10 * 15
