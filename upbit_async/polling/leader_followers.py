"""Leader/followers scheduling: one waiting task polls on behalf of all.

There is no background task: the tasks that wait for transfers also do the polling. One of them, the leader, determines
the next batch and sleeps until it is due. It then hands leadership to another waiting task and polls the batch itself,
so up to `max_polls` requests run at once and a slow one blocks no other task. All other tasks sleep until their
transfer changes or they become leader.

No wake-up is lost. Invariant: if tasks are sleeping, no task leads and fewer than `max_polls` polls are running, then
at least one woken task has not run yet. Leadership ends only in `_lead`, and a poll only in `_lead_and_poll`. The task
that ends either continues without yielding: to `_wake_next_leader`, which wakes a sleeper, or to lead again. A woken
task leads, finds another leader or no free poll, or continues to `_wake_next_leader` as well.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, TypeAlias

import anyio
import anyio.lowlevel

from upbit_async.concurrency import Waker, new_waker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["LeaderFollowers", "Poll", "Waiter"]

Poll: TypeAlias = "Callable[[], Awaitable[None]]"
"""Function that polls one batch."""


class Waiter(Protocol):
    """Object that represents a waiting task, one task at a time."""

    @property
    def is_ready(self) -> bool:
        """Whether the task has something to return or to raise, so that it need not wait."""
        ...


class LeaderFollowers:
    """Scheduler of polls among the waiting tasks of one event loop.

    Args:
        next_poll: Function that returns the poll to run now, or the time at which to call it again, by the event
            loop's clock.
        max_polls: Maximum number of polls that run at once.
    """

    def __init__(self, next_poll: Callable[[], Poll | float], *, max_polls: int) -> None:
        self.loop = anyio.lowlevel.current_token()
        self._next_poll = next_poll
        self._free_polls = max_polls
        self._has_leader = False
        self._sleepers: dict[Waiter, Waker] = {}
        self._leader_waker: Waker | None = None
        self._leader_sleeps_until = -math.inf

    async def wait(self, waiter: Waiter) -> None:
        """Return when the waiter is ready; until then sleep, lead or poll."""
        try:
            while not waiter.is_ready:
                if self._has_leader or not self._free_polls:
                    waker = self._sleepers[waiter] = new_waker()
                    try:
                        await waker.wait()
                    finally:
                        self._sleepers.pop(waiter, None)
                else:
                    await self._lead_and_poll(waiter)
        finally:
            self._wake_next_leader()

    def wake(self, waiter: Waiter) -> None:
        """Wake the waiter if it sleeps, as a follower or as the leader."""
        waker = self._sleepers.pop(waiter, None)
        if waker is not None:
            waker.set()

    def notify_due(self, when: float) -> None:
        """Report that a poll is due at a time; the leader wakes if it would sleep longer."""
        if self._leader_waker is not None and when < self._leader_sleeps_until and self._loop_runs():
            self._leader_waker.set()

    async def _lead_and_poll(self, waiter: Waiter) -> None:
        poll = await self._lead(waiter)
        if poll is None:
            return
        self._free_polls -= 1
        self._wake_next_leader()
        try:
            await poll()
        finally:
            self._free_polls += 1

    async def _lead(self, waiter: Waiter) -> Poll | None:
        """Return the next poll once it is due, or None if the waiter is ready earlier."""
        self._has_leader = True
        try:
            while True:
                await anyio.lowlevel.checkpoint()  # tasks that begin to wait in this tick are included
                if waiter.is_ready:
                    return None
                poll = self._next_poll()
                if not isinstance(poll, (int, float)):
                    return poll
                await self._sleep_as_leader(waiter, poll)
        finally:
            self._has_leader = False

    async def _sleep_as_leader(self, waiter: Waiter, until: float) -> None:
        self._leader_waker = waker = self._sleepers[waiter] = new_waker()
        self._leader_sleeps_until = until
        try:
            with anyio.CancelScope(deadline=until):
                await waker.wait()
        finally:
            self._leader_waker = None
            self._sleepers.pop(waiter, None)

    def _wake_next_leader(self) -> None:
        """Wake a sleeper to lead, if no task leads and another poll may run."""
        if self._has_leader or not self._free_polls:
            return
        for sleeper in self._sleepers:
            if self._loop_runs():
                self.wake(sleeper)
            return

    def _loop_runs(self) -> bool:
        # The garbage collector closes coroutines that outlive their loop; there is no task to wake then.
        try:
            return anyio.lowlevel.current_token() == self.loop
        except anyio.NoEventLoopError:
            return False
