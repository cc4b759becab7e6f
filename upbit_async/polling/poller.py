"""Poller: a caller's handle for waiting for one transfer; base of those for withdrawals and deposits."""

from __future__ import annotations

import abc
import datetime as dt
import math
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import anyio

from upbit_async.errors import PollTimeout, UpbitError
from upbit_async.escaping import escaped
from upbit_async.polling.progress import StateChange, TransferSnapshot
from upbit_async.polling.resume import NAMESPACES, IdName, check_id, write_token
from upbit_async.validation import timeout as checked_timeout

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.polling.subscription import Subscription
    from upbit_async.polling.watcher import Watcher
    from upbit_async.region import Region

__all__ = ["TransferPoller"]

R = TypeVar("R", bound=TransferSnapshot)


class TransferPoller(abc.ABC, Generic[R]):
    """Handle for waiting for one transfer. The waiting tasks poll, through the watcher.

    Creating one starts no task and sends no request. It can be used for several waits, also by several tasks at once;
    all waits with one watcher share their requests. Two pollers are equal if host, kind of transfer, kind of id, and id
    are equal.

    Args:
        id_: The transfer's id.
        by: Kind of the id.
        watcher: The watcher that polls the transfer.
        region: The client's region.
        host: The host that holds the transfer.
        last: The transfer's record, if it is already known; only with ``by="uuid"``.

    Raises:
        TypeError: The id is not text.
        ValueError: The id is empty, not Unicode text or longer than 256 characters, or `last` is another transfer.
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
            raise TypeError(f"{by} must be text, got {type(id_).__name__}")
        if not id_:
            raise ValueError(f"{by} of a {self._kind} must not be empty")
        if last is None:
            # With `last`, the id is from Upbit itself and is not checked: creating the poller for money that has moved
            # must not fail.
            check_id(by, id_)
        elif last.uuid.casefold() != id_.casefold():
            raise ValueError(escaped(f"last must be {self._kind} {id_}, got {last.uuid}"))
        self._id = id_
        self._by: IdName = by
        self._watcher = watcher
        self._region = region
        self._host = host
        self._last = last

    @property
    def region(self) -> Region:
        """The client's region."""
        return self._region

    @property
    def host(self) -> str:
        """The host that holds the transfer."""
        return self._host

    @property
    def last(self) -> R | None:
        """The last record that this poller has received; None before the first."""
        return self._last

    @property
    def resume_token(self) -> str:
        """Token with which `resume` continues the wait, also in another process: short text without a secret."""
        return write_token(kind=self._kind, region=self._region, host=self._host, by=self._by, id=self._id)

    def __eq__(self, other: object) -> bool:
        """Compare host, kind of transfer, kind of id, and id, ignoring upper and lower case of the id."""
        if not isinstance(other, TransferPoller):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash(self._identity)

    def __repr__(self) -> str:
        """Show the id, the host and the last state."""
        state = "not seen yet" if self._last is None else self._last.state.value
        return escaped(f"<{type(self).__name__} {self._id} at {self._host}: {state}>")

    async def changes(self) -> AsyncGenerator[StateChange[R], None]:
        """Yield each change of state, up to the final one.

        The state that is already known comes first, without a request. If a state between two polls was missed, the
        next change is marked ``skipped``. A failed poll is reported to the observer. Only the errors
        below end the iteration.

        Yields:
            The changes, in the order in which they were seen.

        Raises:
            NotFound: Upbit still does not know the id after ``poll.grace`` seconds.
            AuthenticationError: Upbit refused the key with one of its error names (a proxy has none). This and the
                next three end all waits that share a poll: those for a client's withdrawals, or for its deposits.
            PermissionDenied: The key may not read transfers.
            Banned: Upbit has blocked the key temporarily.
            ConfigurationError: The client has no key.
            ValidationError: Upbit refused the id with one of its error names, in a request for it alone.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
                )
                async for change in poller.changes():
                    print(f"{change.previous} -> {change.state}")
        """
        if self._last is not None and self._last.state.is_final:
            state, at = self._last.state, dt.datetime.now(dt.UTC)
            yield StateChange(previous=None, state=state, record=self._last, skipped=False, at=at)
            return
        with self.subscribe() as subscription:
            while change := await self.next_change(subscription):
                yield change
                if change.state.is_final:
                    return

    async def wait(self, *, timeout: float | None = None) -> R:  # noqa: ASYNC109 - it ends with one last poll
        """Wait until the state is final, and return the final record, also if the transfer failed.

        Args:
            timeout: Timeout, in seconds; None for no limit, 0 for a single poll. A poll that is running at the timeout
                is the last one; if none is running, a last one starts at the timeout. So the wait may exceed the
                timeout by the time that a call may take, and by the time of polls for other transfers that this task
                has started. To cancel at once, use a deadline of anyio around this call instead.

        Raises:
            PollTimeout: The timeout has passed, and the transfer is not final. `record` is its last record, and
                `resume_token` continues the wait.
            TypeError: The timeout is not a number.
            ValueError: The timeout is negative or NaN.
            UpbitError: As for `changes`.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
                )
                try:
                    record = await poller.wait(timeout=600)
                except errors.PollTimeout as error:
                    token = error.resume_token  # store it, to wait again later
        """
        seconds = checked_timeout("timeout", timeout)
        if self._last is not None and self._last.state.is_final:
            return self._last
        with self.subscribe(anyio.current_time() + seconds) as subscription:
            try:
                # Not `next_change`: it stores each change's record in `last`, and later polls replace only
                # `subscription.record`. So each wait would hold two records, and there may be 10,000 waits.
                while change := await subscription.next():
                    if change.state.is_final:
                        return change.record
                    del change
            except UpbitError as error:
                self._mark(error, subscription)
                raise
            finally:
                self._keep(subscription.record)
            raise self._timed_out(seconds) from subscription.last_error

    @abc.abstractmethod
    async def result(self, *, timeout: float | None = None) -> R:  # noqa: ASYNC109 - as `wait`
        """Wait until the state is final, and return the record if the transfer succeeded.

        Args:
            timeout: Timeout, in seconds; None for no limit. See `wait`.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
                )
                withdrawal = await poller.result(timeout=3600)
        """

    def subscribe(self, deadline: float = math.inf) -> Subscription[R]:
        """Return a subscription to the transfer, with which one task can wait for many transfers.

        Args:
            deadline: Deadline, by ``anyio.current_time``. A poll that is running then is the last; otherwise a last one
                starts then. Default: none.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
                )
                with poller.subscribe() as subscription:
                    change = await poller.next_change(subscription)

        :meta private:
        """
        return self._watcher.subscribe(
            self._id, last=self._last, resume_token=self.resume_token, deadline=deadline
        )

    async def next_change(self, subscription: Subscription[R]) -> StateChange[R] | None:
        """Return the next change of a subscription from `subscribe`, and store its newest record as `last`.

        Returns:
            The change, or None if the last poll before the deadline brought none.

        Raises:
            UpbitError: The wait has ended; the error carries the resume token.
            ValueError: No request can carry the id.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
                )
                with poller.subscribe() as subscription:
                    while change := await poller.next_change(subscription):
                        print(change.state)
                        if change.state.is_final:
                            break

        :meta private:
        """
        try:
            change = await subscription.next()
        except UpbitError as error:
            self._mark(error, subscription)
            raise
        self._keep(subscription.record)
        return change

    @property
    def _identity(self) -> tuple[object, ...]:
        return self._host, self._kind, self._by, self._id.casefold()

    def _keep(self, record: R | None) -> None:
        if record is not None and not (self._last is not None and self._last.state.is_final):
            self._last = record

    def _mark(self, error: UpbitError, subscription: Subscription[R]) -> None:
        """Set the resume token of an error, which may name more than at the beginning of the wait."""
        self._keep(subscription.record)
        error.resume_token = self.resume_token

    def _timed_out(self, seconds: float) -> PollTimeout:
        state = "was not seen" if self._last is None else f"is {self._last.state.value}"
        text = f"{self._kind} {self._id} {state} after {seconds:g} s. {self._advice()}"
        error = PollTimeout(text, record=self._last)
        error.resume_token = self.resume_token
        return error

    def _advice(self) -> str:
        """Return what to do after the timeout."""
        namespace = f"client.{NAMESPACES[self._kind]}"
        return f"It may still complete: to wait again, pass this error's resume_token to {namespace}.resume"
