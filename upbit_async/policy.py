"""Settings of retries, timeouts and polling, and the safety classes of endpoints."""

from __future__ import annotations

import enum

import attrs

from upbit_async.validation import count_field, number_field, positive_field

__all__ = ["PollSchedule", "RetryPolicy", "Safety", "Timeouts"]


class Safety(enum.Enum):
    """What may happen to a request whose answer was lost. A property of the endpoint, not of the verb."""

    READ = "read"
    """It changes nothing: repeated freely."""
    REPEATABLE = "repeatable"
    """It changes something, and doing so twice is the same as once: repeated freely."""
    ONCE = "once"
    """It must not happen twice: repeated only if it provably never left, or was refused unprocessed."""


@attrs.frozen
class Timeouts:
    """How long a call may take, in seconds.

    Attributes:
        connect: For a connection, including TLS.
        read: For each piece of the answer.
        write: For each piece of the request.
        total: For everything together: limiter, attempts and the waits between them.
    """

    connect: float = attrs.field(default=5.0, validator=positive_field)
    read: float = attrs.field(default=10.0, validator=positive_field)
    write: float = attrs.field(default=10.0, validator=positive_field)
    total: float = attrs.field(default=60.0, validator=positive_field)


@attrs.frozen
class RetryPolicy:
    """How often and how patiently a call that may be repeated is repeated, with full jitter.

    Attributes:
        attempts: Attempts in all; 1 switches repetition off.
        base: Ceiling of the first wait after a passing fault, in seconds; it doubles each time.
        throttled_base: The same after 429, on top of the second for which the group stands still.
        cap: No wait of ours is longer, in seconds (a server's hint may be).
    """

    attempts: int = attrs.field(default=3, validator=count_field)
    base: float = attrs.field(default=0.05, validator=number_field)
    throttled_base: float = attrs.field(default=1.0, validator=number_field)
    cap: float = attrs.field(default=20.0, validator=number_field)


@attrs.frozen
class PollSchedule:
    """When a transfer is looked at, in seconds.

    Attributes:
        first: From the start, and from every change, to the next look.
        factor: Each further wait is this many times longer ...
        longest: ... up to this.
        jitter: Each wait is varied by so much of itself, up or down (0.2 is ±20 %).
        grace: For so long after the start "not found" means that Upbit's list lags behind.
    """

    first: float = attrs.field(default=1.0, validator=positive_field)
    factor: float = attrs.field(default=1.5, validator=number_field)
    longest: float = attrs.field(default=30.0, validator=positive_field)
    jitter: float = attrs.field(default=0.2, validator=number_field)
    grace: float = attrs.field(default=30.0, validator=number_field)

    def __attrs_post_init__(self) -> None:
        if self.factor < 1:
            raise ValueError(f"factor must be at least 1, got {self.factor}")
        if self.jitter >= 1:
            raise ValueError(f"jitter must be below 1, got {self.jitter}")
        if self.longest < self.first:
            raise ValueError(f"longest must be at least first ({self.first}), got {self.longest}")
