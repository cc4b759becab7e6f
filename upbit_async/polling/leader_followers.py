"""Leader/followers scheduling: one waiting task polls on behalf of all.

There is no background task: the tasks that wait for transfers also do the polling. One of them, the leader, determines
the next batch and sleeps until it is due. It then hands leadership to another waiting task and polls the batch itself,
so up to `max_polls` requests run at once and a slow one blocks nobody. All other tasks sleep until their transfer
changes or they become leader.

No wake-up is lost. Invariant: if tasks are sleeping, nobody leads and fewer than `max_polls` polls are running, then at
least one woken task has not run yet. Leadership ends only in `_lead`, and a poll only in `_serve_all`. The task that
ends it goes on without yielding: to `_pass_on`, which wakes a sleeper, or to lead again. A woken task leads, finds
another leader or no free poll, or goes to `_pass_on` as well.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, TypeAlias

import anyio
import anyio.lowlevel

from upbit_async.concurrency import Waker, new_waker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["LeaderFollowers", "Waiter", "Work"]

Work: TypeAlias = "Callable[[], Awaitable[None]]"
"""Something to be done, once."""


class Waiter(Protocol):
    """Someone who waits, once at a time."""

    @property
    def served(self) -> bool:
        """Whether there is something to tell."""
        ...


class LeaderFollowers:
    """The waiters of one event loop.

    Args:
        find: Returns what is to be done now, or when to ask again, by the loop's clock.
        max_polls: How many may work at once.
    """

    def __init__(self, find: Callable[[], Work | float], *, max_polls: int) -> None:
        self.loop = anyio.lowlevel.current_token()
        self._find = find
        self._free_polls = max_polls
        self._has_leader = False
        self._sleepers: dict[Waiter, Waker] = {}
        self._alarm: Waker | None = None
        self._alarm_at = -math.inf

    async def wait(self, waiter: Waiter) -> None:
        """Return when the waiter is served; until then sleep, lead, or work for everyone."""
        try:
            while not waiter.served:
                if self._has_leader or not self._free_polls:
                    waker = self._sleepers[waiter] = new_waker()
                    try:
                        await waker.wait()
                    finally:
                        self._sleepers.pop(waiter, None)
                else:
                    await self._serve_all(waiter)
        finally:
            self._pass_on()

    def tell(self, waiter: Waiter) -> None:
        """Wake the waiter, if it sleeps or rests."""
        waker = self._sleepers.pop(waiter, None)
        if waker is not None:
            waker.set()

    def rouse(self, when: float) -> None:
        """End the leader's rest, if it would last beyond a moment."""
        if self._alarm is not None and when < self._alarm_at and self._runs():
            self._alarm.set()

    async def _serve_all(self, waiter: Waiter) -> None:
        work = await self._lead(waiter)
        if work is None:
            return
        self._free_polls -= 1
        self._pass_on()
        try:
            await work()
        finally:
            self._free_polls += 1

    async def _lead(self, waiter: Waiter) -> Work | None:
        """Return what is to be done, or None if the waiter is served before there is anything."""
        self._has_leader = True
        try:
            while True:
                await anyio.lowlevel.checkpoint()  # tasks that begin to wait in this tick are included
                if waiter.served:
                    return None
                found = self._find()
                if not isinstance(found, (int, float)):
                    return found
                await self._rest(waiter, found)
        finally:
            self._has_leader = False

    async def _rest(self, waiter: Waiter, until: float) -> None:
        self._alarm = waker = self._sleepers[waiter] = new_waker()
        self._alarm_at = until
        try:
            with anyio.CancelScope(deadline=until):
                await waker.wait()
        finally:
            self._alarm = None
            self._sleepers.pop(waiter, None)

    def _pass_on(self) -> None:
        """Wake a sleeper to lead, if nobody leads and there is a place to work."""
        if self._has_leader or not self._free_polls:
            return
        for sleeper in self._sleepers:
            if self._runs():
                self.tell(sleeper)
            return

    def _runs(self) -> bool:
        # A coroutine that outlives its loop is closed by the garbage collector; nobody is left to be woken.
        try:
            return anyio.lowlevel.current_token() == self.loop
        except anyio.NoEventLoopError:
            return False
