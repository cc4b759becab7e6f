"""Timeouts, retry policy and poll schedule: defaults and validation."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from upbit_async import PollSchedule, RetryPolicy, Safety, Timeouts

SECONDS = [
    *((Timeouts, name, True) for name in ("connect", "read", "write", "total")),
    *((RetryPolicy, name, False) for name in ("base", "throttled_base", "cap")),
    (PollSchedule, "first", True),
    (PollSchedule, "longest", True),
    (PollSchedule, "grace", False),
    (PollSchedule, "jitter", False),
    (PollSchedule, "factor", True),
]


def test_defaults_are_the_documented_ones() -> None:
    assert attrs.astuple(Timeouts()) == (5, 10, 10, 60)
    assert attrs.astuple(RetryPolicy()) == (3, 0.05, 1.0, 20)
    assert attrs.astuple(PollSchedule()) == (1, 1.5, 30, 0.2, 30)


def test_safety_has_three_classes() -> None:
    assert {safety.name for safety in Safety} == {"READ", "REPEATABLE", "ONCE"}


@pytest.mark.parametrize(("kind", "name", "positive"), SECONDS)
def test_invalid_numbers_are_refused(kind: Any, name: str, *, positive: bool) -> None:
    for wrong in ("1", True, None, 1j):
        with pytest.raises(TypeError, match=f"{name} must be a number, got "):
            kind(**{name: wrong})
    for wrong in (-1, float("nan"), float("inf"), -0.001, 10**400):
        with pytest.raises(ValueError, match=f"{name} must be finite and not negative, got "):
            kind(**{name: wrong})
    if positive:
        with pytest.raises(ValueError, match=f"{name} must be (positive, got 0|at least 1)"):
            kind(**{name: 0})
    else:
        assert getattr(kind(**{name: 0}), name) == 0


@pytest.mark.parametrize("wrong", ["3", 3.0, True, None])
def test_attempts_must_be_a_whole_number(wrong: Any) -> None:
    with pytest.raises(TypeError, match="attempts must be a whole number, got "):
        RetryPolicy(attempts=wrong)


@pytest.mark.parametrize("wrong", [0, -1])
def test_attempts_must_be_at_least_one(wrong: int) -> None:
    with pytest.raises(ValueError, match="attempts must be at least 1, got "):
        RetryPolicy(attempts=wrong)
    assert RetryPolicy(attempts=1).attempts == 1


def test_schedule_with_shrinking_waits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"factor must be at least 1, got 0\.99"):
        PollSchedule(factor=0.99)
    with pytest.raises(ValueError, match=r"longest must be at least first \(2\), got 1"):
        PollSchedule(first=2, longest=1)
    with pytest.raises(ValueError, match="jitter must be below 1, got 1"):
        PollSchedule(jitter=1)
    assert PollSchedule(first=2, longest=2, factor=1, jitter=0.999).longest == 2


@pytest.mark.parametrize("value", [Timeouts(), RetryPolicy(), PollSchedule()])
def test_policies_are_hashable_frozen_values(value: Any) -> None:
    assert value == attrs.evolve(value)
    assert hash(value) == hash(attrs.evolve(value))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, next(iter(attrs.asdict(value))), 1)
