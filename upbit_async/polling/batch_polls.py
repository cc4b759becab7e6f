"""Polls of batches: request the records of up to 100 transfers, and publish what they show.

If a poll fails because of one id or row, the batch is halved until that one is found. The wait for an id that is
refused alone ends. A transfer whose row does not decode alone is polled alone from then on, until it decodes, so that
no later sweep has to search for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from upbit_async.errors import DecodeError, NotFound, UpbitError
from upbit_async.events import PollFailed, StateChanged
from upbit_async.logs import logger
from upbit_async.polling.failures import FailedPoll, PollFailure
from upbit_async.polling.progress import StateChange, Transfer, goes_back
from upbit_async.protocol.duplicates import by_id
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Sequence

    from upbit_async.events import Event
    from upbit_async.polling.poll_queue import PollQueue
    from upbit_async.polling.subscription import Subscription, WatchedTransfer

__all__ = ["BatchPolls", "PollResults"]

R = TypeVar("R", bound=Transfer)

_log = logger("upbit_async.polling")


class BatchPolls(Generic[R]):
    """Polls of batches, halved if one transfer spoils them.

    Args:
        fetch: Function that requests records; see `Watcher`.
        id_of: Function that returns the id by which a record was requested.
        queue: The transfers that are watched.
        results: What publishes the results.
        utc_now: Function that returns the time of day.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[Sequence[str]], Awaitable[Sequence[R] | ReadableRows[R]]],
        id_of: Callable[[R], str],
        queue: PollQueue[R],
        results: PollResults[R],
        utc_now: Callable[[], dt.datetime],
    ) -> None:
        self._fetch = fetch
        self._id_of = id_of
        self._queue = queue
        self._results = results
        self._utc_now = utc_now

    async def poll(self, batch: Sequence[WatchedTransfer[R]]) -> bool:
        """Poll a batch; if one of its transfers spoils it, poll it in ever smaller parts.

        Returns:
            Whether the poll of the whole batch failed.
        """
        began = anyio.current_time()
        try:
            rows = await self._fetch([transfer.id for transfer in batch])
        except (UpbitError, ValueError) as error:
            await self._narrow_down(batch, FailedPoll(error, began))
            return True
        missing, nameless = self._publish_rows(batch, rows, began)
        if not missing:
            return False
        if len(batch) > 1 and len(missing) <= len(nameless):  # an unreadable row for each missing transfer
            for transfer, unreadable in zip(missing, nameless, strict=False):
                self._results.publish_failed_poll([transfer], unreadable, began)
            return True
        await self._narrow_down(missing, FailedPoll(nameless[0], began))
        return True

    async def _narrow_down(self, suspects: Sequence[WatchedTransfer[R]], failed: FailedPoll) -> None:
        """Search for the transfer that caused a failed poll by halves, and publish the failure of that transfer."""
        if len(suspects) < 2 or not failed.may_concern_one:  # noqa: PLR2004 - one transfer can't be halved
            self._results.publish_failure(suspects, failed)
            return
        middle = len(suspects) // 2
        first, second = self._queue.still_in(suspects[:middle]), suspects[middle:]
        first_failed = bool(first) and await self.poll(first)
        left = self._queue.still_in(second)
        # If the first half succeeds, the cause is in the second, which need not be polled whole. Yet a wait ends only
        # by a poll of its id alone.
        is_in_left = not first_failed and len(left) == len(second)
        if is_in_left and (len(left) > 1 or failed.failure is PollFailure.ROW):
            await self._narrow_down(left, failed)
        elif left:
            await self.poll(left)

    def _publish_rows(
        self, batch: Sequence[WatchedTransfer[R]], rows: Sequence[R] | ReadableRows[R], began: float
    ) -> tuple[list[WatchedTransfer[R]], list[DecodeError]]:
        """Publish the rows of an answer.

        Returns:
            The transfers that the answer lacks, if unreadable rows without an id may be theirs; and the errors of these
            rows.
        """
        found = by_id(rows.rows if isinstance(rows, ReadableRows) else rows, self._id_of)
        unreadable = rows.unreadable if isinstance(rows, ReadableRows) else ()
        errors = {error.uuid.casefold(): error for error in unreadable if error.uuid is not None}
        keys = {transfer.key for transfer in batch}
        nameless = [error for error in unreadable if error.uuid is None or error.uuid.casefold() not in keys]
        at = self._utc_now()
        missing: list[WatchedTransfer[R]] = []
        for transfer in self._queue.still_in(batch):
            if (row := found.get(transfer.key)) is not None:
                self._results.publish_row(transfer, row, began, at)
            elif (error := errors.get(transfer.key)) is not None:
                self._queue.singles.discard(transfer)  # its unreadable row costs no other transfer
                self._results.publish_failed_poll([transfer], error, began)
            elif nameless:
                missing.append(transfer)
            else:
                self._results.publish_absence(transfer, began)
        return missing, nameless


class PollResults(Generic[R]):
    """Publication of poll results: updates transfers, subscriptions, observer and log, and plans the next poll.

    Args:
        kind: ``withdrawal`` or ``deposit``.
        host: The host that is polled, for the events.
        grace: Time for which a transfer may be absent after the start of watching, in seconds.
        queue: The transfers that are watched.
        emit: Function that receives events; it must not raise.
        wake: Function that wakes the task of a subscription.
    """

    def __init__(
        self,
        *,
        kind: str,
        host: str,
        grace: float,
        queue: PollQueue[R],
        emit: Callable[[Event], None],
        wake: Callable[[Subscription[R]], None],
    ) -> None:
        self._kind = kind
        self._host = host
        self._grace = grace
        self._queue = queue
        self._emit = emit
        self._wake = wake

    def publish_row(self, transfer: WatchedTransfer[R], row: R, began: float, at: dt.datetime) -> None:
        """Publish a transfer's record.

        Args:
            transfer: The transfer.
            row: The record.
            began: Start of the poll, by the event loop's clock.
            at: When the record was received.
        """
        self._queue.singles.discard(transfer)
        change = transfer.update(row, at)
        for subscription in transfer.subscriptions:
            subscription.update(row, at)
        if row.state.is_final:
            self._finish(transfer)
        else:
            if change is not None:
                transfer.quiet_since = anyio.current_time()
            self._end_poll(transfer, began, None)
        if change is not None:
            self._announce(transfer, change)

    def publish_absence(self, transfer: WatchedTransfer[R], began: float) -> None:
        """Publish that an answer lacks a transfer. This ends its waits if it never appears within the grace period."""
        self._queue.singles.discard(transfer)
        name = f"{self._kind} {transfer.id}"
        if transfer.record is not None:
            text = f"Upbit's answer lacks {name}, which an earlier answer contained"
            self.publish_failed_poll([transfer], NotFound(text, status=200, asked_for=transfer.id), began)
        elif began < transfer.started + self._grace:
            self._end_poll(transfer, began, None)
        else:
            text = f"{name} was not found within {began - transfer.started:.0f} s"
            text = f"{text}; check the id, the region and the account"
            self._fail(transfer, NotFound(text, status=200, asked_for=transfer.id))

    def publish_failure(self, batch: Sequence[WatchedTransfer[R]], failed: FailedPoll) -> None:
        """Publish a failed poll of transfers that can't be narrowed down further."""
        kind, error = failed.failure, failed.error
        if kind is PollFailure.KEY:
            for transfer in tuple(self._queue):
                self._fail(transfer, error)
        elif kind is PollFailure.ABSENT:
            for transfer in self._queue.still_in(batch):
                self.publish_absence(transfer, failed.began)
        elif kind is PollFailure.ID or isinstance(error, ValueError):
            for transfer in batch:
                self._fail(transfer, error)
        else:
            if kind is PollFailure.ROW:
                for transfer in self._queue.still_in(batch):
                    self._queue.singles.add(transfer, anyio.current_time())
            self.publish_failed_poll(batch, error, failed.began)

    def publish_failed_poll(
        self, batch: Sequence[WatchedTransfer[R]], error: UpbitError, began: float
    ) -> None:
        """Publish a failed poll that ends no wait."""
        for transfer in self._queue.still_in(batch):
            self._end_poll(transfer, began, error)
        uuids = tuple(transfer.id for transfer in batch)
        self._emit(PollFailed(host=self._host, uuids=uuids, error=error))

    def _end_poll(self, transfer: WatchedTransfer[R], began: float, failure: UpbitError | None) -> None:
        """End a poll after which the transfer is still watched, and plan the next."""
        transfer.polled_at, now = began, anyio.current_time()
        for subscription in transfer.subscriptions:
            subscription.end_poll(now, failure)
            if subscription.is_ready:
                self._notify(subscription)
        self._queue.schedule(transfer, now)

    def _announce(self, transfer: WatchedTransfer[R], change: StateChange[R]) -> None:
        kind, state = self._kind, change.state.value
        previous = None if change.previous is None else change.previous.value
        if not change.state.known:
            _log.warning("%s %s is in the unknown state %s; polling continues", kind, transfer.id, state)
        if goes_back(change):
            _log.warning("%s %s went back from %s to %s", kind, transfer.id, previous, state)
        self._emit(StateChanged(host=self._host, uuid=change.record.uuid, previous=previous, state=state))

    def _fail(self, transfer: WatchedTransfer[R], error: UpbitError | ValueError) -> None:
        for subscription in transfer.subscriptions:
            subscription.fail(error)
        self._finish(transfer)

    def _finish(self, transfer: WatchedTransfer[R]) -> None:
        if transfer in self._queue:
            self._queue.remove(transfer)
        for subscription in transfer.subscriptions:
            self._notify(subscription)

    def _notify(self, subscription: Subscription[R]) -> None:
        self._wake(subscription)
        if subscription.on_ready is not None:
            subscription.on_ready(subscription)
