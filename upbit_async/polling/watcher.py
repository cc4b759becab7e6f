"""Watcher: polls many transfers with few requests, while tasks wait for them.

A `Watcher` outlives event loops; its `LoopWatcher` has the state of one loop. One wait for a transfer:

1. `Watcher.subscribe` returns a `Subscription`.
2. Entering it calls `LoopWatcher.add`: the transfer joins the `PollQueue`.
3. `Subscription.next` calls `LoopWatcher.wait`: the task sleeps, or polls on behalf of all, until there is a change.
4. Leaving it calls `LoopWatcher.remove`: a transfer without subscriptions is not polled any more.

The parts of a `LoopWatcher`: `LeaderFollowers` decides which of the waiting tasks polls, `PollQueue` decides what is
polled next, and `BatchPolls` makes the requests and publishes the results.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import operator
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import anyio
import anyio.lowlevel
import attrs

from upbit_async.events import Event
from upbit_async.policy import PollSchedule
from upbit_async.polling.batch_polls import BatchPolls, PollResults
from upbit_async.polling.leader_followers import LeaderFollowers, Poll, Waiter
from upbit_async.polling.poll_queue import PollQueue
from upbit_async.polling.progress import TransferSnapshot
from upbit_async.polling.subscription import Subscription, WatchedTransfer
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

__all__ = ["MAX_POLLS", "LoopWatcher", "Watcher"]

MAX_POLLS: Final = 3
"""Maximum number of polls of one watcher that run at once in one event loop.

With several, the rate limit and not the round trip determines how long a sweep takes. With few, other calls of the
client wait behind few polls.
"""

R = TypeVar("R", bound=TransferSnapshot)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _ignore(_event: Event) -> None:
    """Ignore an event."""


@attrs.define(eq=False)
class Watcher(Generic[R]):
    """Poller of many transfers, which the waits of one client share.

    A client has three: for withdrawals, for deposits by uuid, and for deposits by transaction. A watcher
    has no task and needs no closing: the tasks that wait also poll for all others, and a transfer without a waiting
    task is not polled. It may be created outside an event loop, and used in one loop after another.

    Attributes:
        fetch: Function that returns the records for up to 100 ids, as ``GET /v1/withdraws?uuids[]=…`` does. It is never
            called without ids, and repeats temporary failures itself. If it returns `ReadableRows`, an unreadable row
            affects no other. If it raises ValueError, only the wait for the id that causes it ends.
        schedule: How often a transfer is polled.
        kind: ``withdrawal`` or ``deposit``.
        host: The host that is polled, for the events.
        emit: Function that receives `StateChanged` and `PollFailed`; it must not raise. Default: none.
        rand: Function that returns random numbers from 0 (included) to 1 (excluded), for the jitter.
        utc_now: Function that returns the time of day.
        id_of: Function that returns the id by which a record was requested. Default: its uuid.
    """

    fetch: Callable[[Sequence[str]], Awaitable[Sequence[R] | ReadableRows[R]]]
    schedule: PollSchedule
    kind: str = attrs.field(kw_only=True)
    host: str = attrs.field(kw_only=True)
    emit: Callable[[Event], None] = attrs.field(default=_ignore, kw_only=True)
    rand: Callable[[], float] = attrs.field(default=random.random, kw_only=True)
    utc_now: Callable[[], dt.datetime] = attrs.field(default=_utc_now, kw_only=True)
    id_of: Callable[[R], str] = attrs.field(default=operator.attrgetter("uuid"), kw_only=True)
    _loop_watcher: LoopWatcher[R] | None = attrs.field(default=None, init=False)

    @property
    def watched(self) -> int:
        """Number of transfers that are watched now."""
        return 0 if self._loop_watcher is None else len(self._loop_watcher.queue)

    def subscribe(
        self, id_: str, *, resume_token: str, last: R | None = None, deadline: float = math.inf
    ) -> Subscription[R]:
        """Return a subscription to a transfer: a context in which it is watched. Entering and leaving it does no I/O.

        Args:
            id_: The transfer's id.
            resume_token: The token that errors of the subscription carry.
            last: The record that is already known; it is the first change. With it, the first poll takes place after
                ``schedule.first`` seconds, since the transfer was probably created just now. Without it, at once.
            deadline: Deadline, by ``anyio.current_time``. A poll that is running then is the last; otherwise a last one
                starts then. Default: none.
        """
        at = self.utc_now()
        return Subscription(
            self._current_loop_watcher(), id_, last=last, resume_token=resume_token, deadline=deadline, at=at
        )

    def offer(self, records: Iterable[R], *, began: float) -> None:
        """Use records that another request has returned, as if they had been polled. This spares polls.

        Args:
            records: The records; those of transfers that are not watched are ignored.
            began: Start of that request, by ``anyio.current_time``.
        """
        if self.watched:
            self._current_loop_watcher().offer(records, began)

    def _current_loop_watcher(self) -> LoopWatcher[R]:
        # The state of a loop that was closed early, such as a leader that never ended, must not block the next loop.
        if self._loop_watcher is None or self._loop_watcher.loop != anyio.lowlevel.current_token():
            self._loop_watcher = LoopWatcher(self)
        return self._loop_watcher


class LoopWatcher(Generic[R]):
    """Part of a watcher that belongs to one event loop: its queue, its waiting tasks and its polls.

    Args:
        watcher: The watcher.

    Attributes:
        queue: The transfers that are watched.
    """

    def __init__(self, watcher: Watcher[R]) -> None:
        self.queue: PollQueue[R] = PollQueue(watcher.schedule, watcher.rand)
        self._first_wait = watcher.schedule.first
        self._utc_now = watcher.utc_now
        self._leader_followers = LeaderFollowers(self._poll_or_due_time, max_polls=MAX_POLLS)
        self._id_of = watcher.id_of
        self._results = PollResults(
            kind=watcher.kind,
            host=watcher.host,
            grace=watcher.schedule.grace,
            queue=self.queue,
            emit=watcher.emit,
            wake=self._leader_followers.wake,
        )
        self._polls = BatchPolls(
            fetch=watcher.fetch,
            id_of=watcher.id_of,
            queue=self.queue,
            results=self._results,
            utc_now=watcher.utc_now,
        )

    @property
    def loop(self) -> object:
        """The event loop."""
        return self._leader_followers.loop

    def add(self, subscription: Subscription[R]) -> None:
        """Watch the transfer of a subscription."""
        transfer = self.queue.get(subscription.id)
        if transfer is None:
            transfer = self._watch(subscription)
        else:
            self._share_record(transfer, subscription)
            # Another waiter pulls the next poll forward, but not within `first` of the start of the last one.
            transfer.poll_by(max(anyio.current_time(), transfer.last_poll_began + self._first_wait))
        transfer.subscribe(subscription)
        self._leader_followers.notify_due(transfer.due)

    def remove(self, subscription: Subscription[R]) -> None:
        """Remove a subscription, and stop watching its transfer if it has no other."""
        transfer = self.queue.get(subscription.id)
        if transfer is not None:
            transfer.subscriptions.pop(subscription, None)
            if not transfer.subscriptions:
                self.queue.remove(transfer)

    def wait(self, waiter: Waiter) -> Coroutine[None, None, None]:
        """Return when the waiter is ready; until then sleep, or poll on behalf of all."""
        return self._leader_followers.wait(waiter)

    def wake(self, waiter: Waiter) -> None:
        """Wake a waiter that sleeps, so that it checks again whether it is ready."""
        self._leader_followers.wake(waiter)

    def offer(self, records: Iterable[R], began: float) -> None:
        """Use records as if they had been polled, unless a later request may know better."""
        at = self._utc_now()
        for record in records:
            transfer = self.queue.get(self._id_of(record))
            if (
                transfer is None
                or transfer.in_flight
                or began <= max(transfer.started, transfer.last_poll_began)
            ):
                continue
            self._results.publish_record(transfer, record, began, at)

    def _watch(self, subscription: Subscription[R]) -> WatchedTransfer[R]:
        now = anyio.current_time()
        transfer: WatchedTransfer[R] = WatchedTransfer(
            id=subscription.id,
            key=subscription.id.casefold(),
            started=now,
            quiet_since=now,
            earliest=now,
            due=now,
        )
        if subscription.record is not None:
            self.queue.plan_next_poll(transfer, now)  # as after a poll: the record is fresh
            transfer.update(subscription.record, self._utc_now())
        self.queue.add(transfer)
        return transfer

    def _share_record(self, transfer: WatchedTransfer[R], subscription: Subscription[R]) -> None:
        """Let a transfer and a subscription know the record that only one of them has."""
        if subscription.record is None and transfer.record is not None:
            subscription.update(transfer.record, self._utc_now())
        elif subscription.record is not None and transfer.record is None:
            transfer.update(subscription.record, self._utc_now())

    def _poll_or_due_time(self) -> Poll | float:
        """Return the poll to run now, or when the next one is due."""
        # Between this choice and the marks in `_poll_batch` no task yields, so no other leader can choose the same
        # transfers.
        batch = self.queue.next_batch(anyio.current_time())
        return functools.partial(self._poll_batch, batch) if batch else self.queue.next_due_time()

    async def _poll_batch(self, batch: Sequence[WatchedTransfer[R]]) -> None:
        for transfer in batch:
            transfer.in_flight = True
        try:
            await self._polls.poll(batch)
        finally:
            for transfer in batch:
                transfer.in_flight = False
            self._leader_followers.notify_due(self.queue.next_due_time_after(batch))
