"""When to poll next. Pure: time and randomness are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.policy import PollSchedule

__all__ = ["NextPoll", "draw_stretch", "next_poll", "wait_after"]


@attrs.frozen
class NextPoll:
    """The next look at one transfer, in seconds of the event loop's clock.

    Attributes:
        ready: From here on it may come along with a look at others.
        due: Here it is looked at in any case.
    """

    ready: float
    due: float


def wait_after(schedule: PollSchedule, quiet: float) -> float:
    """Return how long to wait, in seconds, if the last change was `quiet` seconds ago.

    Looks that come exactly on time are spaced by ``first``, ``first * factor``, ``first * factor**2``, and
    so on up to ``longest``. Because the wait follows from the time and not from a count of looks, an early
    look (which came along with others) or a late one (which stood behind the rate limit) does not bend it.
    """
    return min(schedule.first + quiet * (schedule.factor - 1), schedule.longest)


def draw_stretch(schedule: PollSchedule, rand: Callable[[], float]) -> float:
    """Return the factor by which the next waits are varied, between ``1 - jitter`` and ``1 + jitter``.

    It is drawn once a sweep and not once a transfer: it is meant to keep clients apart from each other, and
    would scatter the transfers of one client, which go best together.

    Args:
        schedule: Its ``jitter`` counts.
        rand: Returns numbers from 0 (included) to 1 (excluded).
    """
    return 1 + schedule.jitter * (2 * rand() - 1)


def next_poll(schedule: PollSchedule, *, now: float, quiet_since: float, stretch: float) -> NextPoll:
    """Plan the look after one that ended `now`, at a transfer that began or last changed at `quiet_since`."""
    wait = wait_after(schedule, now - quiet_since) * stretch
    return NextPoll(ready=now + wait * (1 - schedule.jitter), due=now + wait)
