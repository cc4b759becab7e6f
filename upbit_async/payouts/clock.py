"""The time of day by which leases are kept."""

from __future__ import annotations

import datetime as dt

import anyio
from anyio.lowlevel import RunVar

__all__ = ["passing_time"]

_began: RunVar[tuple[dt.datetime, float]] = RunVar("upbit_async.payouts.began")


def passing_time() -> dt.datetime:
    """Return the present time, UTC: by the machine's clock, or by the event loop's, whichever is ahead.

    The machine's clock may be set back while a lease runs, and a loop's own stands still while the machine sleeps.
    Either may be wrong, and then a lease is too short, or too long by its own length at most: that costs time only.
    """
    utc, seconds = dt.datetime.now(dt.UTC), anyio.current_time()
    try:
        start_utc, start = _began.get()
    except LookupError:
        start_utc, start = utc, seconds
        _began.set((utc, seconds))
    return max(utc, start_utc + dt.timedelta(seconds=seconds - start))
