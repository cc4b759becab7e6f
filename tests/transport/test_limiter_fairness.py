"""Fairness of the limiter between the polls of a busy watcher and ordinary calls."""

from __future__ import annotations

import random
from typing import Any

import anyio
import attrs
import pytest
from clients import canaries
from model_server import CountingServer, answers_of, client_of

from upbit_async import UpbitClient

pytestmark = pytest.mark.thorough

UUIDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(100)]
TRIP = 0.02


@attrs.frozen
class Timing:
    """When a call began to wait, and when it was sent."""

    began: float
    left: float

    @property
    def wait(self) -> float:
        """How long it waited, in seconds."""
        return self.left - self.began

    def goes_before(self, other: Timing) -> bool:
        """Whether it came after another and yet left before it, by more than 20 ms."""
        return self.began > other.began and self.left < other.left - 0.02


@attrs.define
class MeasuredClient:
    """A client with a watcher and ordinary calls."""

    client: UpbitClient
    polls: list[Timing] = attrs.field(factory=list[Timing])
    calls: list[Timing] = attrs.field(factory=list[Timing])

    async def poll(self, times: int) -> None:
        """Poll again as soon as there is an answer, as a watcher of many withdrawals does."""
        for _ in range(times):
            began = anyio.current_time()
            await self.client.withdraws.list(uuids=UUIDS)
            self.polls.append(Timing(began, anyio.current_time() - TRIP))

    async def call(self) -> None:
        """Make an ordinary call."""
        began = anyio.current_time()
        await self.client.withdraws.list()
        self.calls.append(Timing(began, anyio.current_time() - TRIP))

    async def call_repeatedly(self) -> None:
        """Make ordinary calls until cancelled."""
        while True:
            await self.call()


def _measured(**options: Any) -> MeasuredClient:
    return MeasuredClient(client_of(answers_of(CountingServer()), trip=TRIP, **options))


async def test_ordinary_call_waits_for_one_poll_at_most() -> None:
    measured, dice = _measured(), random.Random(1)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(measured.poll, 100)
        for _ in range(20):
            await anyio.sleep(dice.uniform(0, 0.3))
            await measured.call()
    assert max(call.wait for call in measured.calls) <= 1.002
    assert not any(poll.goes_before(call) for poll in measured.polls for call in measured.calls)
    assert measured.polls[-1].left - began <= 120 / 29


@pytest.mark.parametrize("callers", [20, 300])
async def test_poll_waits_only_for_the_calls_before_it(callers: int) -> None:
    measured, seconds = _measured(), 35
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(callers):
                tasks.start_soon(measured.call_repeatedly)
            tasks.start_soon(measured.poll, 10_000)
    longest = max(call.wait for call in measured.calls)
    assert longest <= callers / 28 + 1.1
    assert max(poll.wait for poll in measured.polls) <= longest + 0.1
    assert len(measured.polls) >= seconds // longest
    assert len(measured.polls) + len(measured.calls) >= (seconds - 1) * 28


async def test_queue_of_one_client_does_not_delay_another() -> None:
    keys = canaries()
    busy, idle = _measured(credentials=keys), _measured(credentials=keys)
    async with anyio.create_task_group() as tasks:
        for _ in range(500):
            tasks.start_soon(busy.call_repeatedly)
        await anyio.sleep(5)
        for _ in range(10):
            await idle.call()
        tasks.cancel_scope.cancel()
    assert max(call.wait for call in idle.calls) <= 1.1
