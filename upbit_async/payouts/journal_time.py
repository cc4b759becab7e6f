"""Journal time: the time that leases and settling use, and durations between its points. Pure.

The time of day is no measure for a lease: it can be wrong, differ between processes, and be set while the lease runs.
A journal has a clock that nobody can set. That clock may start again when the machine does, and a container may shift
it, so each reading is tagged with its *epoch*. Two readings can be subtracted only if they share an epoch. A process
that reads a point of another epoch adds its own reading to it. From then on it knows for how long *at least* the point
has passed.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Final

import attrs

__all__ = [
    "CLAIM_DAYS",
    "JournalTime",
    "Moment",
    "Now",
    "is_recent",
    "later",
    "lease_is_over",
    "remaining_settling_time",
]

_MOST_READINGS: Final = 8
"""Number of epochs that a point keeps; older ones are dropped."""

UNBOUNDED_SECONDS: Final = 960.0
"""Time for which Linux may retransmit on a connection that this library could not bound: 15 tries, 924.6 s at least.

See ``tcp_retries2`` in https://www.kernel.org/doc/Documentation/networking/ip-sysctl.rst.
"""

CLAIM_DAYS: Final = 7
"""Time after its last copy was sent in which a payout may turn out to have been carried out, in days."""


def _check_seconds(_: object, __: object, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"seconds must be a number, got {type(value).__name__}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("seconds must be finite")


def _check_epoch(_: object, __: object, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"epoch must be text, got {type(value).__name__}")


@attrs.frozen
class JournalTime:
    """A reading of a journal's clock.

    Attributes:
        seconds: The reading, in seconds from an arbitrary point.
        epoch: Name of the period in which readings can be compared, such as one boot of one machine; empty if that is
            unknown. Readings without an epoch can't be compared at all, so no lease ever ends by them: see `tagged`.

    Raises:
        TypeError: The seconds are not a number, or the epoch is not text.
        ValueError: The seconds are not finite.

    Example:
        .. code-block:: python

            before = await journal.now()
            after = await journal.now()
            assert before.epoch == after.epoch and before.seconds <= after.seconds
    """

    seconds: float = attrs.field(validator=_check_seconds)
    epoch: str = attrs.field(validator=_check_epoch)

    def tagged(self, process: str) -> JournalTime:
        """Return the reading with an epoch: its own, or else one that only the readings of one process share.

        A lease then counts in full from when that process first reads it.

        Args:
            process: Name that no other process has, and that this one keeps, such as a random UUID.
        """
        return self if self.epoch else attrs.evolve(self, epoch=f"/{process}")


@attrs.frozen
class Moment:
    """A point in journal time.

    Attributes:
        readings: The clock's reading in each epoch in which the point was recorded, or first read.

    Example:
        .. code-block:: python

            start = Moment.at(await journal.now())
            assert start.elapsed(await journal.now()) is not None
    """

    readings: tuple[tuple[str, float], ...]

    @classmethod
    def at(cls, time: JournalTime) -> Moment:
        """Return the point of a reading."""
        return cls(((time.epoch, time.seconds),))

    def elapsed(self, now: JournalTime) -> float | None:
        """Return the least time since the point, in seconds; None if it was not read in this epoch yet.

        Without an epoch it is None: two readings without one may be of different clocks.
        """
        reading = dict(self.readings).get(now.epoch) if now.epoch else None
        return None if reading is None else now.seconds - reading

    def is_before_boot(self, now: JournalTime) -> bool:
        """Return whether the machine was restarted since the point, so that no process of that time is alive."""
        boot = _boot_of(now.epoch)
        boots = {_boot_of(epoch) for epoch, _ in self.readings}
        return bool(boot) and "" not in boots and boot not in boots

    def seen(self, now: JournalTime) -> Moment:
        """Return the same point with a reading of this epoch, unless it has one or the epoch is unknown."""
        if not now.epoch or self.elapsed(now) is not None:
            return self
        return Moment((*self.readings[-_MOST_READINGS + 1 :], (now.epoch, now.seconds)))

    def later(self, seconds: float) -> Moment:
        """Return a later point."""
        return Moment(tuple((epoch, reading + seconds) for epoch, reading in self.readings))


@attrs.frozen
class Now:
    """The present, by both clocks.

    Attributes:
        utc: Time of the machine's clock, which may be set; for people.
        journal: Journal time; for leases and settling times.
    """

    utc: dt.datetime
    journal: JournalTime


def lease_is_over(left_at: Moment, lease: float, now: JournalTime) -> bool:
    """Return whether the holder of a lease can't be sending any more."""
    if left_at.is_before_boot(now):
        return True
    elapsed = left_at.elapsed(now)
    # A lease that begins in the future by more than its own length was not written by this library.
    return elapsed is not None and not -lease < elapsed < lease


def remaining_settling_time(
    lost_at: Moment, left_at: Moment, settling_time: float, now: JournalTime, *, is_bounded: bool
) -> float:
    """Return the time for which Upbit's list may not be complete yet, in seconds.

    Args:
        lost_at: Time from which no answer can arrive any more.
        left_at: Time at which the last copy was recorded.
        settling_time: Longest lag of the list, in seconds.
        now: The present.
        is_bounded: Whether the request's connection was bounded; see `upbit_async.transport.bounding`.
    """
    remaining = settling_time - (lost_at.elapsed(now) or 0.0)
    if not is_bounded:
        remaining = max(remaining, UNBOUNDED_SECONDS - (left_at.elapsed(now) or 0.0))
    return max(0.0, remaining)


def is_recent(left_at: Moment, left_utc: dt.datetime, within: dt.timedelta, now: Now) -> bool:
    """Return whether a copy may have been sent within a span, by either clock: a wrong clock can't shorten it."""
    elapsed = left_at.elapsed(now.journal)
    by_journal = elapsed is not None and elapsed < within.total_seconds()
    return by_journal or now.utc - left_utc < within


def _boot_of(epoch: str) -> str:
    return epoch.partition("/")[0]


def later(known: Moment, other: Moment, now: JournalTime) -> Moment:
    """Return the later of two moments.

    Args:
        known: A moment.
        other: Another one, which was taken at a time that is compared with it.
        now: That time.
    """
    elapsed = known.elapsed(now)
    return known if elapsed is not None and elapsed < 0 else other
