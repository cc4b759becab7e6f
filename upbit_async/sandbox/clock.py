"""Clock of a sandbox: follows the event loop's clock, or the machine's while the sandbox is served."""

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
    """UTC clock that advances with the event loop's clock, so that it is virtual where that one is.

    Outside of an event loop it stands still; it catches up when it is next read within the loop. While a sandbox is
    served on a socket, several loops and threads read it, so it advances with the machine's clock instead.
    """

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self._reading = 0.0
        self._source: object = None
        self._served = 0

    def __call__(self) -> datetime:
        """Return the current time (aware, UTC)."""
        source, reading = self._read()
        if source is None:
            return self._now
        if source == self._source:
            self._now += timedelta(seconds=reading - self._reading)
        self._source, self._reading = source, reading
        return self._now

    @contextmanager
    def real(self) -> Generator[None]:
        """Follow the machine's clock within the block."""
        self()  # catch up with the loop's clock first
        self._served += 1
        self()
        try:
            yield
        finally:
            self()
            self._served -= 1
            self()

    def _read(self) -> tuple[object, float]:
        """Return the source of time, and its reading in seconds."""
        if self._served:
            return "machine", time.monotonic()
        try:
            return current_token(), anyio.current_time()
        except RuntimeError:  # no event loop runs here
            return None, 0.0
