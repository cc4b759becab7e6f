"""Time in the model: relative to the present, in steps, and bounded.

The present is always zero. When time passes, every time in a state moves into the past by one `STEP`. A step is longer
than a lease, the settling time and the age up to which a baseline may be used. So what takes one of these spans in the
library takes a step here, and everything else may happen in any order within a step. A time that is `OLDEST` or older
stays as it is: all spans are over by then. That makes the number of states finite.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import attrs
from explorer.service import EPOCH
from explorer.values import rewritten

from upbit_async.payouts.journal_time import JournalTime, Moment

__all__ = ["LONGEST_PAUSE", "NOW", "OLDEST", "STEP", "aged", "created_at"]

STEP: Final = 12.0
"""Length of a step, in seconds."""
OLDEST: Final = 3
"""Age at which times stop, in steps."""
_LIMIT: Final = -OLDEST * STEP
LONGEST_PAUSE: Final = _LIMIT + STEP
"""Reading of the clock from which an operation may not take another step: longer pauses have the same effect."""
NOW: Final = JournalTime(0.0, "model/clock")


def created_at(age: int) -> dt.datetime:
    """Return the time of a withdrawal that was made this many steps ago."""
    return EPOCH - dt.timedelta(seconds=min(age, OLDEST) * STEP)


def older(seconds: float) -> float:
    """Return a relative time one step later."""
    return seconds - STEP if seconds > _LIMIT else seconds


def aged(value: Any) -> Any:
    """Return a value one step later."""
    return rewritten(value, _aged)


def _aged(part: Any) -> Any:
    match part:
        case JournalTime():
            return attrs.evolve(part, seconds=older(part.seconds))
        case Moment():
            return Moment(tuple((epoch, older(seconds)) for epoch, seconds in part.readings))
        case dt.datetime():
            return EPOCH + dt.timedelta(seconds=older((part - EPOCH).total_seconds()))
        case _:
            return part
