"""The retry decision and the retry budget."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upbit_async.policy import RetryPolicy, Safety
from upbit_async.protocol.replies import Failure
from upbit_async.protocol.retry import STANDSTILL, RetryBudget, Situation, is_unknown, wait_before_retry

THROTTLINGS = (Failure.THROTTLED, Failure.BARE_THROTTLED)

_seconds = st.floats(0, 1000)
_policies = st.builds(
    RetryPolicy, attempts=st.integers(1, 60), base=_seconds, throttled_base=_seconds, cap=_seconds
)
_situations = st.builds(
    Situation,
    safety=st.sampled_from(Safety),
    failure=st.sampled_from(Failure),
    attempt=st.integers(1, 70),
    nonce_retried=st.booleans(),
    hint=st.none() | _seconds,
)
_rands = st.floats(0, 1, exclude_max=True)


def _wait(situation: Situation, rand: float = 0.5, **policy: Any) -> float | None:
    return wait_before_retry(RetryPolicy(**policy), situation, rand=lambda: rand)


@settings(max_examples=400)
@given(policy=_policies, situation=_situations, rand=_rands)
def test_wait_is_between_the_hint_and_the_cap(policy: RetryPolicy, situation: Situation, rand: float) -> None:
    wait = wait_before_retry(policy, situation, rand=lambda: rand)
    if wait is None:
        return
    hint = situation.hint or 0.0
    assert wait >= hint
    if situation.failure in THROTTLINGS:
        assert STANDSTILL <= wait <= max(STANDSTILL, hint) + policy.cap
    else:
        assert wait <= max(hint, policy.cap)


@settings(max_examples=400)
@given(policy=_policies, situation=_situations, rand=_rands)
def test_attempts_limit_every_retry(policy: RetryPolicy, situation: Situation, rand: float) -> None:
    if situation.attempt >= policy.attempts:
        assert wait_before_retry(policy, situation, rand=lambda: rand) is None


@settings(max_examples=400)
@given(policy=_policies, situation=_situations)
def test_once_calls_are_retried_only_if_not_executed(policy: RetryPolicy, situation: Situation) -> None:
    if situation.safety is Safety.ONCE and wait_before_retry(policy, situation, rand=lambda: 0.0) is not None:
        assert situation.failure in {Failure.NOT_SENT, Failure.THROTTLED}


@pytest.mark.parametrize("failure", Failure)
def test_only_once_calls_can_be_unknown(failure: Failure) -> None:
    assert not is_unknown(Safety.READ, failure)
    assert not is_unknown(Safety.REPEATABLE, failure)
    known = {Failure.NOT_SENT, Failure.THROTTLED, Failure.BANNED, Failure.REFUSED}
    assert is_unknown(Safety.ONCE, failure) == (failure not in known)


@pytest.mark.parametrize("safety", [Safety.READ, Safety.REPEATABLE])
def test_used_nonce_is_retried_once_at_once(safety: Safety) -> None:
    assert _wait(Situation(safety, Failure.NONCE_USED, 1)) == 0.0
    assert _wait(Situation(safety, Failure.NONCE_USED, 2, nonce_retried=True)) is None
    assert _wait(Situation(safety, Failure.NONCE_USED, 1, hint=3.0)) == 3.0
    assert _wait(Situation(Safety.ONCE, Failure.NONCE_USED, 1)) is None


def test_jitter_ceiling_doubles_up_to_the_cap() -> None:
    waits = [
        _wait(Situation(Safety.READ, Failure.NETWORK, attempt), rand=1.0, attempts=99)
        for attempt in range(1, 12)
    ]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0]


def test_jitter_after_429_is_added_to_the_pause() -> None:
    waits = [
        _wait(Situation(Safety.READ, Failure.THROTTLED, attempt), rand=1.0, attempts=9)
        for attempt in range(1, 8)
    ]
    assert waits == [2.0, 3.0, 5.0, 9.0, 17.0, 21.0, 21.0]
    assert _wait(Situation(Safety.ONCE, Failure.THROTTLED, 1), rand=0.0) == 1.0
    assert _wait(Situation(Safety.READ, Failure.BARE_THROTTLED, 1, hint=7.0), rand=0.0) == 7.0
    assert _wait(Situation(Safety.READ, Failure.THROTTLED, 1, hint=0.2), rand=0.0) == 1.0


def test_huge_attempt_number_does_not_overflow() -> None:
    assert _wait(Situation(Safety.READ, Failure.NETWORK, 10**9), rand=1.0, attempts=10**9 + 1) == 20.0


@pytest.mark.parametrize("safety", Safety)
@pytest.mark.parametrize("failure", [Failure.BANNED, Failure.REFUSED, Failure.ODD, Failure.UNREADABLE])
def test_settled_outcome_is_never_retried(safety: Safety, failure: Failure) -> None:
    assert _wait(Situation(safety, failure, 1, hint=0.0), attempts=99) is None


def test_three_attempts_are_the_default() -> None:
    waits = [_wait(Situation(Safety.READ, Failure.UNAVAILABLE, attempt)) is not None for attempt in (1, 2, 3)]
    assert waits == [True, True, False]


def test_retry_budget_costs_match_those_of_aws() -> None:
    budget = RetryBudget()
    assert (budget.capacity, budget.tokens) == (500, 500)
    assert (budget.spend(Failure.NETWORK), budget.tokens) == (14, 486)
    assert (budget.spend(Failure.NOT_SENT), budget.tokens) == (14, 472)
    assert (budget.spend(Failure.THROTTLED), budget.tokens) == (5, 467)
    assert (budget.spend(Failure.BARE_THROTTLED), budget.tokens) == (5, 462)

    budget.succeed(14)
    assert budget.tokens == 476
    budget.succeed(None)
    assert budget.tokens == 477


def test_retry_budget_allows_35_retries_in_an_outage() -> None:
    budget = RetryBudget()
    costs = [budget.spend(Failure.UNAVAILABLE) for _ in range(40)]
    assert costs == [14] * 35 + [None] * 5
    assert budget.tokens == 10
    assert [budget.spend(Failure.THROTTLED) for _ in range(3)] == [5, 5, None]


@given(steps=st.lists(st.sampled_from(Failure) | st.none(), max_size=200))
def test_retry_budget_stays_within_its_bounds(steps: list[Failure | None]) -> None:
    budget, last = RetryBudget(), None
    for failure in steps:
        if failure is None:
            budget.succeed(last)
            last = None
        else:
            last = budget.spend(failure)
        assert 0 <= budget.tokens <= 500
