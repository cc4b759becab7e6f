"""Settings of retries, timeouts and polling, and the safety classes of endpoints."""

from __future__ import annotations

import enum

import attrs

from upbit_async.validation import count_field, number_field, positive_field

__all__ = ["PollSchedule", "RetryPolicy", "Safety", "Timeouts"]


class Safety(enum.Enum):
    """Safety class of an endpoint: whether a request may be repeated after its answer was lost.

    It is a property of the endpoint, not of the HTTP method.

    Example:
        .. code-block:: python

            markets = await client.request("GET", "/v1/market/all", safety=Safety.READ)
    """

    READ = "read"
    """The request changes nothing. The client repeats it after every transient failure."""
    REPEATABLE = "repeatable"
    """The request changes something, but twice has the same effect as once. The client repeats it like a read."""
    ONCE = "once"
    """The request must not be executed twice. The client repeats it only with proof that it was not executed.

    Proof is that it never left, or that Upbit refused it unprocessed. Otherwise the call raises `OutcomeUnknown`:
    look up the effect before you send the request again.
    """


@attrs.frozen
class Timeouts:
    """Time limits of one call, in seconds.

    Attributes:
        connect: Limit for opening a connection, including TLS. Default: 5.
        read: Limit for each part of the answer. Default: 10.
        write: Limit for each part of the request. Default: 10.
        total: Limit for the whole call: rate limiter, attempts and the waits between them. Default: 60.

    Example:
        .. code-block:: python

            quick = client.with_options(timeouts=Timeouts(read=5, total=20))
            wallet = await quick.status.wallet("USDT", "TRX")
    """

    connect: float = attrs.field(default=5.0, validator=positive_field)
    read: float = attrs.field(default=10.0, validator=positive_field)
    write: float = attrs.field(default=10.0, validator=positive_field)
    total: float = attrs.field(default=60.0, validator=positive_field)


@attrs.frozen
class RetryPolicy:
    """Retry policy for calls that are safe to repeat: exponential back-off with full jitter.

    The defaults are those of the standard retry mode of the AWS SDKs since 2026, see
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html.

    Attributes:
        attempts: Maximum number of attempts; 1 turns retries off. Default: 3.
        base: Upper bound of the first wait after a transient failure, in seconds; it doubles with each attempt.
            Default: 0.05.
        throttled_base: The same after a 429, added to the second for which the rate group pauses. Default: 1.
        cap: Upper bound of every wait, in seconds, unless the server asks for a longer one. Default: 20.

    Example:
        .. code-block:: python

            patient = client.with_options(retry=RetryPolicy(attempts=5, cap=60))
            wallet = await patient.status.wallet("USDT", "TRX")
    """

    attempts: int = attrs.field(default=3, validator=count_field)
    base: float = attrs.field(default=0.05, validator=number_field)
    throttled_base: float = attrs.field(default=1.0, validator=number_field)
    cap: float = attrs.field(default=20.0, validator=number_field)


@attrs.frozen
class PollSchedule:
    """How often transfers are polled, in seconds.

    Attributes:
        first: Interval before the first poll if the record is already known, as after `send`, and before the next poll
            after a change. If no record is known, the first poll is immediate. Default: 1.
        factor: Factor by which the interval grows with each poll that shows no change. Default: 1.5.
        longest: Maximum interval. Default: 30.
        jitter: Random variation of each interval, as a fraction of it; 0.2 is ±20 %. A transfer may also be polled this
            fraction of its interval earlier, together with others that are due. Default: 0.2.
        grace: Time after the start for which "not found" means that Upbit's list lags behind. Default: 30.

    Example:
        .. code-block:: python

            relaxed = client.with_options(poll=PollSchedule(first=5, longest=120))
            poller = await relaxed.withdraws.send(
                currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
            )
            done = await poller.result(timeout=3600)
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
