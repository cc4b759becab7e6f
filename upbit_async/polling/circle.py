"""Many wait, and one of them works for all.

There is no background task: whoever waits first leads, and whoever comes later sleeps until it is told
something. A leader that leaves, in whatever way, wakes a sleeper to lead on.

Why no wake-up is lost. *If there are sleepers and nobody leads, some waiter has been woken that has not run
yet.* The leader's place falls vacant only in `_lead`, and its holder then goes through the end of `wait`
without yielding, where it wakes a sleeper. Whoever was woken, for whichever reason, either takes the place or
goes through the end of `wait` as well. And whoever finds the place vacant takes it without yielding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Circle", "Waiter"]


class Waiter(Protocol):
    """Someone who waits, once at a time."""

    @property
    def served(self) -> bool:
        """Whether there is something to tell."""
        ...


class Circle:
    """The waiters of one event loop."""

    def __init__(self) -> None:
        self.loop = anyio.lowlevel.current_token()
        self._led = False
        self._sleepers: dict[Waiter, anyio.Event] = {}
        self._alarm = anyio.Event()
        self._alarm_at = -math.inf

    async def wait(self, waiter: Waiter, turn: Callable[[], Awaitable[None]]) -> None:
        """Return when the waiter is served; until then sleep, or do turns of the work for everyone."""
        try:
            while not waiter.served:
                if self._led:
                    await self._sleep(waiter)
                else:
                    await self._lead(waiter, turn)
        finally:
            if not self._led:
                self._wake_one()

    def tell(self, waiter: Waiter) -> None:
        """Wake the waiter, if it sleeps."""
        event = self._sleepers.pop(waiter, None)
        if event is not None:
            event.set()

    async def pause_until(self, when: float) -> None:
        """Let the leader rest until a moment of the loop's clock, or until it is roused."""
        self._alarm, self._alarm_at = anyio.Event(), when
        try:
            with anyio.CancelScope(deadline=when):
                await self._alarm.wait()
        finally:
            self._alarm_at = -math.inf

    def rouse(self, when: float) -> None:
        """End the leader's rest, if it would last beyond a moment."""
        if when < self._alarm_at:
            self._alarm.set()

    async def _lead(self, waiter: Waiter, turn: Callable[[], Awaitable[None]]) -> None:
        self._led = True
        try:
            while not waiter.served:
                await turn()
        finally:
            self._led = False

    async def _sleep(self, waiter: Waiter) -> None:
        event = self._sleepers[waiter] = anyio.Event()
        try:
            await event.wait()
        finally:
            self._sleepers.pop(waiter, None)

    def _wake_one(self) -> None:
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
