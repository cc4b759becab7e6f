"""Time in the model: relative to the present, in steps, and bounded.

The present is always zero. When time passes, every time in a state moves into the past by one `STEP`. A step is longer
than a lease, the settling time and the age up to which a baseline may be used. So what takes one of these spans in the
library takes a step here, and everything else may happen in any order within a step. A time that is `OLDEST` or older
stays as it is: all spans are over by then. That makes the number of states finite.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import attrs

from explorer.service import EPOCH
from explorer.values import rewritten
from upbit_async.payouts.journal_time import JournalTime, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "NOW",
    "OLDEST",
    "STEP",
    "aged",
    "are_recent",
    "before_restart",
    "created_at",
    "stay_apart",
    "times_in",
]

STEP: Final = 12.0
"""Length of a step, in seconds."""
OLDEST: Final = 3
"""Age at which times stop, in steps."""
_LIMIT: Final = -OLDEST * STEP
_FUTURE: Final = 3600.0
"""Relative time from which a time stays as it is, in seconds: a clock that is wrong by days has written it."""
NOW: Final = JournalTime(0.0, "this boot/clock")
_BEFORE_RESTART: Final = JournalTime(0.0, "an earlier boot/clock")
"""Any time before a restart of the machine: such times are compared with no others."""


def created_at(age: int) -> dt.datetime:
    """Return the time of a withdrawal that was made this many steps ago."""
    return EPOCH - dt.timedelta(seconds=min(age, OLDEST) * STEP)


def aged(part: Any) -> Any:
    """Return a time one step later; anything else as it is. It rewrites values (`explorer.values.rewritten`)."""
    return _moved(part, _older)


def before_restart(part: Any) -> Any:
    """Return a time of the journal's clock as one before the machine was restarted; anything else as it is."""
    return Moment.at(_BEFORE_RESTART) if isinstance(part, Moment) else part


def times_in(value: Any) -> frozenset[float]:
    """Return all times in a value, in seconds from the present."""
    found: set[float] = set()

    def add(seconds: float) -> float:
        found.add(seconds)
        return seconds

    def look(part: Any) -> Any:
        _moved(part, add)
        return part

    rewritten(value, look)
    return frozenset(found)


def stay_apart(times: Iterable[float]) -> bool:
    """Return whether different times are still different one step later."""
    before = set(times)
    return len({_older(each) for each in before}) == len(before)


def are_recent(times: Iterable[float]) -> bool:
    """Return whether none of the times is old already, so that one step later they are as far apart as now."""
    return all(each > _LIMIT for each in times)


def _older(seconds: float) -> float:
    return seconds - STEP if _LIMIT < seconds < _FUTURE else seconds


def _moved(part: Any, move: Callable[[float], float]) -> Any:
    match part:
        case JournalTime():
            return attrs.evolve(part, seconds=move(part.seconds))
        case Moment():
            return Moment(
                tuple(
                    (epoch, seconds if epoch == _BEFORE_RESTART.epoch else move(seconds))
                    for epoch, seconds in part.readings
                )
            )
        case dt.datetime():
            return EPOCH + dt.timedelta(seconds=move((part - EPOCH).total_seconds()))
        case _:
            return part
