"""Watched transfers and their subscribers."""

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

__all__ = ["Home", "Subscription", "WatchedTransfer"]

R = TypeVar("R", bound=Transfer)


class Home(Protocol[R]):
    """Where transfers are watched."""

    def join(self, subscription: Subscription[R], /) -> None:
        """Watch the transfer for it."""
        ...

    def leave(self, subscription: Subscription[R], /) -> None:
        """Forget it."""
        ...

    def serve(self, waiter: Waiter, /) -> Awaitable[None]:
        """Wait until there is something to tell the waiter, and look for everybody if nobody else does."""
        ...

    def wake(self, waiter: Waiter, /) -> None:
        """Let a waiter see for itself whether there is something to be told."""
        ...


class Subscription(Generic[R]):
    """One waiter's interest in one transfer, which is watched as long as this context lasts.

    Attributes:
        home: Where it is watched.
        uuid: The transfer's id.
        resume_token: What errors that end the wait carry.
        deadline: When the last look takes place, unless one is under way, by the loop's clock; infinity for
            never.
        record: The transfer as it was last seen, or None.
        failure: Why the last look failed, if it did.
        on_served: Is called when there is something to be told, for those who follow many.
    """

    # There may be ten thousand of them, so each byte counts.
    __slots__ = (
        "_changes",
        "_error",
        "_expired",
        "_progress",
        "deadline",
        "failure",
        "home",
        "on_served",
        "record",
        "resume_token",
        "uuid",
    )

    def __init__(
        self,
        home: Home[R],
        uuid: str,
        *,
        last: R | None,
        resume_token: str,
        deadline: float,
        at: dt.datetime,
    ) -> None:
        self.home = home
        self.uuid = uuid
        self.resume_token = resume_token
        self.deadline = deadline
        self.record: R | None = None
        self.failure: UpbitError | None = None
        self.on_served: Callable[[Subscription[R]], None] | None = None
        self._progress: Progress[R] = Progress()
        self._changes: list[StateChange[R]] = []
        self._error: UpbitError | ValueError | None = None
        self._expired = False
        if last is not None:
            self.see(last, at)

    def __enter__(self) -> Self:
        self.home.join(self)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.home.leave(self)

    async def next(self) -> StateChange[R] | None:
        """Return the next change of state, or None once the deadline's look has brought none.

        Raises:
            UpbitError: The wait is over; the error carries the resume token.
            ValueError: No request can carry the id.
        """
        await self.home.serve(self)
        if self._changes:
            return self._changes.pop(0)
        if isinstance(self._error, UpbitError):
            raise self._error.with_resume_token(self.resume_token)
        if self._error is not None:
            raise ValueError(str(self._error)) from self._error  # each waiter gets its own
        return None

    @property
    def served(self) -> bool:
        """Whether `next` has something to return or to raise."""
        return bool(self._changes) or self._error is not None or self._expired

    def see(self, record: R, at: dt.datetime) -> None:
        """Record the transfer's newest record."""
        self.record, self.failure = record, None
        change = self._progress.feed(record, at)
        if change is not None:
            self._changes.append(change)

    def looked(self, ended: float, failure: UpbitError | None) -> None:
        """Record that a poll has ended, whatever its result; one that ends past the deadline ends the wait.

        It counts even if it began before: another one might take as long again.
        """
        self.failure = failure
        self._expired = self.deadline <= ended

    def end(self, error: UpbitError | ValueError) -> None:
        """End the wait."""
        self._error = error


@attrs.define(eq=False, kw_only=True)
class WatchedTransfer(Generic[R]):
    """One transfer under watch.

    Attributes:
        uuid: Its id, as the first who asked has spelled it.
        key: Its id, as ids compare.
        started: Since when it is watched, by the loop's clock.
        quiet_since: When it last changed.
        ready: From when on it may come along with a look at others.
        due: When it is looked at in any case.
        looked_at: When the last look began.
        deadline: When the first of its subscriptions has its last look.
        under_way: Whether it is being looked at.
        alone_since: Since when it is polled alone; None if it is polled with others.
        record: The transfer as it was last seen, or as the first who asked knew it.
        progress: Its way through the states.
        subscriptions: Who waits, in the order of their coming.
    """

    uuid: str
    key: str
    started: float
    quiet_since: float
    ready: float
    due: float
    looked_at: float = -math.inf
    deadline: float = math.inf
    under_way: bool = False
    alone_since: float | None = None
    record: R | None = None
    progress: Progress[R] = attrs.field(factory=Progress[R])
    subscriptions: dict[Subscription[R], None] = attrs.field(factory=dict["Subscription[R]", None])

    def see(self, record: R, at: dt.datetime) -> StateChange[R] | None:
        """Record the transfer's newest record; return the change of its state, if it is one."""
        self.record = record
        return self.progress.feed(record, at)

    def plan(self, look: NextPoll, ended: float) -> None:
        """Set the next look after one that has `ended`, not later than the first deadline to come."""
        deadlines = (one.deadline for one in self.subscriptions if one.deadline > ended)
        self.deadline = min(deadlines, default=math.inf)
        self.ready, self.due = look.ready, look.due
        self.hasten(self.deadline)

    def hasten(self, when: float) -> None:
        """Have the next look not later than a moment."""
        self.due = min(self.due, when)
        self.ready = min(self.ready, self.due)
