"""Transfers that a watcher polls, and the subscriptions through which tasks wait for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import attrs

from upbit_async.errors import UpbitError
from upbit_async.polling.progress import Progress, StateChange, Transfer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from upbit_async.polling.leader_followers import Waiter
    from upbit_async.polling.schedule import NextPoll

__all__ = ["Publisher", "Subscription", "WatchedTransfer"]

R = TypeVar("R", bound=Transfer)


class Publisher(Protocol[R]):
    """Part of a watcher that polls transfers in one event loop and publishes their changes to subscriptions."""

    def add(self, subscription: Subscription[R], /) -> None:
        """Watch the transfer of a subscription."""
        ...

    def remove(self, subscription: Subscription[R], /) -> None:
        """Remove a subscription, and stop watching its transfer if it has no other."""
        ...

    def wait(self, waiter: Waiter, /) -> Awaitable[None]:
        """Return when the waiter is ready; until then sleep, or poll on behalf of all."""
        ...

    def wake(self, waiter: Waiter, /) -> None:
        """Wake a waiter that sleeps, so that it checks again whether it is ready."""
        ...


class Subscription(Generic[R]):
    """Interest of one task in one transfer, which is watched as long as the context is entered.

    Attributes:
        publisher: What polls the transfer.
        id: The transfer's id.
        resume_token: The token that errors of this subscription carry.
        deadline: Time of the last poll, unless one is running then, by the event loop's clock; infinity for none.
        record: The transfer's newest record, or None.
        failure: The error of the last poll, or None if it succeeded.
        on_ready: Function that is called when the subscription becomes ready, for tasks that wait for many.
    """

    # There may be 10,000 of them, so their size matters.
    __slots__ = (
        "_changes",
        "_error",
        "_expired",
        "_progress",
        "deadline",
        "failure",
        "id",
        "on_ready",
        "publisher",
        "record",
        "resume_token",
    )

    def __init__(
        self,
        publisher: Publisher[R],
        id_: str,
        *,
        last: R | None,
        resume_token: str,
        deadline: float,
        at: dt.datetime,
    ) -> None:
        self.publisher = publisher
        self.id = id_
        self.resume_token = resume_token
        self.deadline = deadline
        self.record: R | None = None
        self.failure: UpbitError | None = None
        self.on_ready: Callable[[Subscription[R]], None] | None = None
        self._progress: Progress[R] = Progress()
        self._changes: list[StateChange[R]] = []
        self._error: UpbitError | ValueError | None = None
        self._expired = False
        if last is not None:
            self.update(last, at)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start watching the transfer, as entering the context does."""
        self.publisher.add(self)

    def stop(self) -> None:
        """Stop watching the transfer, as leaving the context does."""
        self.publisher.remove(self)

    async def next(self) -> StateChange[R] | None:
        """Return the next change of state, or None if the last poll before the deadline brought none.

        Raises:
            UpbitError: The wait has ended; the error carries the resume token.
            ValueError: No request can carry the id.
        """
        await self.publisher.wait(self)
        if self._changes:
            return self._changes.pop(0)
        if isinstance(self._error, UpbitError):
            raise self._error.with_resume_token(self.resume_token)
        if self._error is not None:
            raise ValueError(str(self._error)) from self._error  # a copy for each waiting task
        return None

    @property
    def is_ready(self) -> bool:
        """Whether `next` returns or raises at once."""
        return bool(self._changes) or self._error is not None or self._expired

    def update(self, record: R, at: dt.datetime) -> None:
        """Record the transfer's newest record."""
        self.record, self.failure = record, None
        change = self._progress.feed(record, at)
        if change is not None:
            self._changes.append(change)

    def end_poll(self, ended: float, failure: UpbitError | None) -> None:
        """Record the end of a poll. If the deadline has passed by then, it was the last one.

        It is the last one even if it began before the deadline, because another one might take as long again.
        """
        self.failure = failure
        self._expired = self.deadline <= ended

    def fail(self, error: UpbitError | ValueError) -> None:
        """End the wait with an error."""
        self._error = error


@attrs.define(eq=False, kw_only=True)
class WatchedTransfer(Generic[R]):
    """One transfer that is polled, with its subscriptions. Times are by the event loop's clock.

    Attributes:
        id: The transfer's id, as the first subscription spells it.
        key: The id in lower case, as ids are compared.
        started: Start of watching.
        quiet_since: Time of the last change, or the start of watching.
        earliest: From this time on, it may join a batch of others that are due.
        due: Time of the next poll.
        polled_at: Start of the last poll.
        deadline: Time of the first last poll among its subscriptions.
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
    polled_at: float = -math.inf
    deadline: float = math.inf
    in_flight: bool = False
    single_since: float | None = None
    record: R | None = None
    progress: Progress[R] = attrs.field(factory=Progress[R])
    subscriptions: dict[Subscription[R], None] = attrs.field(factory=dict["Subscription[R]", None])

    def update(self, record: R, at: dt.datetime) -> StateChange[R] | None:
        """Record the newest record; return the change of state, or None if there is none."""
        self.record = record
        return self.progress.feed(record, at)

    def subscribe(self, subscription: Subscription[R]) -> None:
        """Add a subscription, and poll not later than at its deadline."""
        self.subscriptions[subscription] = None
        self.deadline = min(self.deadline, subscription.deadline)
        self.poll_by(subscription.deadline)

    def schedule(self, poll: NextPoll, now: float) -> None:
        """Set the next poll, not later than at the first deadline that is still to come."""
        deadlines = (one.deadline for one in self.subscriptions if one.deadline > now)
        self.deadline = min(deadlines, default=math.inf)
        self.earliest, self.due = poll.earliest, poll.due
        self.poll_by(self.deadline)

    def poll_by(self, when: float) -> None:
        """Poll not later than at a time."""
        self.due = min(self.due, when)
        self.earliest = min(self.earliest, self.due)
