"""Transfers that a watcher polls, and the subscriptions through which tasks wait for them.

Each transfer is polled once for all of its subscriptions::

    task 1 ── Subscription ──┐
    task 2 ── Subscription ──┼── WatchedTransfer ── polled by LoopWatcher
    task 3 ── Subscription ──┘

A `WatchedTransfer` has what all of them share: the newest record and the time of the next poll. A `Subscription` has
what differs: the changes that its task has not taken yet, the deadline, and the resume token.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import attrs

from upbit_async.errors import UpbitError
from upbit_async.polling.progress import Progress, StateChange, TransferSnapshot

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Coroutine

    from upbit_async.polling.leader_followers import Waiter
    from upbit_async.polling.schedule import PollTime

__all__ = ["SharedPolling", "Subscription", "WatchedTransfer"]

R = TypeVar("R", bound=TransferSnapshot)


class SharedPolling(Protocol[R]):
    """What a subscription uses of the `LoopWatcher` that polls its transfer."""

    def add(self, subscription: Subscription[R]) -> None:
        """Watch the transfer of a subscription."""
        ...

    def remove(self, subscription: Subscription[R]) -> None:
        """Remove a subscription, and stop watching its transfer if it has no other."""
        ...

    def wait(self, waiter: Waiter) -> Coroutine[None, None, None]:
        """Return when the waiter is ready; until then sleep, or poll on behalf of all."""
        ...

    def wake(self, waiter: Waiter) -> None:
        """Wake a waiter that sleeps, so that it checks again whether it is ready."""
        ...


class Subscription(Generic[R]):
    """Subscription of one task to one transfer: the transfer is watched while the context is entered.

    It is also the task's `Waiter`: the polls make it ready, and `next` returns then.

    Attributes:
        loop_watcher: Object that polls the transfer.
        id: The transfer's id.
        resume_token: The token that errors of this subscription carry.
        deadline: Deadline, by the event loop's clock; infinity for none. A poll that is running then is the last;
            otherwise a last one starts then.
        record: The transfer's newest record, or None.
        was_polled: Whether a record was received since the start of the subscription.
        last_error: The error of the last poll, which did not end the wait; None if the poll succeeded.
        on_ready: Function that is called when the subscription becomes ready, for tasks that wait for many.
    """

    # There may be 10,000 of them, so their size matters.
    __slots__ = (
        "_changes",
        "_expired",
        "_final_error",
        "_progress",
        "deadline",
        "id",
        "last_error",
        "loop_watcher",
        "on_ready",
        "record",
        "resume_token",
        "was_polled",
    )

    def __init__(
        self,
        loop_watcher: SharedPolling[R],
        id_: str,
        *,
        last: R | None,
        resume_token: str,
        deadline: float,
        at: dt.datetime,
    ) -> None:
        self.loop_watcher = loop_watcher
        self.id = id_
        self.resume_token = resume_token
        self.deadline = deadline
        self.record: R | None = None
        self.last_error: UpbitError | None = None
        self.on_ready: Callable[[Subscription[R]], None] | None = None
        self._progress: Progress[R] = Progress()
        self._changes: list[StateChange[R]] = []
        self._final_error: UpbitError | ValueError | None = None
        self._expired = False
        self.was_polled = False
        if last is not None:
            self.update(last, at)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start watching the transfer, as entering the context does."""
        self.loop_watcher.add(self)

    def stop(self) -> None:
        """Stop watching the transfer, as leaving the context does."""
        self.loop_watcher.remove(self)

    async def next(self) -> StateChange[R] | None:
        """Return the next change of state, or None if the last poll before the deadline brought none.

        Raises:
            UpbitError: The wait has ended; the error carries the resume token.
            ValueError: No request can carry the id.
        """
        await self.loop_watcher.wait(self)
        if self._changes:
            return self._changes.pop(0)
        if isinstance(self._final_error, UpbitError):
            raise self._final_error.with_resume_token(self.resume_token)
        if self._final_error is not None:
            raise ValueError(str(self._final_error)) from self._final_error  # a copy for each waiting task
        return None

    @property
    def is_ready(self) -> bool:
        """Whether `next` returns or raises at once."""
        return bool(self._changes) or self._final_error is not None or self._expired

    def update(self, record: R, at: dt.datetime) -> None:
        """Store the transfer's newest record, and its change of state if there is one."""
        self.record, self.last_error = record, None
        change = self._progress.feed(record, at)
        if change is not None:
            self._changes.append(change)

    def end_poll(self, ended: float, error: UpbitError | None) -> None:
        """Store the error of a poll that has ended, and expire if the deadline has passed: the poll was the last one.

        It is the last one even if it began before the deadline, because another one might take as long again.
        """
        self.last_error = error
        self._expired = self.deadline <= ended

    def fail(self, error: UpbitError | ValueError) -> None:
        """End the wait with an error."""
        self._final_error = error


@attrs.define(eq=False, kw_only=True)
class WatchedTransfer(Generic[R]):
    """Transfer that is polled, with its subscriptions. Times are by the event loop's clock.

    Attributes:
        id: The transfer's id, as the first subscription spells it.
        key: The id in lower case, as ids are compared.
        started: Start of watching.
        quiet_since: Time of the last change, or the start of watching.
        earliest: From this time on, it may join a batch of others that are due.
        due: Time of the next poll.
        last_poll_began: Start of the last poll.
        last_poll_ended: End of the last poll.
        deadline: Earliest deadline of its subscriptions, without those whose last poll has ended.
        in_flight: Whether a poll of it is running.
        single_since: Since when it is polled alone; None if it is polled with others.
        record: The newest record; before the first poll, the one that a subscription began with.
        progress: Its progress through the states.
        subscriptions: Its subscriptions, in the order of their start.
    """

    id: str
    key: str
    started: float
    quiet_since: float
    earliest: float
    due: float
    last_poll_began: float = -math.inf
    last_poll_ended: float = -math.inf
    deadline: float = math.inf
    in_flight: bool = False
    single_since: float | None = None
    record: R | None = None
    progress: Progress[R] = attrs.field(factory=Progress[R])
    subscriptions: dict[Subscription[R], None] = attrs.field(factory=dict["Subscription[R]", None])

    def update(self, record: R, at: dt.datetime) -> StateChange[R] | None:
        """Store the newest record; return the change of state, or None if there is none."""
        self.record = record
        return self.progress.feed(record, at)

    def subscribe(self, subscription: Subscription[R]) -> None:
        """Add a subscription, and poll not later than at its deadline."""
        self.subscriptions[subscription] = None
        self.deadline = min(self.deadline, subscription.deadline)
        self.poll_by(subscription.deadline)

    def plan_next_poll(self, time: PollTime, now: float) -> None:
        """Set the time of the next poll, which is not later than the earliest deadline that is still to come."""
        deadlines = (one.deadline for one in self.subscriptions if one.deadline > now)
        self.deadline = min(deadlines, default=math.inf)
        self.earliest, self.due = time.earliest, time.due
        self.poll_by(self.deadline)

    def poll_by(self, when: float) -> None:
        """Poll not later than at a time."""
        self.due = min(self.due, when)
        self.earliest = min(self.earliest, self.due)
