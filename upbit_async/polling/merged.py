"""Changes of many transfers, also of several regions, merged into one iterator."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

import anyio
import anyio.lowlevel

from upbit_async.errors import UpbitError
from upbit_async.polling.progress import StateChange, Transfer
from upbit_async.polling.sweep import LOOKS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from anyio.abc import TaskGroup

    from upbit_async.polling.poller import PollerSubscription, TransferPoller
    from upbit_async.polling.subscription import Home, Subscription
    from upbit_async.region import Region

__all__ = ["RegionChanges", "side_by_side"]

GRACE: Final = 1.0
"""How long polls may still finish after a change is ready, in seconds.

It doubles after each step that cancelled a poll, so that a slow poll finishes in the end.
"""

R = TypeVar("R", bound=Transfer)


class RegionChanges(Generic[R]):
    """Async iterator over pairs of region and change, which `UpbitRegions.watch` returns.

    Nothing runs between its steps, neither a task nor a request, so it may be left at any time, with `aclose` or
    without. A step that is cancelled loses no change: the next step continues.
    """

    def __init__(self, pollers: Iterable[TransferPoller[R]]) -> None:
        self._open_subscriptions: dict[Subscription[R], PollerSubscription[R]] = {}
        self._pollers = deque(pollers)
        self._inbox: _Inbox[R] = _Inbox()
        self._changes: deque[tuple[Region, StateChange[R]]] = deque()
        self._errors: list[UpbitError | ValueError] = []
        self._grace = GRACE
        self._guard = anyio.ResourceGuard("iterating over")

    def __del__(self) -> None:
        for subscription in tuple(self._open_subscriptions):
            self._close(subscription)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Region, StateChange[R]]:
        with self._guard:
            await anyio.lowlevel.checkpoint()
            while self._pollers:
                self._open(self._pollers.popleft())
            while self._open_subscriptions and not self._changes:
                await self._step()
            if self._changes:
                return self._changes.popleft()
        errors, self._errors = self._errors, []
        if errors:
            raise ExceptionGroup("waits have failed, and can be resumed", errors)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop waiting, and drop the changes that were not yielded."""
        with self._guard:
            for pending in (self._pollers, self._changes, self._errors):
                pending.clear()
            for subscription in tuple(self._open_subscriptions):
                self._close(subscription)

    async def _step(self) -> None:
        if not self._inbox.ready:
            await self._wait()
        for subscription in self._inbox.take():
            while subscription in self._open_subscriptions and subscription.served:
                await self._collect(subscription)  # returns at once, because it is served

    async def _wait(self) -> None:
        # One task for each poll that may run at once, and not for each transfer: there may be thousands.
        homes = Counter(subscription.home for subscription in self._open_subscriptions)
        for home, count in homes.items():
            self._inbox.workers += [_Worker(home, self._inbox) for _ in range(min(count, LOOKS_AT_ONCE))]
        try:
            async with side_by_side() as group:
                for worker in self._inbox.workers:
                    group.start_soon(worker.wait, group, self._grace)
            # The next step repeats a poll that was cancelled. A busy region would cancel the polls of a slow region
            # again and again if the grace did not grow.
            self._grace = self._grace * 2 if group.cancel_scope.cancelled_caught else GRACE
        finally:
            self._inbox.workers = []

    async def _collect(self, subscription: Subscription[R]) -> None:
        opened = self._open_subscriptions[subscription]
        try:
            change = await opened.next()
        except (UpbitError, ValueError) as error:
            self._errors.append(error)
            self._close(subscription)
            return
        self._changes.append((opened.region, change))
        if change.state.is_final:
            self._close(subscription)

    def _open(self, poller: TransferPoller[R]) -> None:
        opened = poller.subscribe()
        subscription = opened.subscription
        subscription.on_served = self._inbox.add
        subscription.home.join(subscription)
        self._open_subscriptions[subscription] = opened
        if subscription.served:
            self._inbox.add(subscription)

    def _close(self, subscription: Subscription[R]) -> None:
        del self._open_subscriptions[subscription]
        subscription.home.leave(subscription)


class _Inbox(Generic[R]):
    """Subscriptions with a change to collect, and the workers that wait for one.

    It has no reference to the iterator: the frames of cancelled tasks may live on, and must not keep it alive.
    """

    def __init__(self) -> None:
        self.ready: dict[Subscription[R], None] = {}
        self.workers: list[_Worker[R]] = []

    def add(self, subscription: Subscription[R]) -> None:
        """Add a subscription with a change, and wake all workers."""
        self.ready[subscription] = None
        for worker in self.workers:
            worker.home.wake(worker)

    def take(self) -> list[Subscription[R]]:
        """Remove and return all subscriptions."""
        ready, self.ready = list(self.ready), {}
        return ready


class _Worker(Generic[R]):
    """One of a few tasks that wait, and poll, for all subscriptions of one home."""

    def __init__(self, home: Home[R], inbox: _Inbox[R]) -> None:
        self.home = home
        self._inbox = inbox

    @property
    def served(self) -> bool:
        """Whether any subscription has a change, of any home."""
        return bool(self._inbox.ready)

    async def wait(self, group: TaskGroup, grace: float) -> None:
        """Wait until a change is ready, then give the other workers of the group `grace` seconds to finish."""
        await self.home.serve(self)
        group.cancel_scope.deadline = min(group.cancel_scope.deadline, anyio.current_time() + grace)


@asynccontextmanager
async def side_by_side() -> AsyncGenerator[TaskGroup]:
    """Open a task group that raises a single exception without an `ExceptionGroup`."""
    single: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as failed:
        if len(failed.exceptions) != 1:
            raise
        single = failed.exceptions[0]
    if single is not None:
        raise single
