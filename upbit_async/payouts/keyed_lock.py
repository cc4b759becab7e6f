"""Lock per key for the tasks of one process; other processes are waited for by polling."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable, Iterator

__all__ = ["Hold", "KeyedLock", "poll_pauses"]

_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@attrs.define(eq=False)
class Hold:
    """One caller's turn.

    Attributes:
        failure: What the one before has failed with, if that goes for all who waited meanwhile.
    """

    failure: Exception | None = None


@attrs.define(eq=False)
class _Queue:
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    turns: list[Hold] = attrs.field(factory=list[Hold])


class KeyedLock:
    """Locks by name, which are there only as long as somebody wants them."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}

    @contextlib.asynccontextmanager
    async def hold(self, what: Hashable) -> AsyncGenerator[Hold, None]:
        """Wait for one's turn and have it while the block lasts."""
        queue = self._queues.setdefault(what, _Queue())
        lock = Hold()
        queue.turns.append(lock)
        try:
            async with queue.lock:
                yield lock
        finally:
            queue.turns.remove(lock)
            if not queue.turns:
                del self._queues[what]

    def share_failure(self, what: Hashable, failure: Exception) -> None:
        """Let all who wait for their turn know what the one who has it has failed with."""
        for lock in self._queues[what].turns:
            lock.failure = failure


def poll_pauses() -> Iterator[float]:
    """Yield how long to wait after each look at what another process does, in seconds; it does not end."""
    seconds = _SHORTEST_PAUSE
    while True:
        yield seconds
        seconds = min(_LONGEST_PAUSE, seconds * 1.5)
