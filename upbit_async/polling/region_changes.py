"""Changes of many transfers as one stream, also of several regions.

One step of the iteration, with transfers in two regions::

    __anext__ ─ task group ─┬─ up to 3 workers: wait and poll in sg ─┐
                            └─ up to 3 workers: wait and poll in th ─┴─► inbox: subscriptions that are ready
                                                                          │
                            returned: the changes of these  ◄─────────────┘

All workers are ready as soon as the inbox is not empty. Those that sleep return at once. Polls that are running then
may continue for the *poll grace*; after it they are cancelled, and the next step repeats them. So a change can be
delivered late by the poll grace, also with a single region.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, cast

import anyio
import anyio.lowlevel

from upbit_async.concurrency import open_task_group
from upbit_async.errors import UpbitError
from upbit_async.polling.progress import StateChange, TransferSnapshot
from upbit_async.polling.watcher import MAX_POLLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anyio.abc import TaskGroup

    from upbit_async.polling.poller import TransferPoller
    from upbit_async.polling.subscription import SharedPolling, Subscription
    from upbit_async.region import Region

__all__ = ["RegionChanges"]

POLL_GRACE: Final = 1.0
"""Time for which running polls may continue once there is a change to return, in seconds.

It doubles after each step that has cancelled a poll, so that even a slow poll completes eventually. After a step that
has cancelled none, it is this time again.
"""

R = TypeVar("R", bound=TransferSnapshot)


class RegionChanges(Generic[R]):
    """Async iterator over pairs of region and change.

    Nothing runs between its steps, neither a task nor a request, and watching ends with its last reference. So the
    iteration may be left at any time, with `aclose` or without. A step that is cancelled loses nothing: the next one
    continues from there.

    Args:
        pollers: The pollers of the transfers.

    Example:
        .. code-block:: python

            poller = await regions["sg"].withdraws.send(
                currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
            )
            async for region, change in regions.watch([poller]):
                print(region, change.record.uuid, change.state)
    """

    def __init__(self, pollers: Iterable[TransferPoller[R]]) -> None:
        self._pollers: dict[Subscription[R], TransferPoller[R]] = {}
        self._not_started = deque(pollers)
        self._inbox: _Inbox[R] = _Inbox()
        self._changes: deque[tuple[Region, StateChange[R]]] = deque()
        self._errors: list[UpbitError | ValueError] = []
        self._poll_grace = POLL_GRACE
        self._guard = anyio.ResourceGuard("iterating over")

    def __del__(self) -> None:
        for subscription in tuple(self._pollers):
            self._stop(subscription)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Region, StateChange[R]]:
        with self._guard:
            await anyio.lowlevel.checkpoint()
            while self._not_started:
                self._start(self._not_started.popleft())
            while self._pollers and not self._changes:
                await self._step()
            if self._changes:
                return self._changes.popleft()
        errors, self._errors = self._errors, []
        if errors:
            raise ExceptionGroup(
                "waits failed; each can be resumed with the resume_token of its error", errors
            )
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop watching; changes that were not returned yet are dropped."""
        with self._guard:
            for pending in (self._not_started, self._changes, self._errors):
                pending.clear()
            for subscription in tuple(self._pollers):
                self._stop(subscription)

    async def _step(self) -> None:
        if not self._inbox.subscriptions:
            await self._wait()
        for subscription in self._inbox.take_all():
            while subscription in self._pollers and subscription.is_ready:
                await self._receive(subscription)  # returns at once

    async def _wait(self) -> None:
        # As many tasks as may poll at once, and not one for each transfer: there may be thousands.
        counts = Counter(subscription.loop_watcher for subscription in self._pollers)
        self._inbox.workers += [
            _Worker(loop_watcher, self._inbox)
            for loop_watcher, count in counts.items()
            for _ in range(min(count, MAX_POLLS))
        ]
        try:
            async with open_task_group() as group:
                for worker in self._inbox.workers:
                    group.start_soon(worker.run, group, self._poll_grace)
            # The next step repeats a cancelled poll. With a fixed grace, a region with many changes would cancel the
            # polls of a slow one again and again.
            cancelled = group.cancel_scope.cancelled_caught
            self._poll_grace = self._poll_grace * 2 if cancelled else POLL_GRACE
        finally:
            self._inbox.workers = []

    async def _receive(self, subscription: Subscription[R]) -> None:
        """Move a subscription's next change or error to this iterator."""
        poller = self._pollers[subscription]
        try:
            # Without a deadline it is never None.
            change = cast("StateChange[R]", await poller.next_change(subscription))
        except (UpbitError, ValueError) as error:
            self._errors.append(error)
            self._stop(subscription)
            return
        self._changes.append((poller.region, change))
        if change.state.is_final:
            self._stop(subscription)

    def _start(self, poller: TransferPoller[R]) -> None:
        subscription = poller.subscribe()
        subscription.on_ready = self._inbox.put
        subscription.start()
        self._pollers[subscription] = poller
        if subscription.is_ready:
            self._inbox.put(subscription)

    def _stop(self, subscription: Subscription[R]) -> None:
        del self._pollers[subscription]
        subscription.stop()


class _Inbox(Generic[R]):
    """Subscriptions that are ready, and the workers that wait for any of them.

    It has no reference to the iterator: frames of cancelled tasks may live on, and must not keep the iterator alive.

    Attributes:
        subscriptions: The subscriptions that are ready, in order.
        workers: The workers that wait.
    """

    def __init__(self) -> None:
        self.subscriptions: dict[Subscription[R], None] = {}
        self.workers: list[_Worker[R]] = []

    def put(self, subscription: Subscription[R]) -> None:
        """Add a subscription that is ready, and wake the workers."""
        self.subscriptions[subscription] = None
        for worker in self.workers:
            worker.loop_watcher.wake(worker)

    def take_all(self) -> list[Subscription[R]]:
        """Remove and return all subscriptions."""
        subscriptions, self.subscriptions = list(self.subscriptions), {}
        return subscriptions


class _Worker(Generic[R]):
    """Waiter for all subscriptions of this iteration, which waits and polls in one loop watcher."""

    def __init__(self, loop_watcher: SharedPolling[R], inbox: _Inbox[R]) -> None:
        self.loop_watcher = loop_watcher
        self._inbox = inbox

    @property
    def is_ready(self) -> bool:
        """Whether any subscription is ready, of any loop watcher."""
        return bool(self._inbox.subscriptions)

    async def run(self, group: TaskGroup, poll_grace: float) -> None:
        """Wait until a subscription is ready, then let the polls of other workers run for a limited time."""
        await self.loop_watcher.wait(self)
        group.cancel_scope.deadline = min(group.cancel_scope.deadline, anyio.current_time() + poll_grace)
