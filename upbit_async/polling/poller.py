"""Base of the pollers for withdrawals and deposits."""

from __future__ import annotations

import abc
import datetime as dt
import math
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

import anyio

from upbit_async.errors import PollTimeout, UpbitError
from upbit_async.escaping import escaped
from upbit_async.polling.ids import check_id
from upbit_async.polling.progress import StateChange, Transfer
from upbit_async.polling.resume import NAMESPACES, IdName, write_token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from upbit_async.polling.subscription import Subscription
    from upbit_async.polling.watcher import Watcher
    from upbit_async.region import Region

__all__ = ["PollerSubscription", "TransferPoller"]

R = TypeVar("R", bound=Transfer)


def _checked_timeout(timeout: float | None) -> float:
    if timeout is None:
        return math.inf
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"timeout is a number of seconds or None, not {type(timeout).__name__}")
    if math.isnan(timeout) or timeout < 0:
        raise ValueError(f"timeout must not be negative, nor NaN: {timeout}")
    return timeout


class PollerSubscription(Generic[R]):
    """Subscription of a poller that `RegionChanges` serves together with others.

    Args:
        subscription: The subscription.
        region: The region of the poller.
        note: Stores the latest record in the poller.
        mark: Adds the poller's resume token to an error that ends the wait.
    """

    def __init__(
        self,
        subscription: Subscription[R],
        *,
        region: Region,
        note: Callable[[R | None], None],
        mark: Callable[[UpbitError, R | None], None],
    ) -> None:
        self.subscription = subscription
        self.region = region
        self._note = note
        self._mark = mark

    async def next(self) -> StateChange[R]:
        """Return the next change, and store its record in the poller."""
        try:
            change = await self.subscription.next()
        except UpbitError as error:
            self._mark(error, self.subscription.record)
            raise
        self._note(self.subscription.record)
        return cast("StateChange[R]", change)  # None would mean that a deadline has passed, and there is none


class TransferPoller(abc.ABC, Generic[R]):
    """A handle for one transfer. Making one costs nothing: no task, no request.

    It may be waited with many times and from many tasks at once; all waits of a client share their requests.
    Two pollers are equal if they stand for the same transfer of the same host.

    Args:
        id_: The transfer's uuid, or what else it is told by.
        by: What that is.
        watcher: Looks at the transfer.
        region: The client's region.
        host: The host that knows the transfer.
        last: The transfer as it is known already.

    Raises:
        TypeError: The id is not text.
        ValueError: The id is empty, no Unicode text or longer than 256 characters, or `last` is another
            transfer.
    """

    __slots__ = ("_by", "_host", "_id", "_last", "_region", "_watcher")

    _kind: ClassVar[str]

    def __init__(
        self,
        id_: str,
        *,
        by: IdName = "uuid",
        watcher: Watcher[R],
        region: Region,
        host: str,
        last: R | None = None,
    ) -> None:
        if not isinstance(id_, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a {by} is text, not {type(id_).__name__}")
        if not id_:
            raise ValueError(f"a {self._kind} without a {by}")
        if last is None:
            # One that Upbit has told is taken as it is: a handle for money that has moved must not fail.
            check_id(by, id_)
        elif last.uuid.casefold() != id_.casefold():
            raise ValueError(escaped(f"{self._kind} {last.uuid} is not {id_}"))
        self._id = id_
        self._by: IdName = by
        self._watcher = watcher
        self._region = region
        self._host = host
        self._last = last

    @property
    def region(self) -> Region:
        """The region whose client waits."""
        return self._region

    @property
    def host(self) -> str:
        """The host that knows the transfer."""
        return self._host

    @property
    def last(self) -> R | None:
        """The transfer as this poller has last seen it, or None."""
        return self._last

    @property
    def resume_token(self) -> str:
        """What `resume` takes to go on waiting elsewhere: short text without a secret."""
        return write_token(kind=self._kind, region=self._region, host=self._host, by=self._by, id=self._id)

    def __eq__(self, other: object) -> bool:
        """Compare by host, kind of transfer, and id in any case."""
        if not isinstance(other, TransferPoller):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._identity)

    def __repr__(self) -> str:
        """Show the id, the host and the last state."""
        state = "never seen" if self._last is None else self._last.state.value
        return escaped(f"<{type(self).__name__} {self._id} at {self._host}: {state}>")

    async def changes(self) -> AsyncGenerator[StateChange[R], None]:
        """Yield each change of state, and end after the final one.

        What is known already comes first and costs no request. States that passed between two looks show as
        ``skipped``; a failed look is an event for the observer and does not end the iteration, unless every later
        one would fail too.

        Yields:
            The changes, in the order in which they were seen.

        Raises:
            NotFound: Upbit does not know the id, though ``poll.grace`` seconds have passed.
            AuthenticationError: The key was refused by name. This and the next three end every wait of the client.
            PermissionDenied: The key may not read transfers.
            Banned: Upbit has blocked the key for a while.
            ConfigurationError: There is no key.
            ValidationError: Upbit has refused the id by name, in a request for it alone.
        """
        if self._last is not None and self._last.state.is_final:
            state, at = self._last.state, dt.datetime.now(dt.UTC)
            yield StateChange(previous=None, state=state, record=self._last, skipped=False, at=at)
            return
        with self._watch() as subscription:
            try:
                while change := await subscription.next():
                    self._note(subscription.record)
                    yield change
                    if change.state.is_final:
                        return
            except UpbitError as error:
                self._mark(error, subscription.record)
                raise

    async def wait(self, *, timeout: float | None = None) -> R:  # noqa: ASYNC109 - it ends with one last look
        """Return the transfer once its state is final, whichever that is.

        Args:
            timeout: For how many seconds to look. The look that is under way then is the last; if there is
                none, a last one is taken exactly then. So the wait may go on for as long as a call may take;
                where others keep the client busy (a look at other transfers, the halving of a batch that is
                refused), for the time of their calls as well. 0 means one look. A deadline of anyio's around
                this call cancels at once.

        Raises:
            PollTimeout: The time is over, and the transfer goes on. It carries `record` and `resume_token`.
            TypeError: The timeout is not a number.
            ValueError: The timeout is negative or NaN.
            UpbitError: As for `changes`.
        """
        seconds = _checked_timeout(timeout)
        if self._last is not None and self._last.state.is_final:
            return self._last
        with self._watch(anyio.current_time() + seconds) as subscription:
            try:
                while change := await subscription.next():
                    if change.state.is_final:
                        return change.record
                    del change  # or each of ten thousand waits would keep a record beside the latest
            except UpbitError as error:
                self._mark(error, subscription.record)
                raise
            finally:
                self._note(subscription.record)
            raise self._timed_out(seconds) from subscription.failure

    @abc.abstractmethod
    async def result(self, *, timeout: float | None = None) -> R:  # noqa: ASYNC109 - as `wait`
        """Return the transfer if it ended well."""

    @property
    def _identity(self) -> tuple[object, ...]:
        return self._host, self._kind, self._by, self._id.casefold()

    def subscribe(self) -> PollerSubscription[R]:
        """Return a subscription for a caller that combines many pollers.

        :meta private:
        """
        return PollerSubscription(self._watch(), region=self._region, note=self._note, mark=self._mark)

    def _watch(self, deadline: float = math.inf) -> Subscription[R]:
        return self._watcher.subscribe(
            self._id, last=self._last, resume_token=self.resume_token, deadline=deadline
        )

    def _note(self, record: R | None) -> None:
        if record is not None and not (self._last is not None and self._last.state.is_final):
            self._last = record

    def _mark(self, error: UpbitError, record: R | None) -> None:
        """Let an error that ends a wait carry what is known by now, which may be more than when it began."""
        self._note(record)
        error.resume_token = self.resume_token

    def _timed_out(self, seconds: float) -> PollTimeout:
        state = "was not seen" if self._last is None else f"is {self._last.state.value}"
        text = f"{self._kind} {self._id} {state} after {seconds:g} s. {self._advice()}"
        error = PollTimeout(text, record=self._last)
        error.resume_token = self.resume_token
        return error

    def _advice(self) -> str:
        """Say what to do when the time is over."""
        home = f"client.{NAMESPACES[self._kind]}"
        return f"It goes on all the same: hand this error's resume_token to {home}.resume to wait again"
