"""Turns: of all who want the same thing in one process, one has it at a time; other processes are looked for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

__all__ = ["Turns", "pause"]

_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@attrs.define(eq=False)
class _Queue:
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    length: int = 0


class Turns:
    """Locks by name, which are there only as long as somebody wants them."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}

    @contextlib.asynccontextmanager
    async def take(self, what: Hashable) -> AsyncGenerator[None, None]:
        """Wait for one's turn and have it while the block lasts."""
        queue = self._queues.setdefault(what, _Queue())
        queue.length += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[what]


def pause(look: int) -> float:
    """Return how long to wait between two looks at what another process does, in seconds."""
    return min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 1.5 ** min(look, 32))
