"""The time of day by which leases are kept."""

from __future__ import annotations

import datetime as dt

import anyio
from anyio.lowlevel import RunVar

__all__ = ["passing_time"]

_began: RunVar[tuple[dt.datetime, float]] = RunVar("upbit_async.payouts.began")


def passing_time() -> dt.datetime:
    """Return the present time, UTC, which never goes back as long as an event loop runs.

    The machine's clock may be set back, and a loop's own stands still while the machine sleeps: whichever is ahead
    counts. What this reads is only compared with what the same machine has written.
    """
    utc, seconds = dt.datetime.now(dt.UTC), anyio.current_time()
    try:
        start_utc, start = _began.get()
    except LookupError:
        start_utc, start = utc, seconds
        _began.set((utc, seconds))
    return max(utc, start_utc + dt.timedelta(seconds=seconds - start))
