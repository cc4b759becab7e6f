"""Polls of batches: request the records of up to 100 transfers, and publish what they show.

One id or row can fail the poll of a whole batch. The batch is then halved until that one is found. Here it is C::

    poll A B C D     fails
    poll A B         succeeds, so the cause is C or D: skip the request for both
    poll C           fails, alone: this is the failure of C
    poll D           succeeds

If Upbit refused the id of C, its waits end. If the row of C does not decode, its waits continue: C is polled alone from
then on, until it decodes, so that no later sweep has to search for it. `failures` has all kinds of failures.

`BatchPolls` makes the requests. `PollResults` passes each result on to the transfer, its subscriptions, the observer
and the log, and plans the transfer's next poll.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from upbit_async.errors import DecodeError, NotFound, UpbitError
from upbit_async.events import PollFailed, StateChanged
from upbit_async.logs import logger
from upbit_async.polling.failures import PollFailure, PollFailureKind
from upbit_async.polling.progress import StateChange, TransferSnapshot, goes_back
from upbit_async.protocol.duplicates import by_id
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Sequence

    from upbit_async.events import Event
    from upbit_async.polling.poll_queue import PollQueue
    from upbit_async.polling.subscription import Subscription, WatchedTransfer

__all__ = ["BatchPolls", "PollResults"]

R = TypeVar("R", bound=TransferSnapshot)

_log = logger("upbit_async.polling")


class BatchPolls(Generic[R]):
    """Polls of batches, which are halved if one transfer may have caused a failure.

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
        """Poll a batch, and publish the results. If one transfer may have caused a failure, poll smaller parts.

        Returns:
            Whether the poll of the whole batch succeeded.
        """
        began = anyio.current_time()
        try:
            rows = await self._fetch([transfer.id for transfer in batch])
        except (UpbitError, ValueError) as error:
            await self._narrow_down(batch, PollFailure(error, began))
            return False
        missing, unattributed = self._publish_rows(batch, rows, began)
        if not missing:
            return True
        if len(batch) > 1 and len(missing) <= len(unattributed):
            # There is an unreadable row for each missing transfer, so there is nothing to search for. Which row belongs
            # to which transfer does not matter, because the error is only reported.
            for transfer, unreadable in zip(missing, unattributed, strict=False):
                self._results.publish_retryable([transfer], unreadable, began)
            return False
        await self._narrow_down(missing, PollFailure(unattributed[0], began))
        return False

    async def _narrow_down(self, suspects: Sequence[WatchedTransfer[R]], failure: PollFailure) -> None:
        """Find the transfer that caused a failure, by halving, and publish the failure of that transfer."""
        if len(suspects) < 2 or not failure.may_concern_one:  # noqa: PLR2004 - one transfer can't be halved
            self._results.publish_failure(suspects, failure)
            return
        middle = len(suspects) // 2
        first, second = self._queue.still_in(suspects[:middle]), suspects[middle:]
        first_succeeded = not first or await self.poll(first)
        rest_of_second = self._queue.still_in(second)
        # If the first half succeeds, the cause is in the second, unless it was removed. So skip the request for the
        # whole second half and halve it directly. A single id is still polled alone, because only that may end a wait.
        # A row that does not decode ends no wait, so its transfer need not be polled alone.
        cause_is_in_second = first_succeeded and len(rest_of_second) == len(second)
        if cause_is_in_second and (len(rest_of_second) > 1 or failure.kind is PollFailureKind.ROW):
            await self._narrow_down(rest_of_second, failure)
        elif rest_of_second:
            await self.poll(rest_of_second)

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
        unattributed = [
            error for error in unreadable if error.uuid is None or error.uuid.casefold() not in keys
        ]
        at = self._utc_now()
        missing: list[WatchedTransfer[R]] = []
        for transfer in self._queue.still_in(batch):
            if (record := found.get(transfer.key)) is not None:
                self._results.publish_record(transfer, record, began, at)
            elif (error := errors.get(transfer.key)) is not None:
                self._queue.singles.discard(transfer)  # its unreadable row costs no other transfer
                self._results.publish_retryable([transfer], error, began)
            elif unattributed:
                missing.append(transfer)
            else:
                self._results.publish_absence(transfer, began)
        return missing, unattributed


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

    def publish_record(self, transfer: WatchedTransfer[R], record: R, began: float, at: dt.datetime) -> None:
        """Publish the record that a poll returned.

        Args:
            transfer: The transfer.
            record: Its record.
            began: Start of the poll, by the event loop's clock.
            at: When the record was received.
        """
        self._queue.singles.discard(transfer)
        change = transfer.update(record, at)
        for subscription in transfer.subscriptions:
            subscription.update(record, at)
            subscription.was_polled = True
        if record.state.is_final:
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
            self.publish_retryable([transfer], NotFound(text, status=200, asked_for=transfer.id), began)
        elif began < transfer.started + self._grace:
            self._end_poll(transfer, began, None)
        else:
            text = f"{name} was not found within {began - transfer.started:.0f} s"
            text = f"{text}; check the id, the region and the account"
            self._end_waits(transfer, NotFound(text, status=200, asked_for=transfer.id))

    def publish_failure(self, batch: Sequence[WatchedTransfer[R]], failure: PollFailure) -> None:
        """Publish a failure that can't be narrowed down further: end waits or report it, depending on its kind."""
        kind, error = failure.kind, failure.error
        if kind is PollFailureKind.KEY:
            for transfer in tuple(self._queue):
                self._end_waits(transfer, error)
        elif kind is PollFailureKind.ABSENT:
            for transfer in self._queue.still_in(batch):
                self.publish_absence(transfer, failure.began)
        elif kind is PollFailureKind.ID or isinstance(error, ValueError):
            for transfer in batch:
                self._end_waits(transfer, error)
        else:
            if kind is PollFailureKind.ROW:
                for transfer in self._queue.still_in(batch):
                    self._queue.singles.add(transfer, anyio.current_time())
            self.publish_retryable(batch, error, failure.began)

    def publish_retryable(self, batch: Sequence[WatchedTransfer[R]], error: UpbitError, began: float) -> None:
        """Publish a failure that ends no wait, because a later poll may succeed."""
        for transfer in self._queue.still_in(batch):
            self._end_poll(transfer, began, error)
        uuids = tuple(transfer.id for transfer in batch)
        self._emit(PollFailed(host=self._host, uuids=uuids, error=error))

    def _end_poll(self, transfer: WatchedTransfer[R], began: float, error: UpbitError | None) -> None:
        """End a poll after which the transfer is still watched, and plan the next."""
        now = transfer.last_poll_ended = anyio.current_time()
        transfer.last_poll_began = began
        for subscription in transfer.subscriptions:
            subscription.end_poll(now, error)
            if subscription.is_ready:
                self._notify(subscription)
        self._queue.plan_next_poll(transfer, now)

    def _announce(self, transfer: WatchedTransfer[R], change: StateChange[R]) -> None:
        kind, state = self._kind, change.state.value
        previous = None if change.previous is None else change.previous.value
        if not change.state.known:
            _log.warning("%s %s is in the unknown state %s; polling continues", kind, transfer.id, state)
        if goes_back(change):
            _log.warning("%s %s went back from %s to %s", kind, transfer.id, previous, state)
        self._emit(StateChanged(host=self._host, uuid=change.record.uuid, previous=previous, state=state))

    def _end_waits(self, transfer: WatchedTransfer[R], error: UpbitError | ValueError) -> None:
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
