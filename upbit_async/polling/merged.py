"""Changes of many transfers as one stream, also of several regions."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, cast

import anyio
import anyio.lowlevel

from upbit_async.errors import UpbitError
from upbit_async.polling.progress import StateChange, Transfer
from upbit_async.polling.sweep import LOOKS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from anyio.abc import TaskGroup

    from upbit_async.polling.poller import TransferPoller
    from upbit_async.polling.subscription import Home, Subscription
    from upbit_async.region import Region

__all__ = ["RegionChanges", "side_by_side"]

PATIENCE: Final = 1.0
"""For how many seconds a step leaves looks alone although there is something to tell.

It is twice as long after each step that has cut one off, so that even a slow look comes to its end.
"""

R = TypeVar("R", bound=Transfer)


class RegionChanges(Generic[R]):
    """An async iterator over pairs of region and change.

    Nothing runs between its steps, neither a task nor a request, and it is forgotten with its last reference.
    So it may be left at any time, with `aclose` or without. A step that is cancelled loses nothing: the next
    goes on from there.
    """

    def __init__(self, pollers: Iterable[TransferPoller[R]]) -> None:
        self._lines: dict[Subscription[R], TransferPoller[R]] = {}
        self._pollers = deque(pollers)
        self._ear: _Inbox[R] = _Inbox()
        self._told: deque[tuple[Region, StateChange[R]]] = deque()
        self._errors: list[UpbitError | ValueError] = []
        self._patience = PATIENCE
        self._guard = anyio.ResourceGuard("iterating over")

    def __del__(self) -> None:
        for subscription in tuple(self._lines):
            self._close(subscription)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Region, StateChange[R]]:
        with self._guard:
            await anyio.lowlevel.checkpoint()
            while self._pollers:
                self._open(self._pollers.popleft())
            while self._lines and not self._told:
                await self._step()
            if self._told:
                return self._told.popleft()
        errors, self._errors = self._errors, []
        if errors:
            raise ExceptionGroup("waits have failed, and can be resumed", errors)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Wait no longer; what was seen and not told is dropped."""
        with self._guard:
            for kept in (self._pollers, self._told, self._errors):
                kept.clear()
            for subscription in tuple(self._lines):
                self._close(subscription)

    async def _step(self) -> None:
        if not self._ear.heard:
            await self._listen()
        for subscription in self._ear.take():
            while subscription in self._lines and subscription.served:
                await self._note(subscription)  # that returns at once

    async def _listen(self) -> None:
        # As many tasks as may look at once, and not one for each transfer: there may be thousands.
        homes = Counter(subscription.home for subscription in self._lines)
        for home, lines in homes.items():
            self._ear.hands += [_Worker(home, self._ear) for _ in range(min(lines, LOOKS_AT_ONCE))]
        try:
            async with side_by_side() as group:
                for hand in self._ear.hands:
                    group.start_soon(hand.wait, group, self._patience)
            # What was cut off is looked at again by the next step. Without patience a busy region would cut
            # off a slow one again and again.
            self._patience = self._patience * 2 if group.cancel_scope.cancelled_caught else PATIENCE
        finally:
            self._ear.hands = []

    async def _note(self, subscription: Subscription[R]) -> None:
        poller = self._lines[subscription]
        try:
            change = cast("StateChange[R]", await subscription.next())  # no deadline, and so no None
        except (UpbitError, ValueError) as error:
            if isinstance(error, UpbitError):
                poller._mark(error, subscription.record)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            self._errors.append(error)
            self._close(subscription)
            return
        poller._note(subscription.record)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._told.append((poller.region, change))
        if change.state.is_final:
            self._close(subscription)

    def _open(self, poller: TransferPoller[R]) -> None:
        subscription = poller._watch()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        subscription.on_served = self._ear.hear
        subscription.home.join(subscription)
        self._lines[subscription] = poller
        if subscription.served:
            self._ear.hear(subscription)

    def _close(self, subscription: Subscription[R]) -> None:
        del self._lines[subscription]
        subscription.home.leave(subscription)


class _Inbox(Generic[R]):
    """What is served of many subscriptions, and who waits for any of them.

    It does not know the iterator that listens: the frames of cancelled tasks may linger, and must not keep the
    iterator alive.
    """

    def __init__(self) -> None:
        self.heard: dict[Subscription[R], None] = {}
        self.hands: list[_Worker[R]] = []

    def hear(self, subscription: Subscription[R]) -> None:
        """Record that there is a change to report."""
        self.heard[subscription] = None
        for hand in self.hands:
            hand.home.wake(hand)

    def take(self) -> list[Subscription[R]]:
        """Return what was heard, and forget it."""
        heard, self.heard = list(self.heard), {}
        return heard


class _Worker(Generic[R]):
    """One of a few that wait, and look, for all subscriptions of one home."""

    def __init__(self, home: Home[R], ear: _Inbox[R]) -> None:
        self.home = home
        self._ear = ear

    @property
    def served(self) -> bool:
        """Whether any subscription is, of whichever home."""
        return bool(self._ear.heard)

    async def wait(self, group: TaskGroup, patience: float) -> None:
        """Wait until something is heard, and then let the others of the group look for a while longer."""
        await self.home.serve(self)
        group.cancel_scope.deadline = min(group.cancel_scope.deadline, anyio.current_time() + patience)


@asynccontextmanager
async def side_by_side() -> AsyncGenerator[TaskGroup]:
    """Open a task group that raises a lone exception as it is."""
    lone: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as failed:
        if len(failed.exceptions) != 1:
            raise
        lone = failed.exceptions[0]
    if lone is not None:
        raise lone
