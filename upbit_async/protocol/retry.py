"""Decision whether and when to repeat a request. One table for all calls.

==================  ===========================  ===========================================
failure             READ, REPEATABLE             ONCE
==================  ===========================  ===========================================
not sent            repeat                       repeat
throttled           repeat, the group waits      repeat: it was not processed
throttled, bare     repeat, the group waits      outcome unknown
banned              stop                         stop
nonce used          repeat once                  outcome unknown
network, 408, 5xx   repeat                       outcome unknown
odd answer          stop                         outcome unknown
unreadable answer   stop                         outcome unknown
refused             stop                         stop
==================  ===========================  ===========================================

Waits have full jitter, and a retry budget turns an outage into quick failures instead of a storm. Both follow the AWS
SDKs: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.policy import RetryPolicy, Safety
from upbit_async.protocol.replies import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STANDSTILL", "RetryBudget", "Situation", "is_unknown", "leaves_doubt", "wait_before_retry"]

STANDSTILL: Final = 1.0
"""Minimum time for which a whole rate group stops after 429, in seconds."""

_AGAIN = {
    Safety.READ: {
        Failure.NOT_SENT,
        Failure.NETWORK,
        Failure.UNAVAILABLE,
        Failure.THROTTLED,
        Failure.BARE_THROTTLED,
    },
    Safety.ONCE: {Failure.NOT_SENT, Failure.THROTTLED},
}
_AGAIN[Safety.REPEATABLE] = _AGAIN[Safety.READ]
_KNOWN_NOT_DONE = {Failure.NOT_SENT, Failure.THROTTLED, Failure.BANNED, Failure.REFUSED}
_THROTTLINGS = {Failure.THROTTLED, Failure.BARE_THROTTLED}


def leaves_doubt(failure: Failure) -> bool:
    """Return whether a request may have been executed in spite of the failure."""
    return failure not in _KNOWN_NOT_DONE


def is_unknown(safety: Safety, failure: Failure) -> bool:
    """Return whether a request that must not be repeated may have been executed after all."""
    return safety is Safety.ONCE and leaves_doubt(failure)


@attrs.define
class RetryBudget:
    """Retry budget of a client: tokens that repetitions spend and successes return.

    The numbers are those of the AWS SDKs: 500 tokens, 14 for a repetition, 5 after throttling, and 1 back for a
    success. See https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html.
    """

    capacity: int = 500
    tokens: int = 500

    def spend(self, failure: Failure) -> int | None:
        """Spend the cost of a repetition and return it; None if too few tokens are left."""
        cost = 5 if failure in _THROTTLINGS else 14
        if cost > self.tokens:
            return None
        self.tokens -= cost
        return cost

    def succeed(self, last_cost: int | None) -> None:
        """Return the cost of the repetition that succeeded, or one token for a success at the first attempt."""
        self.tokens = min(self.capacity, self.tokens + (1 if last_cost is None else last_cost))


@attrs.frozen
class Situation:
    """State of a call after a failed attempt.

    Attributes:
        safety: Safety class of the endpoint.
        failure: Failure of the attempt.
        attempt: Number of the attempt, from 1.
        nonce_retried: Whether the call was repeated for a used nonce before.
        hint: Time that the server asks to wait, in seconds, or None.
    """

    safety: Safety
    failure: Failure
    attempt: int
    nonce_retried: bool = False
    hint: float | None = None


def wait_before_retry(
    policy: RetryPolicy, situation: Situation, *, rand: Callable[[], float]
) -> float | None:
    """Return the time to wait before the next attempt, in seconds; None if there must be no next attempt.

    Args:
        policy: Retry policy of the client.
        situation: State of the call.
        rand: Function that returns a random number from 0 up to 1.
    """
    if situation.attempt >= policy.attempts:
        return None
    if situation.failure is Failure.NONCE_USED:
        known_twice = situation.safety is Safety.ONCE or situation.nonce_retried
        return None if known_twice else situation.hint or 0.0
    if situation.failure not in _AGAIN[situation.safety]:
        return None
    doubled = 2.0 ** min(situation.attempt - 1, 32)
    if situation.failure in _THROTTLINGS:
        floor = max(STANDSTILL, situation.hint or 0.0)
        return floor + rand() * min(policy.cap, policy.throttled_base * doubled)
    return max(situation.hint or 0.0, rand() * min(policy.cap, policy.base * doubled))
