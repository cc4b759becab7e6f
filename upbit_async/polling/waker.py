"""Wakes one sleeping task.

anyio's event would do, but on asyncio it costs a kilobyte more for each sleeper, and there may be ten thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

__all__ = ["Waker", "new_waker"]


class Waker(Protocol):
    """Rings once, for one sleeper."""

    def set(self) -> None:
        """Ring."""
        ...

    def wait(self) -> Awaitable[None]:
        """Sleep until it rings."""
        ...


class _AsyncioBell:
    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._future = future

    def set(self) -> None:
        if not self._future.done():  # who is cancelled hears no more
            self._future.set_result(None)

    def wait(self) -> Awaitable[None]:
        return self._future


def new_waker() -> Waker:
    """Return what suits the event loop that runs."""
    import asyncio  # noqa: PLC0415 - it takes long to import, and where it runs somebody has done so

    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return _AsyncioBell(asyncio.get_running_loop().create_future())
    return anyio.Event()
