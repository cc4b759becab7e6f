"""A watcher that looks at ten thousand withdrawals, and ordinary calls, do not get in each other's way."""

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
class Turn:
    """When a call began to wait, and when it left."""

    began: float
    left: float

    @property
    def wait(self) -> float:
        """How long it has waited."""
        return self.left - self.began

    def goes_before(self, other: Turn) -> bool:
        """Whether it came later than another and yet left before it, by more than a glance."""
        return self.began > other.began and self.left < other.left - 0.02


@attrs.define
class Office:
    """A client with a watcher and ordinary calls."""

    client: UpbitClient
    looks: list[Turn] = attrs.field(factory=list[Turn])
    calls: list[Turn] = attrs.field(factory=list[Turn])

    async def look(self, times: int) -> None:
        """Look again as soon as there is an answer, as a watcher does that has much to look at."""
        for _ in range(times):
            began = anyio.current_time()
            await self.client.withdraws.list(uuids=UUIDS)
            self.looks.append(Turn(began, anyio.current_time() - TRIP))

    async def call(self) -> None:
        """Make an ordinary call."""
        began = anyio.current_time()
        await self.client.withdraws.list()
        self.calls.append(Turn(began, anyio.current_time() - TRIP))

    async def call_on(self) -> None:
        """Make ordinary calls without end."""
        while True:
            await self.call()


def _office(**options: Any) -> Office:
    return Office(client_of(answers_of(CountingServer()), trip=TRIP, **options))


async def test_an_ordinary_call_waits_for_the_second_and_for_one_look_at_most() -> None:
    office, dice = _office(), random.Random(1)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.look, 100)
        for _ in range(20):
            await anyio.sleep(dice.uniform(0, 0.3))
            await office.call()
    assert max(call.wait for call in office.calls) <= 1.002
    assert not any(look.goes_before(call) for look in office.looks for call in office.calls)
    assert office.looks[-1].left - began <= 120 / 29


@pytest.mark.parametrize("callers", [20, 300])
async def test_a_look_waits_no_longer_than_the_calls_that_came_before_it(callers: int) -> None:
    office, seconds = _office(), 35
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(callers):
                tasks.start_soon(office.call_on)
            tasks.start_soon(office.look, 10_000)
    longest = max(call.wait for call in office.calls)
    assert longest <= callers / 28 + 1.1
    assert max(look.wait for look in office.looks) <= longest + 0.1
    assert len(office.looks) >= seconds // longest
    assert len(office.looks) + len(office.calls) >= (seconds - 1) * 28


async def test_one_clients_queue_does_not_stand_before_anothers_call() -> None:
    keys = canaries()
    busy, idle = _office(credentials=keys), _office(credentials=keys)
    async with anyio.create_task_group() as tasks:
        for _ in range(500):
            tasks.start_soon(busy.call_on)
        await anyio.sleep(5)
        for _ in range(10):
            await idle.call()
        tasks.cancel_scope.cancel()
    assert max(call.wait for call in idle.calls) <= 1.1
