"""Leader/followers scheduling: one waiting task polls on behalf of all.

There is no background task: the tasks that wait for transfers also do the polling. One of them, the leader, determines
the next batch and sleeps until it is due. It then hands leadership to another waiting task and polls the batch itself,
so up to `max_polls` polls run at once and a slow one does not block the others. All other tasks sleep until their
transfer changes or they become leader.

No wake-up is lost. Invariant: if tasks are sleeping, no task leads, and fewer than `max_polls` polls are running, then
at least one woken task has not run yet.

Proof: a task goes to sleep only while another task leads or no poll is free. So only the events in this table can break
the invariant. What follows restores it, and the task does not yield in between:

================================================  ======================================================================
Event                                             What follows without yielding
================================================  ======================================================================
The leader gets a poll                            It counts the poll as running. If another poll is free, it wakes a
                                                  sleeper to lead.
The leader is ready                               It leaves `wait`, which wakes a sleeper to lead.
The leader is cancelled, or the function raises   It leaves `wait`, which wakes a sleeper to lead.
A poll ends, and its task is ready                The task leaves `wait`, which wakes a sleeper to lead.
A poll ends, and its task is not ready            The task leads, or sleeps because another task leads.
A poll is cancelled or raises                     Its task leaves `wait`, which wakes a sleeper to lead.
A woken task runs, and is ready                   It leaves `wait`, which wakes a sleeper to lead.
A woken task runs, and is not ready               It leads, or sleeps because another task leads or no poll is free.
A sleeping or woken task is cancelled             It leaves `wait`, which wakes a sleeper to lead.
================================================  ======================================================================

The comments "no await" below mark what the proof relies on. A task that is ready does not sleep on: the code that makes
it ready calls `wake`, and `wait` checks `is_ready` before each sleep.

Limits of this design: a task that polls for others when it becomes ready returns only after that poll. If `max_polls`
polls hang, all tasks are delayed until one of these polls ends.
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
"""Function that polls one batch, for all tasks that wait for its transfers."""


class Waiter(Protocol):
    """Object that represents a waiting task, one task at a time."""

    @property
    def is_ready(self) -> bool:
        """Whether the task has something to return or to raise, so that it need not wait."""
        ...


class LeaderFollowers:
    """Scheduler of polls among the waiting tasks of one event loop.

    Args:
        poll_or_due_time: Function that returns the poll to run now, or the time at which to call it again, by the event
            loop's clock.
        max_polls: Maximum number of polls that run at once.
    """

    def __init__(self, poll_or_due_time: Callable[[], Poll | float], *, max_polls: int) -> None:
        self.loop = anyio.lowlevel.current_token()
        self._poll_or_due_time = poll_or_due_time
        self._free_polls = max_polls
        self._has_leader = False
        self._sleepers: dict[Waiter, Waker] = {}
        self._leader_waker: Waker | None = None
        self._leader_sleeps_until = -math.inf

    async def wait(self, waiter: Waiter) -> None:
        """Return when the waiter is ready; until then sleep, lead or poll."""
        try:
            while not waiter.is_ready:
                # No await from this check to the entry in `_sleepers`, or to `_has_leader = True` in `_lead`.
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
        # No await from the end of `_lead` to here.
        self._free_polls -= 1
        self._wake_next_leader()
        try:
            await poll()
        finally:
            self._free_polls += 1  # no await from here to the check, or to the `finally`, in `wait`

    async def _lead(self, waiter: Waiter) -> Poll | None:
        """Return the next poll once it is due, or None if the waiter is ready earlier."""
        self._has_leader = True
        try:
            while True:
                await anyio.lowlevel.checkpoint()  # tasks that begin to wait in this tick are included
                if waiter.is_ready:
                    return None
                poll_or_due_time = self._poll_or_due_time()
                if not isinstance(poll_or_due_time, (int, float)):
                    return poll_or_due_time
                # No await from that call to the entry of the time, or `notify_due` might not wake the leader.
                await self._sleep_as_leader(waiter, poll_or_due_time)
        finally:
            self._has_leader = False  # no await from here to `_wake_next_leader`

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
        first = next(iter(self._sleepers), None)
        if first is not None and self._loop_runs():
            self.wake(first)

    def _loop_runs(self) -> bool:
        # The garbage collector closes coroutines that outlive their loop; there is no task to wake then.
        try:
            return anyio.lowlevel.current_token() == self.loop
        except anyio.NoEventLoopError:
            return False
