from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest

from upbit_async.polling.circle import Circle

if TYPE_CHECKING:
    from collections.abc import Callable


class Guest:
    def __init__(self) -> None:
        self.served = False


async def ticks(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


class Kitchen:
    """Serves its guests in the order of their coming, one a turn."""

    def __init__(self) -> None:
        self.circle = Circle()
        self.guests: list[Guest] = []
        self.cooks = 0

    async def turn(self) -> None:
        self.cooks += 1
        assert self.cooks == 1
        try:
            await anyio.sleep(1)
        finally:
            self.cooks -= 1
        guest = self.guests.pop(0)
        guest.served = True
        self.circle.tell(guest)

    async def eat(self, guest: Guest) -> None:
        self.guests.append(guest)
        try:
            await self.circle.wait(guest, self.turn)
        finally:
            if guest in self.guests:
                self.guests.remove(guest)


@pytest.mark.parametrize("victims", [{0}, {1}, {2}, {0, 1}, {1, 3}, {0, 1, 2}, {0, 3}])
@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 1.5, 2.0])
async def test_whoever_leaves_at_whatever_tick_the_others_are_served(
    moment: float, victims: set[int]
) -> None:
    for late in range(9):
        kitchen = Kitchen()
        guests = [Guest() for _ in range(4)]
        scopes = [anyio.CancelScope() for _ in guests]

        async def eat(
            index: int, kitchen: Kitchen, guests: list[Guest], scopes: list[anyio.CancelScope]
        ) -> None:
            with scopes[index]:
                await kitchen.eat(guests[index])

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for index in range(4):
                    tasks.start_soon(eat, index, kitchen, guests, scopes)
                await anyio.sleep(moment)
                await ticks(late)
                for index in victims:
                    scopes[index].cancel()

        assert all(guest.served for index, guest in enumerate(guests) if index not in victims)
        assert not kitchen.guests


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("victims", [[0], [1], [0, 1], [1, 0], [0, 1, 2]])
async def test_native_cancellation_loses_no_wake_up(victims: list[int]) -> None:
    for late in range(12):
        circle = Circle()
        guests = [Guest() for _ in range(4)]
        done = [False] * 4

        async def turn(circle: Circle, guests: list[Guest]) -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            guest = next(guest for guest in guests if not guest.served)
            guest.served = True
            circle.tell(guest)

        async def wait(index: int, circle: Circle, guests: list[Guest], done: list[bool]) -> None:
            await circle.wait(guests[index], lambda: turn(circle, guests))
            done[index] = True

        tasks = [asyncio.create_task(wait(index, circle, guests, done)) for index in range(4)]
        for _ in range(late):
            await asyncio.sleep(0)
        for index in victims:
            tasks[index].cancel()
        await asyncio.wait(tasks, timeout=30)

        assert all(task.done() for task in tasks)
        assert all(done[index] for index in range(4) if index not in victims)


async def test_an_error_of_the_work_ends_the_leader_alone() -> None:
    circle = Circle()
    outcomes: list[str] = []
    broken = [True]

    async def turn(guest: Guest) -> None:
        await anyio.sleep(1)
        if broken.pop() if broken else False:
            raise LookupError("a slip")
        guest.served = True

    async def wait(name: str) -> None:
        guest = Guest()
        try:
            await circle.wait(guest, lambda: turn(guest))
        except LookupError:
            outcomes.append(f"{name} slipped")
        else:
            outcomes.append(f"{name} served")

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(wait, name)

    assert sum(outcome.endswith("slipped") for outcome in outcomes) == 1
    assert sum(outcome.endswith("served") for outcome in outcomes) == 2


async def test_a_rest_ends_at_its_time_or_earlier_if_roused_for_something_earlier() -> None:
    circle = Circle()

    async def rouse_at(moment: float, when: float) -> None:
        await anyio.sleep_until(moment)
        circle.rouse(when)

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rouse_at, began + 1, began + 20)
        tasks.start_soon(rouse_at, began + 2, began + 5)
        await circle.pause_until(began + 10)
    assert anyio.current_time() == pytest.approx(began + 2)

    await circle.pause_until(began + 10)
    assert anyio.current_time() == pytest.approx(began + 10)
    circle.rouse(0)


def test_who_outlives_the_loop_wakes_nobody() -> None:
    async def begin() -> tuple[Circle, Callable[[], None]]:
        circle = Circle()
        leader = circle.wait(Guest(), lambda: anyio.sleep(1))
        leader.send(None)
        sleeper = circle.wait(Guest(), lambda: anyio.sleep(1))
        sleeper.send(None)
        return circle, lambda: (leader.close(), sleeper.close(), None)[-1]

    _circle, close = asyncio.run(begin())

    close()
