"""Clock of the sandbox."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["RunningClock"]


class RunningClock:
    """UTC that goes on as the event loop's clock does, so that it is virtual where that one is.

    Outside of an event loop it stands still, and catches up when it is looked at within it again. While a sandbox is
    served on a socket, several loops and threads look at it, and it goes by the machine's clock instead.
    """

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self._reading = 0.0
        self._source: object = None
        self._served = 0

    def __call__(self) -> datetime:
        """The present time (aware, UTC)."""
        source, reading = self._read()
        if source is None:
            return self._now  # back in the loop it catches up
        if source == self._source:
            self._now += timedelta(seconds=reading - self._reading)
        self._source, self._reading = source, reading
        return self._now

    @contextmanager
    def real(self) -> Generator[None]:
        """Goes by the machine's clock within the block."""
        self()  # up to here it went by the loop's clock
        self._served += 1
        self()
        try:
            yield
        finally:
            self()
            self._served -= 1
            self()

    def _read(self) -> tuple[object, float]:
        """What is gone by, and its reading in seconds."""
        if self._served:
            return "machine", time.monotonic()
        try:
            return current_token(), anyio.current_time()
        except RuntimeError:  # no event loop runs here
            return None, 0.0
