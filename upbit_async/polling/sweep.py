"""Polls everything that is watched in one event loop, up to a hundred transfers per request.

A sweep begins when some transfer is due. It takes along those that are almost due, so that transfers which
were begun together stay together, and fills its last request with the soonest others. A few requests are under
way at once, so that the limit of requests, and not their way there and back, says how long a sweep takes.

If a request fails because of one of its ids or rows, it is halved until that one is found. Who is refused alone
waits no longer. Whose row does not decode alone is polled alone from then on, until it does: no later sweep has
to look for it.
"""

from __future__ import annotations

import datetime as dt
import functools
import heapq
import math
from collections.abc import Awaitable, Callable, Container, Coroutine, Iterator, Sequence
from typing import Final, Generic, TypeVar

import anyio
import attrs

from upbit_async.errors import DecodeError, NotFound, UpbitError
from upbit_async.events import Event, PollFailed, StateChanged
from upbit_async.logs import logger
from upbit_async.policy import PollSchedule
from upbit_async.polling.failures import FailedPoll, PollFailure
from upbit_async.polling.ids import BATCH, how_many_fit
from upbit_async.polling.leader_followers import LeaderFollowers, Waiter, Work
from upbit_async.polling.progress import StateChange, Transfer, goes_back
from upbit_async.polling.schedule import NextPoll, draw_stretch, next_poll
from upbit_async.polling.single_polls import LoneTransfers
from upbit_async.polling.subscription import Subscription, WatchedTransfer
from upbit_async.protocol.duplicates import by_id
from upbit_async.protocol.rows import ReadableRows

__all__ = ["LOOKS_AT_ONCE", "Sweep", "WatchSettings"]

LOOKS_AT_ONCE: Final = 3
"""How many requests are under way at most; an ordinary call waits behind no more."""

R = TypeVar("R", bound=Transfer)

_log = logger("upbit_async.polling")
_LINE_HOLDS = 0.25
"""For how many seconds the order of looks holds. Sorting again for each would cost much with many."""


@attrs.frozen(kw_only=True)
class WatchSettings(Generic[R]):
    """How one kind of transfer is watched.

    Attributes:
        fetch: Returns the records for up to a hundred ids, perhaps as `ReadableRows`; never called with none. A
            ValueError is taken for a judgement on the ids.
        schedule: When it is looked.
        kind: ``withdrawal`` or ``deposit``.
        host: The host that is talked to, for the events.
        emit: Is told the events; it must not raise.
        rand: Returns numbers from 0 (included) to 1 (excluded).
        utc_now: Returns the time of day.
        id_of: Returns the id by which a record was asked for.
    """

    fetch: Callable[[Sequence[str]], Awaitable[Sequence[R] | ReadableRows[R]]]
    schedule: PollSchedule
    kind: str
    host: str
    emit: Callable[[Event], None]
    rand: Callable[[], float]
    utc_now: Callable[[], dt.datetime]
    id_of: Callable[[R], str]


class Sweep(Generic[R]):
    """Everything that is watched in one event loop."""

    def __init__(self, settings: WatchSettings[R]) -> None:
        self._settings = settings
        self._circle = LeaderFollowers(self._find, max_polls=LOOKS_AT_ONCE)
        self._entries: dict[str, WatchedTransfer[R]] = {}
        self._lone: LoneTransfers[R] = LoneTransfers()
        self._began = -math.inf
        self._line: list[WatchedTransfer[R]] = []
        self._lined_up = -math.inf
        self._stretch = draw_stretch(settings.schedule, settings.rand)

    @property
    def loop(self) -> object:
        """The event loop for which this works."""
        return self._circle.loop

    @property
    def watched(self) -> int:
        """How many transfers are watched now."""
        return len(self._entries)

    def join(self, subscription: Subscription[R]) -> None:
        """Watch a transfer for a waiter."""
        entry = self._entries.get(subscription.uuid.casefold())
        if entry is None:
            entry = self._begin(subscription)
        else:
            self._welcome(entry, subscription)
        entry.subscriptions[subscription] = None
        entry.deadline = min(entry.deadline, subscription.deadline)
        entry.hasten(subscription.deadline)
        self._circle.rouse(entry.due)

    def leave(self, subscription: Subscription[R]) -> None:
        """Forget a waiter, and its transfer if nobody else waits for it."""
        entry = self._entries.get(subscription.uuid.casefold())
        if entry is not None:
            entry.subscriptions.pop(subscription, None)
            if not entry.subscriptions:
                self._forget(entry)
        if not self._entries:
            self._line.clear()

    def serve(self, waiter: Waiter) -> Coroutine[None, None, None]:
        """Wait until there is something to tell the waiter; look for everybody, if nobody else does."""
        return self._circle.wait(waiter)

    def wake(self, waiter: Waiter) -> None:
        """Wake a waiter that has something to be told from elsewhere, unless it is looking for everybody."""
        self._circle.tell(waiter)

    def _begin(self, subscription: Subscription[R]) -> WatchedTransfer[R]:
        now = anyio.current_time()
        look = NextPoll(ready=now, due=now)
        if subscription.record is not None:
            look = next_poll(self._settings.schedule, now=now, quiet_since=now, stretch=self._stretch)
        entry: WatchedTransfer[R] = WatchedTransfer(
            uuid=subscription.uuid,
            key=subscription.uuid.casefold(),
            started=now,
            quiet_since=now,
            ready=look.ready,
            due=look.due,
        )
        if subscription.record is not None:
            entry.see(subscription.record, self._settings.utc_now())
        self._entries[entry.key] = entry
        return entry

    def _welcome(self, entry: WatchedTransfer[R], subscription: Subscription[R]) -> None:
        if subscription.record is None and entry.record is not None:
            subscription.see(entry.record, self._settings.utc_now())
        elif subscription.record is not None and entry.record is None:
            entry.see(subscription.record, self._settings.utc_now())
        entry.hasten(max(anyio.current_time(), entry.looked_at + self._settings.schedule.first))

    def _find(self) -> Work | float:
        """Return the next look, or when the next is due."""
        now = anyio.current_time()
        batch = self._pick(now)
        if batch:
            return functools.partial(self._look_at, batch)
        return min(min((entry.due for entry in self._shared()), default=math.inf), self._lone.next_at())

    def _pick(self, now: float) -> list[WatchedTransfer[R]]:
        """Return who is looked at next; nobody, if nobody is due."""
        lone = self._lone.take(now, overdue=self._settings.schedule.longest)
        if lone is not None:
            return [lone]
        batch = self._pick_together(now)
        if batch:
            return batch
        lone = self._lone.take(now) or self._lone.take_last(now)
        return [] if lone is None else [lone]

    def _pick_together(self, now: float) -> list[WatchedTransfer[R]]:
        if not self._line or now >= self._lined_up + _LINE_HOLDS:
            self._line_up(now)
        batch: list[WatchedTransfer[R]] = []
        while self._line and len(batch) < BATCH:
            entry = self._line.pop()
            if self._watches(entry):
                batch.append(entry)
        if 0 < len(batch) < BATCH:
            batch += self._soonest_others(BATCH - len(batch), {entry.key for entry in batch})
        return batch[: how_many_fit(entry.uuid for entry in batch)]  # the others come into the next line

    def _shared(self) -> Iterator[WatchedTransfer[R]]:
        """Iterate over those who may be looked at together now."""
        return (
            entry for entry in self._entries.values() if not entry.under_way and entry.alone_since is None
        )

    def _line_up(self, now: float) -> None:
        """Settle the order of all who are to be looked at: last looks first, then who is due longest."""
        self._lined_up = now
        idle = list(self._shared())
        # What gets almost due while a sweep is under way is left to the next, or a sweep might never end.
        if all(entry.ready > self._began for entry in idle):
            if all(entry.due > now for entry in idle):
                self._line = []
                return
            self._began = now
            self._stretch = draw_stretch(self._settings.schedule, self._settings.rand)
        began = self._began
        self._line = [entry for entry in idle if entry.ready <= began or entry.due <= now]
        self._line.sort(key=lambda entry: (entry.deadline > now, entry.due))
        self._line.reverse()  # the end is where to take from

    def _soonest_others(self, count: int, taken: Container[str]) -> list[WatchedTransfer[R]]:
        """Return who may fill a request, soonest first: of those at whom this sweep has not looked."""
        others = (
            entry for entry in self._shared() if entry.looked_at < self._began and entry.key not in taken
        )
        return heapq.nsmallest(count, others, key=lambda entry: entry.due)

    async def _look_at(self, batch: Sequence[WatchedTransfer[R]]) -> None:
        for entry in batch:
            entry.under_way = True
        try:
            await self._look(batch)
        finally:
            for entry in batch:
                entry.under_way = False
            due = min((entry.due for entry in self._watched(batch)), default=math.inf)
            self._circle.rouse(min(due, self._lone.next_at()))

    async def _look(self, batch: Sequence[WatchedTransfer[R]], known: FailedPoll | None = None) -> bool:
        """Poll a batch, in ever smaller parts if one of its transfers spoils it; return whether that was so.

        Args:
            batch: Who is looked at.
            known: A failed poll whose cause is known to be in this batch, so that it need not be polled whole.
        """
        suspects, failed = (batch, known) if known is not None else await self._poll(batch)
        if failed is None:
            return False
        if len(suspects) < 2 or not failed.may_be_one:  # noqa: PLR2004 - nobody is left to be told apart
            self._take_failure(suspects, failed)
            return True
        middle = len(suspects) // 2
        first, second = self._watched(suspects[:middle]), suspects[middle:]
        is_in_first = bool(first) and await self._look(first)
        left = self._watched(second)
        if left:
            # If the first half is well, the cause is in the second; a wait, though, ends only by a poll of its own.
            is_in_left = not is_in_first and len(left) == len(second)
            is_sure = is_in_left and (len(left) > 1 or failed.failure is PollFailure.ROW)
            await self._look(left, failed if is_sure else None)
        return True

    async def _poll(
        self, batch: Sequence[WatchedTransfer[R]]
    ) -> tuple[Sequence[WatchedTransfer[R]], FailedPoll | None]:
        """Ask for a batch, and take what was answered.

        Returns:
            Who is left without an answer, and why; nobody if each odd row was found to be somebody's.
        """
        began = anyio.current_time()
        try:
            rows = await self._settings.fetch([entry.uuid for entry in batch])
        except (UpbitError, ValueError) as error:
            return batch, FailedPoll(error, began)
        in_doubt, nameless = self._take_rows(batch, rows, began)
        if not in_doubt:
            return [], None
        if len(batch) > 1 and len(in_doubt) <= len(
            nameless
        ):  # as many rows as transfers: each has one of them
            for entry, misfit in zip(in_doubt, nameless, strict=False):
                self._take_failed_look([entry], misfit, began)
            in_doubt = []
        return in_doubt, FailedPoll(nameless[0], began)

    def _take_failure(self, batch: Sequence[WatchedTransfer[R]], failed: FailedPoll) -> None:
        kind, error = failed.failure, failed.error
        if kind is PollFailure.KEY:
            for entry in tuple(self._entries.values()):
                self._end(entry, error)
        elif kind is PollFailure.ABSENT:
            for entry in self._watched(batch):
                self._take_absence(entry, failed.began)
        elif kind is PollFailure.ID or isinstance(error, ValueError):
            for entry in batch:
                self._end(entry, error)
        else:
            if kind is PollFailure.ROW:
                for entry in self._watched(batch):
                    self._lone.add(entry, anyio.current_time())
            if batch:
                self._take_failed_look(batch, error, failed.began)

    def _take_rows(
        self, batch: Sequence[WatchedTransfer[R]], rows: Sequence[R] | ReadableRows[R], began: float
    ) -> tuple[list[WatchedTransfer[R]], list[DecodeError]]:
        """Take what was answered.

        Returns:
            ReadableRows that can't be read and do not say whose they are, behind those whose they may be.
        """
        found = by_id(rows.rows if isinstance(rows, ReadableRows) else rows, self._settings.id_of)
        odd = rows.unreadable if isinstance(rows, ReadableRows) else ()
        errors = {error.uuid.casefold(): error for error in odd if error.uuid is not None}
        keys = {entry.key for entry in batch}
        nameless = [error for error in odd if error.uuid is None or error.uuid.casefold() not in keys]
        at = self._settings.utc_now()
        in_doubt: list[WatchedTransfer[R]] = []
        for entry in self._watched(batch):
            if (row := found.get(entry.key)) is not None:
                self._take_row(entry, row, began, at)
            elif (error := errors.get(entry.key)) is not None:
                self._lone.discard(entry)  # in a list it costs nobody else
                self._take_failed_look([entry], error, began)
            elif nameless:
                in_doubt.append(entry)
            else:
                self._take_absence(entry, began)
        return in_doubt, nameless

    def _take_row(self, entry: WatchedTransfer[R], row: R, began: float, at: dt.datetime) -> None:
        self._lone.discard(entry)
        change = entry.see(row, at)
        for subscription in entry.subscriptions:
            subscription.see(row, at)
        if row.state.is_final:
            self._drop(entry)
        else:
            if change is not None:
                entry.quiet_since = anyio.current_time()
            self._plan(entry, began, None)
        if change is not None:
            self._announce(entry, change)

    def _take_absence(self, entry: WatchedTransfer[R], began: float) -> None:
        self._lone.discard(entry)
        kind, grace = self._settings.kind, self._settings.schedule.grace
        if entry.record is not None:
            error = NotFound(
                f"Upbit's answer lacks {kind} {entry.uuid}, which it has shown before",
                status=200,
                asked_for=entry.uuid,
            )
            self._take_failed_look([entry], error, began)
        elif began < entry.started + grace:
            self._plan(entry, began, None)
        else:
            text = f"Upbit knows no {kind} {entry.uuid}, {began - entry.started:.0f} s after the first look"
            text = f"{text}; check the id, the region and the account"
            self._end(entry, NotFound(text, status=200, asked_for=entry.uuid))

    def _take_failed_look(self, batch: Sequence[WatchedTransfer[R]], error: UpbitError, began: float) -> None:
        for entry in self._watched(batch):
            self._plan(entry, began, error)
        uuids = tuple(entry.uuid for entry in batch)
        self._settings.emit(PollFailed(host=self._settings.host, uuids=uuids, error=error))

    def _plan(self, entry: WatchedTransfer[R], began: float, failure: UpbitError | None) -> None:
        """Close a look that leaves the transfer under watch, and set the next."""
        entry.looked_at, now = began, anyio.current_time()
        for subscription in entry.subscriptions:
            subscription.looked(now, failure)
            if subscription.served:
                self._tell(subscription)
        schedule = self._settings.schedule
        quiet_since = entry.quiet_since if entry.alone_since is None else entry.alone_since
        entry.plan(next_poll(schedule, now=now, quiet_since=quiet_since, stretch=self._stretch), now)

    def _announce(self, entry: WatchedTransfer[R], change: StateChange[R]) -> None:
        kind, state = self._settings.kind, change.state.value
        previous = None if change.previous is None else change.previous.value
        if not change.state.known:
            _log.warning("%s %s is in the unknown state %s; the wait goes on", kind, entry.uuid, state)
        if goes_back(change):
            _log.warning("%s %s went back from %s to %s", kind, entry.uuid, previous, state)
        self._settings.emit(
            StateChanged(host=self._settings.host, uuid=change.record.uuid, previous=previous, state=state)
        )

    def _end(self, entry: WatchedTransfer[R], error: UpbitError | ValueError) -> None:
        for subscription in entry.subscriptions:
            subscription.end(error)
        self._drop(entry)

    def _drop(self, entry: WatchedTransfer[R]) -> None:
        if self._watches(entry):
            self._forget(entry)
        for subscription in entry.subscriptions:
            self._tell(subscription)

    def _tell(self, subscription: Subscription[R]) -> None:
        self._circle.tell(subscription)
        if subscription.on_served is not None:
            subscription.on_served(subscription)

    def _forget(self, entry: WatchedTransfer[R]) -> None:
        del self._entries[entry.key]
        self._lone.discard(entry)

    def _watched(self, batch: Sequence[WatchedTransfer[R]]) -> list[WatchedTransfer[R]]:
        return [entry for entry in batch if self._watches(entry)]

    def _watches(self, entry: WatchedTransfer[R]) -> bool:
        return self._entries.get(entry.key) is entry
