"""Shared reads: one request serves all tasks that asked for it before it began.

Many payouts ask Upbit the same question at the same time, such as for the newest withdrawals in a currency. An answer
is proof for a payout only if it was requested after the payout asked. So a task that asks while a request is in flight
waits for the next one, which serves all tasks that wait by then.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
import attrs

from upbit_async.errors import UpbitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

__all__ = ["SharedReads"]

T = TypeVar("T")


@attrs.frozen
class _Value(Generic[T]):
    """The answer to a request."""

    value: T


@attrs.define(eq=False)
class _Asker:
    """A task that asks.

    Attributes:
        answer: The answer, or the failure of the request; None while there is none.
        woken: Event that wakes the task; None while it does not sleep.
    """

    answer: _Value[Any] | UpbitError | None = None
    woken: anyio.Event | None = None

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
    """

    askers: dict[_Asker, None] = attrs.field(factory=dict[_Asker, None])
    is_in_flight: bool = False

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

    async def share(self, key: Hashable, read: Callable[[], Awaitable[T]], *, delay: float = 0.0) -> T:
        """Return the answer to a request that begins after this call.

        Args:
            key: The question. Tasks with the same key share requests.
            read: Function that makes the request. It must be the same for all tasks of a key.
            delay: Wait before the request, in seconds, in which other tasks may join.

        Raises:
            UpbitError: The request failed. All tasks that shared it raise a copy.
            Exception: Anything else that `read` raises is raised here alone, and the next task makes the request again.
        """
        asker = _Asker()
        question = self._questions.setdefault(key, _Question())
        question.askers[asker] = None
        try:
            while asker.answer is None:
                if not question.is_in_flight:
                    return await _read_for(question, read, delay)
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


async def _read_for(question: _Question, read: Callable[[], Awaitable[T]], delay: float) -> T:
    """Make a request, and give its answer to all tasks that had asked before it began."""
    answer: _Value[T] | UpbitError | None = None  # stays None if this task is cancelled
    askers: list[_Asker] = []
    question.is_in_flight = True
    try:
        await anyio.sleep(delay)
        askers = list(question.askers)
        value = await read()
        answer = _Value(value)
    except UpbitError as failure:
        answer = copy.copy(failure)
        raise
    finally:
        question.is_in_flight = False
        if answer is not None:
            for asker in askers:
                asker.answer = answer
                asker.wake()
    return value
