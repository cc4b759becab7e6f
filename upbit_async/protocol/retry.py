"""Whether a request may be repeated, and when. One table for all calls.

==================  ===========================  ===========================================
what happened       READ, REPEATABLE             ONCE
==================  ===========================  ===========================================
not sent            again                        again
throttled           again, the group waits       again: it was refused unprocessed
throttled, bare     again, the group waits       outcome unknown
banned              stop                         stop
nonce used          once more                    outcome unknown
network, 408, 5xx   again                        outcome unknown
odd answer          stop                         outcome unknown
unreadable answer   stop                         outcome unknown
refused             stop                         stop
==================  ===========================  ===========================================

Waits have full jitter (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html), and a
budget turns an outage into quick failures rather than a storm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.policy import RetryPolicy, Safety
from upbit_async.protocol.replies import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RetryBudget", "Situation", "is_unknown", "leaves_doubt", "wait_before_retry"]

STANDSTILL: Final = 1.0
"""After 429 a whole group stops for at least so long, in seconds."""

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


def leaves_doubt(fault: Failure) -> bool:
    """Whether a request may have been carried out in spite of the fault."""
    return fault not in _KNOWN_NOT_DONE


def is_unknown(safety: Safety, fault: Failure) -> bool:
    """Whether a request that must not happen twice may have happened in spite of the fault."""
    return safety is Safety.ONCE and leaves_doubt(fault)


@attrs.define
class RetryBudget:
    """Retry quota of one client: retries spend tokens, and successes return them.

    The numbers are those of the standard retry mode of the AWS SDKs since 2026: 500 tokens, 14 for a retry and 5 for
    one after throttling. See https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html.
    """

    capacity: int = 500
    tokens: int = 500

    def spend(self, fault: Failure) -> int | None:
        """Take the cost of a retry and return it, or return None if too few tokens are left."""
        cost = 5 if fault in _THROTTLINGS else 14
        if cost > self.tokens:
            return None
        self.tokens -= cost
        return cost

    def succeed(self, last_cost: int | None) -> None:
        """Return the cost of the retry that succeeded, or one token for a success without a retry."""
        self.tokens = min(self.capacity, self.tokens + (1 if last_cost is None else last_cost))


@attrs.frozen
class Situation:
    """Where a call stands after an attempt that went wrong.

    Attributes:
        safety: The endpoint's class.
        fault: What went wrong.
        attempt: The number of the attempt, from 1.
        nonce_retried: Whether the call was repeated for a used nonce already.
        hint: How long the server asks to wait, in seconds, or None.
    """

    safety: Safety
    fault: Failure
    attempt: int
    nonce_retried: bool = False
    hint: float | None = None


def wait_before_retry(
    policy: RetryPolicy, situation: Situation, *, rand: Callable[[], float]
) -> float | None:
    """Say how long to wait before the next attempt, in seconds; None if there must be none.

    Args:
        policy: What the user allows.
        situation: What happened.
        rand: A number from 0 up to 1.
    """
    if situation.attempt >= policy.attempts:
        return None
    if situation.fault is Failure.NONCE_USED:
        known_twice = situation.safety is Safety.ONCE or situation.nonce_retried
        return None if known_twice else situation.hint or 0.0
    if situation.fault not in _AGAIN[situation.safety]:
        return None
    doubled = 2.0 ** min(situation.attempt - 1, 32)
    if situation.fault in _THROTTLINGS:
        floor = max(STANDSTILL, situation.hint or 0.0)
        return floor + rand() * min(policy.cap, policy.throttled_base * doubled)
    return max(situation.hint or 0.0, rand() * min(policy.cap, policy.base * doubled))
