from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import math
import random

import anyio
import pytest

from upbit_async.polling.leader_followers import LeaderFollowers, Poll


class Guest:
    def __init__(self) -> None:
        self.is_ready = False


async def ticks(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


class Kitchen:
    """Serves its guests in the order of their coming, with as many cooks as there are places."""

    def __init__(self, places: int = 1) -> None:
        self.circle = LeaderFollowers(self.find, max_polls=places)
        self.guests: list[Guest] = []
        self.cooked_for: list[Guest] = []
        self.places = places
        self.most = 0

    def find(self) -> Poll | float:
        for guest in self.guests:
            if not guest.is_ready and guest not in self.cooked_for:
                return functools.partial(self.cook, guest)
        return math.inf

    async def cook(self, guest: Guest) -> None:
        self.cooked_for.append(guest)
        self.most = max(self.most, len(self.cooked_for))
        try:
            await anyio.sleep(1)
        finally:
            self.cooked_for.remove(guest)
            self.circle.notify_due(-math.inf)
        guest.is_ready = True
        self.circle.wake(guest)

    async def eat(self, guest: Guest) -> None:
        self.guests.append(guest)
        self.circle.notify_due(-math.inf)
        try:
            await self.circle.wait(guest)
        finally:
            self.guests.remove(guest)


async def eat_in(scope: anyio.CancelScope, kitchen: Kitchen, guest: Guest) -> None:
    with scope:
        await kitchen.eat(guest)


@pytest.mark.parametrize("places", [1, 2, 3])
@pytest.mark.parametrize("victims", [{0}, {1}, {2}, {0, 1}, {1, 3}, {0, 1, 2}, {0, 3}])
@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 2.0])
async def test_whoever_leaves_at_whatever_tick_the_others_are_served(
    moment: float, victims: set[int], places: int
) -> None:
    for late in range(9):
        kitchen = Kitchen(places)
        guests = [Guest() for _ in range(4)]
        scopes = [anyio.CancelScope() for _ in guests]

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for scope, guest in zip(scopes, guests, strict=True):
                    tasks.start_soon(eat_in, scope, kitchen, guest)
                await anyio.sleep(moment)
                await ticks(late)
                for index in victims:
                    scopes[index].cancel()

        assert all(guest.is_ready for index, guest in enumerate(guests) if index not in victims)
        assert not kitchen.guests
        assert kitchen.most <= places


@pytest.mark.parametrize("places", [1, 3])
@pytest.mark.parametrize("seed", range(4))
async def test_hundreds_come_and_go_at_random_and_nobody_is_forgotten(places: int, seed: int) -> None:
    dice = random.Random(seed)
    kitchen = Kitchen(places)
    eaten: list[float] = []

    async def visit(patience: float) -> None:
        guest = Guest()
        with anyio.move_on_after(patience):
            await kitchen.eat(guest)
        if patience == math.inf:
            assert guest.is_ready
            eaten.append(anyio.current_time())

    with anyio.fail_after(1000):
        async with anyio.create_task_group() as tasks:
            for _ in range(300):
                tasks.start_soon(visit, dice.choice([math.inf, 0, dice.uniform(0, 3), dice.uniform(0, 200)]))
                await anyio.sleep(dice.choice([0, 0, 0.1, 1.5]))

    assert eaten
    assert not kitchen.guests
    assert kitchen.most == places


async def test_slow_work_holds_up_nobody_else_as_long_as_there_are_places() -> None:
    kitchen = Kitchen(3)
    began = anyio.current_time()
    ends: list[float] = []

    async def eat() -> None:
        await kitchen.eat(Guest())
        ends.append(anyio.current_time() - began)

    async with anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(eat)

    assert ends == [1, 1, 1, 2, 2, 2, 3]


async def test_who_is_served_while_leading_leaves_at_once() -> None:
    circle = LeaderFollowers(lambda: math.inf, max_polls=1)
    guest = Guest()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(circle.wait, guest)
        await anyio.sleep(1)
        guest.is_ready = True
        circle.wake(guest)
        with anyio.fail_after(1):
            await ticks(5)
            await circle.wait(guest)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("places", [1, 2])
@pytest.mark.parametrize("victims", [[0], [1], [0, 1], [1, 0], [0, 1, 2]])
async def test_native_cancellation_loses_no_wake_up(victims: list[int], places: int) -> None:
    for late in range(14):
        guests = [Guest() for _ in range(4)]
        done = [False] * 4
        busy: list[Guest] = []

        async def work(circle: LeaderFollowers, guest: Guest, busy: list[Guest]) -> None:
            busy.append(guest)
            try:
                for _ in range(3):
                    await asyncio.sleep(0)
            finally:
                busy.remove(guest)
                circle.notify_due(-math.inf)
            guest.is_ready = True
            circle.wake(guest)

        def find(guests: list[Guest], busy: list[Guest], circles: list[LeaderFollowers]) -> Poll | float:
            idle = [guest for guest in guests if not guest.is_ready and guest not in busy]
            return functools.partial(work, circles[0], idle[0], busy) if idle else math.inf

        async def wait(index: int, circle: LeaderFollowers, guests: list[Guest], done: list[bool]) -> None:
            await circle.wait(guests[index])
            done[index] = True

        circles: list[LeaderFollowers] = []
        circles.append(LeaderFollowers(functools.partial(find, guests, busy, circles), max_polls=places))
        tasks = [asyncio.create_task(wait(index, circles[0], guests, done)) for index in range(4)]
        for _ in range(late):
            await asyncio.sleep(0)
        for index in victims:
            tasks[index].cancel()
        await asyncio.wait(tasks, timeout=30)

        assert all(task.done() for task in tasks)
        assert all(done[index] for index in range(4) if index not in victims)


async def test_an_error_of_the_work_ends_its_worker_alone() -> None:
    outcomes: list[str] = []
    broken = [True]
    kitchen = Kitchen()
    cook = kitchen.cook

    async def spoil(guest: Guest) -> None:
        if broken:
            broken.pop()
            raise LookupError("a slip")
        await cook(guest)

    kitchen.cook = spoil  # type: ignore[method-assign]

    async def eat() -> None:
        try:
            await kitchen.eat(Guest())
        except LookupError:
            outcomes.append("slipped")
        else:
            outcomes.append("served")

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(eat)

    assert sorted(outcomes) == ["served", "served", "slipped"]


async def test_a_rest_ends_at_its_time_or_earlier_if_roused_for_something_earlier() -> None:
    began = anyio.current_time()
    asked: list[float] = []
    guest = Guest()

    def find() -> float:
        asked.append(anyio.current_time() - began)
        guest.is_ready = len(asked) == 3
        return anyio.current_time() + 10

    circle = LeaderFollowers(find, max_polls=1)

    async def rouse_at(moment: float, when: float) -> None:
        await anyio.sleep(moment)
        circle.notify_due(began + when)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rouse_at, 1, 20)
        tasks.start_soon(rouse_at, 2, 5)
        await circle.wait(guest)

    assert asked == pytest.approx([0, 2, 12])
    circle.notify_due(-math.inf)


async def test_who_has_rested_and_goes_to_work_leaves_the_lead_to_a_sleeper() -> None:
    began = anyio.current_time()
    asked: list[float] = []
    guests = [Guest(), Guest()]

    async def work() -> None:
        await anyio.sleep(10)
        for guest in guests:
            guest.is_ready = True
            circle.wake(guest)

    found: list[Poll | float] = [began + 5, work, math.inf]

    def find() -> Poll | float:
        asked.append(anyio.current_time() - began)
        return found.pop(0)

    circle = LeaderFollowers(find, max_polls=2)
    async with anyio.create_task_group() as tasks:
        for guest in guests:
            tasks.start_soon(circle.wait, guest)
            await anyio.sleep(1)

    assert asked == [0, 5, 5]


@pytest.mark.parametrize("places", [1, 2])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_who_outlives_the_loop_wakes_nobody(order: tuple[int, ...], places: int) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    works = [True]

    async def work(circle: LeaderFollowers) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            circle.notify_due(-math.inf)

    async def begin() -> list[asyncio.Task[None]]:
        circle = LeaderFollowers(
            lambda: functools.partial(work, circle) if works and works.pop() else 1e9, max_polls=places
        )
        tasks = [asyncio.ensure_future(circle.wait(Guest())) for _ in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        return tasks  # one works, one sleeps, or rests if there is a place, and one sleeps

    tasks = loop.run_until_complete(begin())
    loop.close()

    for index in order:
        coroutine = tasks[index].get_coro()
        assert coroutine is not None
        with contextlib.suppress(RuntimeError) if (index, places) == (1, 2) else contextlib.nullcontext():
            coroutine.close()  # whoever rests has a scope of anyio's, which minds that its loop has gone
