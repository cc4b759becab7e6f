"""Time of the next poll of a transfer. Pure: time and randomness are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.policy import PollSchedule

__all__ = ["PollTime", "draw_jitter_factor", "next_poll_time", "wait_after"]


@attrs.frozen
class PollTime:
    """Time of the next poll of one transfer, by the event loop's clock, in seconds.

    Attributes:
        earliest: From this time on, the transfer may join a batch of others that are due.
        due: At this time, it is due itself.
    """

    earliest: float
    due: float


def wait_after(schedule: PollSchedule, quiet: float) -> float:
    """Return the wait before the next poll, in seconds.

    Polls that are exactly on time are spaced by ``first``, ``first * factor``, ``first * factor**2`` and so on, up to
    ``longest``. The wait depends on the time since the last change and not on the number of polls. So a poll that was
    early, because it joined a batch, or late, because of the rate limit, does not distort later ones.

    Args:
        schedule: The schedule.
        quiet: Time since the transfer last changed, or since the wait began, in seconds.
    """
    return min(schedule.first + quiet * (schedule.factor - 1), schedule.longest)


def draw_jitter_factor(schedule: PollSchedule, rand: Callable[[], float]) -> float:
    """Return a random factor for waits, between ``1 - jitter`` and ``1 + jitter``.

    It is drawn once per sweep and not once per transfer. Its purpose is to spread the polls of different clients;
    different factors within one client would spread transfers that share a request.

    Args:
        schedule: The schedule, of which only `jitter` is used.
        rand: Function that returns random numbers from 0 (included) to 1 (excluded).
    """
    return 1 + schedule.jitter * (2 * rand() - 1)


def next_poll_time(
    schedule: PollSchedule, *, now: float, quiet_since: float, jitter_factor: float
) -> PollTime:
    """Return the time of the poll that follows one that ends now.

    Args:
        schedule: The schedule.
        now: The time, by the event loop's clock, in seconds.
        quiet_since: Time of the transfer's last change, or of the beginning of the wait.
        jitter_factor: Factor by which the wait is varied.

    Returns:
        The time. The schedule's `jitter` also sets how early the transfer may join a batch: 0.2 means in the last fifth
        of the wait. So the shared jitter factor and an early batch together can shorten a wait by 36 %.
    """
    wait = wait_after(schedule, now - quiet_since) * jitter_factor
    return PollTime(earliest=now + wait * (1 - schedule.jitter), due=now + wait)
