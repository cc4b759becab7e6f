"""Watcher that all waits for one client's withdrawals, or deposits, share."""

from __future__ import annotations

import datetime as dt
import math
import operator
import random
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio.lowlevel

from upbit_async.polling.progress import Transfer
from upbit_async.polling.subscription import Subscription
from upbit_async.polling.sweep import Sweep, WatchSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from upbit_async.events import Event
    from upbit_async.policy import PollSchedule
    from upbit_async.protocol.rows import ReadableRows

__all__ = ["Watcher"]

R = TypeVar("R", bound=Transfer)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _no_observer(_event: Event) -> None:
    """Tell nobody."""


class Watcher(Generic[R]):
    """Looks at many transfers with few requests, as long as somebody waits for them.

    It has no task of its own and needs no closing: the tasks that wait also poll for all others, and a transfer for
    which nobody waits is forgotten. It may be made outside an event loop, and used in one loop after another.

    Args:
        fetch: Returns the records for up to a hundred ids (as ``GET /v1/withdraws?uuids[]=…`` does); it is
            never called with none, and repeats passing faults by itself. As `ReadableRows`, a row that can't be read
            costs no other. If it raises ValueError, the one id that it is about is found out, and nobody
            else's wait ends.
        schedule: When it is looked.
        kind: ``withdrawal`` or ``deposit``.
        host: The host that is talked to, for the events.
        emit: Is told `StateChanged` and `PollFailed`; it must not raise.
        rand: Returns numbers from 0 (included) to 1 (excluded), for the jitter.
        utc_now: Returns the time of day.
        id_of: Returns the id by which a record was asked for: its uuid, unless `fetch` takes others.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[str]], Awaitable[Sequence[R] | ReadableRows[R]]],
        schedule: PollSchedule,
        *,
        kind: str,
        host: str,
        emit: Callable[[Event], None] = _no_observer,
        rand: Callable[[], float] = random.random,
        utc_now: Callable[[], dt.datetime] = _utc_now,
        id_of: Callable[[R], str] = operator.attrgetter("uuid"),
    ) -> None:
        self._settings = WatchSettings(
            fetch=fetch,
            schedule=schedule,
            kind=kind,
            host=host,
            emit=emit,
            rand=rand,
            utc_now=utc_now,
            id_of=id_of,
        )
        self._sweep: Sweep[R] | None = None

    @property
    def watched(self) -> int:
        """How many transfers are watched now."""
        return 0 if self._sweep is None else self._sweep.watched

    def subscribe(
        self, uuid: str, *, resume_token: str, last: R | None = None, deadline: float = math.inf
    ) -> Subscription[R]:
        """Return a context, as long as which a transfer is watched. Entering and leaving it is no I/O.

        Args:
            uuid: The transfer's id.
            resume_token: What errors that end the wait shall carry.
            last: The transfer as it is known, which is the first change. Without one it is looked at at once;
                with one, only after ``schedule.first`` seconds, since it was probably created just now.
            deadline: When the last look takes place, unless one is under way, by ``anyio.current_time``.
        """
        sweep, at = self._current_sweep(), self._settings.utc_now()
        return Subscription(sweep, uuid, last=last, resume_token=resume_token, deadline=deadline, at=at)

    def _current_sweep(self) -> Sweep[R]:
        # What a torn-down loop has left behind (a leader that never came to its end) must not jam the next.
        if self._sweep is None or self._sweep.loop != anyio.lowlevel.current_token():
            self._sweep = Sweep(self._settings)
        return self._sweep
