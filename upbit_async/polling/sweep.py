"""The looks at everything that is watched in one event loop, up to a hundred transfers at a time.

A sweep begins when some transfer is due. It takes along those that are almost due, so that transfers which
were begun together stay together, and fills its last request with the soonest others. A few requests are under
way at once, so that the limit of requests, and not their way there and back, says how long a sweep takes.
"""

from __future__ import annotations

import datetime as dt
import functools
import heapq
import logging
import math
from collections.abc import Awaitable, Callable, Container, Coroutine, Sequence
from typing import Final, Generic, TypeVar

import anyio
import attrs

from upbit_async.errors import (
    APIError,
    DecodeError,
    NotFound,
    RateLimited,
    ServerError,
    UpbitError,
    ValidationError,
)
from upbit_async.events import Event, LookFailed, StateSeen
from upbit_async.policy import PollSchedule
from upbit_async.polling.circle import Circle, Waiter, Work
from upbit_async.polling.hopeless import is_hopeless
from upbit_async.polling.ids import BATCH, how_many_fit
from upbit_async.polling.progress import StateChange, Transfer, goes_back
from upbit_async.polling.schedule import Look, draw_stretch, next_look
from upbit_async.polling.subscription import Entry, Subscription

__all__ = ["LOOKS_AT_ONCE", "Sweep", "WatchSettings"]

LOOKS_AT_ONCE: Final = 3
"""How many requests are under way at most; an ordinary call waits behind no more."""

R = TypeVar("R", bound=Transfer)

_log = logging.getLogger("upbit_async.polling")
_REQUEST_TIMEOUT = 408
_LINE_HOLDS = 0.25
"""For how many seconds the order of looks holds. To settle it anew for each would cost much with many."""


@attrs.frozen(kw_only=True)
class WatchSettings(Generic[R]):
    """How one kind of transfer is watched.

    Attributes:
        fetch: Returns the records for up to a hundred ids; never called with none. A ValueError is taken for
            a judgement on the ids.
        schedule: When it is looked.
        kind: ``withdrawal`` or ``deposit``.
        host: The host that is talked to, for the events.
        emit: Is told the events; it must not raise.
        rand: Returns numbers from 0 (included) to 1 (excluded).
        utc_now: Returns the time of day.
        id_of: Returns the id by which a record was asked for.
    """

    fetch: Callable[[Sequence[str]], Awaitable[Sequence[R]]]
    schedule: PollSchedule
    kind: str
    host: str
    emit: Callable[[Event], None]
    rand: Callable[[], float]
    utc_now: Callable[[], dt.datetime]
    id_of: Callable[[R], str]


def _may_be_one(error: UpbitError | ValueError) -> bool:
    """Whether a single transfer of several may have caused the failure of all."""
    return _is_refusal(error) or (isinstance(error, DecodeError) and error.path.startswith("$["))


def _is_refusal(error: UpbitError | ValueError) -> bool:
    """Whether the ids were judged, by Upbit or where the request was written, and will be judged so again."""
    if isinstance(error, (ValidationError, NotFound, ValueError)):
        return True
    if is_hopeless(error) or isinstance(error, (RateLimited, ServerError)) or not isinstance(error, APIError):
        return False
    # Without a name it is not Upbit that spoke, and what a proxy says may be otherwise at the next look.
    return bool(error.name) and 400 <= error.status < 500 and error.status != _REQUEST_TIMEOUT  # noqa: PLR2004


class Sweep(Generic[R]):
    """Everything that is watched in one event loop."""

    def __init__(self, settings: WatchSettings[R]) -> None:
        self._settings = settings
        self._circle = Circle(self._find, places=LOOKS_AT_ONCE)
        self._entries: dict[str, Entry[R]] = {}
        self._began = -math.inf
        self._line: list[Entry[R]] = []
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
                del self._entries[entry.key]
        if not self._entries:
            self._line.clear()

    def serve(self, waiter: Waiter) -> Coroutine[None, None, None]:
        """Wait until there is something to tell the waiter; look for everybody, if nobody else does."""
        return self._circle.wait(waiter)

    def wake(self, waiter: Waiter) -> None:
        """Wake a waiter that has something to be told from elsewhere, unless it is looking for everybody."""
        self._circle.tell(waiter)

    def _begin(self, subscription: Subscription[R]) -> Entry[R]:
        now = anyio.current_time()
        look = Look(ready=now, due=now)
        if subscription.record is not None:
            look = next_look(self._settings.schedule, now=now, quiet_since=now, stretch=self._stretch)
        entry: Entry[R] = Entry(
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

    def _welcome(self, entry: Entry[R], subscription: Subscription[R]) -> None:
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
        return min((entry.due for entry in self._entries.values() if not entry.under_way), default=math.inf)

    def _pick(self, now: float) -> list[Entry[R]]:
        """Return who is looked at next; nobody, if nobody is due."""
        if not self._line or now >= self._lined_up + _LINE_HOLDS:
            self._line_up(now)
        batch: list[Entry[R]] = []
        while self._line and len(batch) < BATCH:
            entry = self._line.pop()
            if self._watches(entry):
                batch.append(entry)
        if 0 < len(batch) < BATCH:
            batch += self._soonest_others(BATCH - len(batch), {entry.key for entry in batch})
        return batch[: how_many_fit(entry.uuid for entry in batch)]  # the others come into the next line

    def _line_up(self, now: float) -> None:
        """Settle the order of all who are to be looked at: last looks first, then who is due longest."""
        self._lined_up = now
        idle = [entry for entry in self._entries.values() if not entry.under_way]
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

    def _soonest_others(self, count: int, taken: Container[str]) -> list[Entry[R]]:
        """Return who may fill a request, soonest first: of those at whom this sweep has not looked."""
        others = (
            entry
            for entry in self._entries.values()
            if entry.looked_at < self._began and not entry.under_way and entry.key not in taken
        )
        return heapq.nsmallest(count, others, key=lambda entry: entry.due)

    async def _look_at(self, batch: Sequence[Entry[R]]) -> None:
        for entry in batch:
            entry.under_way = True
        try:
            await self._look(batch)
        finally:
            for entry in batch:
                entry.under_way = False
            watched = filter(self._watches, batch)
            self._circle.rouse(min((entry.due for entry in watched), default=math.inf))

    async def _look(self, batch: Sequence[Entry[R]]) -> None:
        began = anyio.current_time()
        try:
            rows = await self._settings.fetch([entry.uuid for entry in batch])
        except (UpbitError, ValueError) as error:
            if len(batch) == 1 or not _may_be_one(error):
                self._take_failure(batch, error, began)
                return
        else:
            self._take_rows(batch, rows, began)
            return
        # One bad transfer must not starve the others: halve until it stands alone.
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            watched = [entry for entry in half if self._watches(entry)]
            if watched:
                await self._look(watched)

    def _take_failure(self, batch: Sequence[Entry[R]], error: UpbitError | ValueError, began: float) -> None:
        if isinstance(error, NotFound):
            for entry in filter(self._watches, batch):
                self._take_absence(entry, began)
        elif isinstance(error, ValueError) or _is_refusal(error):
            for entry in batch:
                self._end(entry, error)
        elif is_hopeless(error):
            for entry in tuple(self._entries.values()):
                self._end(entry, error)
        else:
            self._take_failed_look(batch, error, began)

    def _take_rows(self, batch: Sequence[Entry[R]], rows: Sequence[R], began: float) -> None:
        found = {self._settings.id_of(row).casefold(): row for row in rows}
        at = self._settings.utc_now()
        for entry in filter(self._watches, batch):
            row = found.get(entry.key)
            if row is None:
                self._take_absence(entry, began)
            else:
                self._take_row(entry, row, began, at)

    def _take_row(self, entry: Entry[R], row: R, began: float, at: dt.datetime) -> None:
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

    def _take_absence(self, entry: Entry[R], began: float) -> None:
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

    def _take_failed_look(self, batch: Sequence[Entry[R]], error: UpbitError, began: float) -> None:
        for entry in filter(self._watches, batch):
            self._plan(entry, began, error)
        uuids = tuple(entry.uuid for entry in batch)
        self._settings.emit(LookFailed(host=self._settings.host, uuids=uuids, error=error))

    def _plan(self, entry: Entry[R], began: float, failure: UpbitError | None) -> None:
        """Close a look that leaves the transfer under watch, and set the next."""
        entry.looked_at, now = began, anyio.current_time()
        for subscription in entry.subscriptions:
            subscription.looked(now, failure)
            if subscription.served:
                self._tell(subscription)
        schedule, quiet_since = self._settings.schedule, entry.quiet_since
        entry.plan(next_look(schedule, now=now, quiet_since=quiet_since, stretch=self._stretch), now)

    def _announce(self, entry: Entry[R], change: StateChange[R]) -> None:
        kind, state = self._settings.kind, change.state.value
        previous = None if change.previous is None else change.previous.value
        if not change.state.known:
            _log.warning("%s %s is in the unknown state %s; the wait goes on", kind, entry.uuid, state)
        if goes_back(change):
            _log.warning("%s %s went back from %s to %s", kind, entry.uuid, previous, state)
        self._settings.emit(
            StateSeen(host=self._settings.host, uuid=change.record.uuid, previous=previous, state=state)
        )

    def _end(self, entry: Entry[R], error: UpbitError | ValueError) -> None:
        for subscription in entry.subscriptions:
            subscription.end(error)
        self._drop(entry)

    def _drop(self, entry: Entry[R]) -> None:
        if self._watches(entry):
            del self._entries[entry.key]
        for subscription in entry.subscriptions:
            self._tell(subscription)

    def _tell(self, subscription: Subscription[R]) -> None:
        self._circle.tell(subscription)
        if subscription.on_served is not None:
            subscription.on_served(subscription)

    def _watches(self, entry: Entry[R]) -> bool:
        return self._entries.get(entry.key) is entry
