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

from upbit_async.concurrency import KeyedLock
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
    """A task that waits for an answer."""

    answer: _Value[Any] | UpbitError | None = None


class SharedReads:
    """Reads that the tasks of one event loop share.

    If the task that makes a request is cancelled, the next waiting task makes it again, for all that wait by then.
    """

    def __init__(self) -> None:
        self._locks = KeyedLock()
        self._askers: dict[Hashable, dict[_Asker, None]] = {}

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
        waiting = self._askers.setdefault(key, {})
        waiting[asker] = None
        try:
            async with self._locks.hold(key):  # first come, first served
                if asker.answer is None:
                    await anyio.sleep(delay)
                    return await self._read_for(list(waiting), read)
        finally:
            del waiting[asker]
            if not waiting:
                del self._askers[key]
        if isinstance(asker.answer, UpbitError):
            raise copy.copy(asker.answer)
        value: T = asker.answer.value
        return value

    async def _read_for(self, askers: list[_Asker], read: Callable[[], Awaitable[T]]) -> T:
        """Make a request, and give its answer to the tasks that had asked before it began."""
        answer: _Value[T] | UpbitError | None = None  # stays None if this task is cancelled
        try:
            value = await read()
            answer = _Value(value)
        except UpbitError as failure:
            answer = copy.copy(failure)
            raise
        finally:
            for asker in askers:
                asker.answer = answer
        return value
