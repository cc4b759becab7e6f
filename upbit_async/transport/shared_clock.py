"""Clock for limits that several event loops share.

Each event loop has its own clock: trio's starts at a random number, and a test's may run ahead. Its offset to the
process's monotonic clock is measured once; after that the loop's own clock counts.
"""

from __future__ import annotations

import threading
import time

import anyio
import anyio.lowlevel

__all__ = ["now", "now_anywhere"]


class _Offset(threading.local):
    """Clock offset of the loop that runs in this thread; a thread runs one loop at a time."""

    loop: object = None
    seconds: float = 0.0


_offset = _Offset()


def now() -> float:
    """Return the time in seconds, comparable between the event loops of this process."""
    seconds = anyio.current_time()
    loop = anyio.lowlevel.current_token()
    if loop != _offset.loop:
        _offset.loop = loop
        _offset.seconds = time.monotonic() - seconds
    return seconds + _offset.seconds


def now_anywhere() -> float:
    """Return the same time where no event loop may be running."""
    try:
        return now()
    except (anyio.NoEventLoopError, RuntimeError):
        return time.monotonic()
