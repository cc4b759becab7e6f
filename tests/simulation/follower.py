"""Process that follows the changes of all payouts, crashes, and continues where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from simulated_loop import Crashed
from workers import Worker

from upbit_async.errors import JournalError

if TYPE_CHECKING:
    from world import World

    from upbit_async.payouts import PayoutChange

__all__ = ["Follower"]

_LIVES: Final = (3.0, 20.0, 60.0)
_RETRY: Final = 1.0


class Follower:
    """Process that follows the changes, and starts again after each crash.

    Args:
        world: The simulation.

    Attributes:
        changes: What it has received, which outlives it.
    """

    def __init__(self, world: World) -> None:
        self.changes: list[PayoutChange] = []
        self._world = world
        self._lives = 0

    async def follow(self, seconds: float) -> None:
        """Follow the changes for some time, and crash now and then."""
        end = self._world.loop.time() + seconds
        while (remaining := end - self._world.loop.time()) > 0:
            await self._live(min(remaining, self._world.chance.choice(_LIVES)))

    async def catch_up(self) -> None:
        """Follow the changes until the newest one."""
        newest = self._world.journal.newest_position()
        while (self.changes[-1].position if self.changes else 0) < newest:
            await self._live(_RETRY)

    async def _live(self, seconds: float) -> None:
        self._lives += 1
        worker = Worker(self._world, f"follower {self._lives}")
        worker.process.start(self._receive(worker))
        await anyio.sleep(seconds)
        worker.process.crash()

    async def _receive(self, worker: Worker) -> None:
        while True:
            position = self.changes[-1].position if self.changes else 0
            try:
                async for change in worker.payouts.changes(after=position):
                    self.changes.append(change)
            except (Crashed, JournalError):
                await anyio.sleep(_RETRY)
