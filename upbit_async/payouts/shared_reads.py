"""Shared reads: one request serves all tasks that asked for it before it began.

Many payouts ask Upbit the same question at the same time, such as for the newest withdrawals in a currency. An answer
is proof for a payout only if it was requested after the payout asked. So a task that asks while a request is in flight
waits for the next one, which serves all tasks that wait by then. A task that asks several questions can name the moment
of the first: requests that began after it serve the others too.

While many tasks ask the same question, its requests can be paced: they begin some time apart, so that each serves many.
Each task names that time. A task that can't wait as long as another makes the request sooner, for both.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel
import attrs

from upbit_async.errors import UpbitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

__all__ = ["PERIOD", "SharedReads"]

T = TypeVar("T")

PERIOD: Final = 1.0
"""Usual time between the beginnings of two requests for one question while many tasks ask it, in seconds."""
_MANY: Final = 4
"""Number of tasks that a request must have served for the next one to be paced."""
_KEPT: Final = 10.0
"""Time for which the newest answer to a question is kept, in seconds."""


@attrs.frozen
class _Value(Generic[T]):
    """The answer to a request.

    Attributes:
        value: The answer.
        number: The request's number.
        began_at: When the request began, by the event loop's clock.
        served: Number of tasks that it served.
    """

    value: T
    number: int
    began_at: float
    served: int = 1


@attrs.define(eq=False)
class _Asker:
    """A task that asks.

    Attributes:
        since: Number of the newest request that had begun when the task asked; only later ones serve it.
        earliest: When the request that this task waits for may begin, by the event loop's clock.
        period: Shortest time between that and the beginning of a request that served many, in seconds.
        answer: The answer, or the failure of the request; None while there is none.
        woken: Event that wakes the task; None while it does not sleep.
    """

    since: int
    earliest: float
    period: float
    answer: _Value[Any] | UpbitError | None = None
    woken: anyio.Event | None = None

    def due(self, crowded: float) -> float:
        """Return when the request is due if this task is the most urgent; `crowded` is as for a question."""
        return max(self.earliest, crowded + self.period)

    async def sleep(self) -> None:
        """Sleep until `wake` is called."""
        self.woken = anyio.Event()
        await self.woken.wait()

    def wake(self) -> None:
        """Wake the task if it sleeps."""
        if self.woken is not None:
            self.woken.set()
            self.woken = None


@attrs.define(eq=False)
class _Question:
    """The tasks that ask one question, in the order in which they came.

    Invariant: if tasks sleep and no request is in flight, one of them has been woken and has not run yet.

    Attributes:
        askers: The tasks.
        is_in_flight: Whether a task makes a request, or waits until it is due.
        crowded: When the newest request began if it served many, by the event loop's clock.
        due: When the request begins that is waited for.
        hurried: Event that is set when `due` becomes earlier.
    """

    askers: dict[_Asker, None] = attrs.field(factory=dict[_Asker, None])
    is_in_flight: bool = False
    crowded: float = -math.inf
    due: float = math.inf
    hurried: anyio.Event = attrs.field(factory=anyio.Event)

    async def wait_until_due(self) -> None:
        """Wait until the most urgent task's request is due, also if that task comes during the wait."""
        await anyio.lowlevel.checkpoint()  # for tasks that ask at the same time
        self.due = min(asker.due(self.crowded) for asker in self.askers if asker.answer is None)
        while anyio.current_time() < self.due:
            self.hurried = anyio.Event()
            with anyio.CancelScope(deadline=self.due):
                await self.hurried.wait()

    def join(self, asker: _Asker) -> None:
        """Add a task; a request that is waited for begins earlier if this task is more urgent."""
        self.askers[asker] = None
        if (due := asker.due(self.crowded)) < self.due:
            self.due = due
            self.hurried.set()

    def wake_next(self) -> None:
        """Wake the first task without an answer, to make the next request, unless a request is in flight."""
        waiting = (asker for asker in self.askers if asker.answer is None)
        if not self.is_in_flight and (asker := next(waiting, None)) is not None:
            asker.wake()


class SharedReads:
    """Reads that the tasks of one event loop share.

    If the task that makes a request is cancelled, another makes it again, for all that wait by then.
    """

    def __init__(self) -> None:
        self._questions: dict[Hashable, _Question] = {}
        self._newest: dict[Hashable, _Value[Any]] = {}
        self._begun = 0

    @property
    def moment(self) -> int:
        """The present, for `share`: the number of requests that have begun."""
        return self._begun

    async def share(
        self,
        key: Hashable,
        read: Callable[[], Awaitable[T]],
        *,
        delay: float = 0.0,
        since: int | None = None,
        period: float = 0.0,
    ) -> T:
        """Return the answer to a request that begins after this call, or began after an earlier moment.

        Args:
            key: The question. Tasks with the same key share requests.
            read: Function that makes the request. It must be the same for all tasks of a key.
            delay: Wait before the request, in seconds, in which other tasks may join.
            since: The `moment` after which the request must have begun; None, the default, for the present.
            period: Shortest time since the beginning of the previous request if that one served many tasks, in seconds.

        Raises:
            UpbitError: The request failed. All tasks that shared it raise a copy.
            Exception: Anything else that `read` raises is raised here alone, and the next task makes the request again.
        """
        asker = _Asker(self._begun if since is None else since, anyio.current_time() + delay, period)
        newest = self._newest.get(key)
        if newest is not None and newest.number > asker.since:
            known: T = newest.value
            return known
        question = self._questions.setdefault(key, _Question(crowded=_crowded(newest)))
        question.join(asker)
        try:
            while asker.answer is None:
                if not question.is_in_flight:
                    return await self._read_for(key, question, read)
                await asker.sleep()
        finally:
            del question.askers[asker]
            question.wake_next()
            if not question.askers:
                del self._questions[key]
        if isinstance(asker.answer, UpbitError):
            raise copy.copy(asker.answer)
        value: T = asker.answer.value
        return value

    async def _read_for(self, key: Hashable, question: _Question, read: Callable[[], Awaitable[T]]) -> T:
        """Make a request, and give its answer to all tasks that had asked before it began."""
        answer: _Value[T] | UpbitError | None = None  # stays None if this task is cancelled
        number = self._begun  # of a request that has not begun: it serves nobody
        question.is_in_flight = True
        try:
            await question.wait_until_due()
            self._begun += 1
            number, began_at = self._begun, anyio.current_time()
            value = await read()
            served = sum(asker.since < number for asker in question.askers)
            answer = _Value(value, number, began_at, served)
            question.crowded = _crowded(answer)
            self._keep(key, answer)
        except UpbitError as failure:
            answer = copy.copy(failure)
            raise
        finally:
            question.is_in_flight = False
            if answer is not None:
                for asker in [each for each in question.askers if each.since < number]:
                    asker.answer = answer
                    asker.wake()
        return value

    def _keep(self, key: Hashable, answer: _Value[Any]) -> None:
        """Keep the newest answer to a question, and forget old ones."""
        self._newest.pop(key, None)  # so that the oldest come first
        self._newest[key] = answer
        oldest = anyio.current_time() - _KEPT
        for each in [key for key, known in self._newest.items() if known.began_at < oldest]:
            del self._newest[each]


def _crowded(newest: _Value[Any] | None) -> float:
    """Return when the newest request began, by the event loop's clock, if it served many tasks."""
    return newest.began_at if newest is not None and newest.served >= _MANY else -math.inf
