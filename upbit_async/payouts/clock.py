"""The time of day by which leases are kept."""

from __future__ import annotations

import datetime as dt

import anyio
import anyio.lowlevel

__all__ = ["PassingTime"]


class PassingTime:
    """UTC that never goes back while a process runs, and goes on as the event loop's clock does.

    The machine's clock may be set back, and a loop's own stands still while the machine sleeps: whichever is ahead
    counts. What this reads is only compared with what the same machine has written.
    """

    def __init__(self) -> None:
        self._loop: object = None
        self._start = 0.0
        self._start_utc = dt.datetime.min.replace(tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        """Return the present time."""
        utc, seconds = dt.datetime.now(dt.UTC), anyio.current_time()
        loop = anyio.lowlevel.current_token()
        if loop != self._loop:
            self._loop, self._start, self._start_utc = loop, seconds, max(utc, self._start_utc)
        return max(utc, self._start_utc + dt.timedelta(seconds=seconds - self._start))
