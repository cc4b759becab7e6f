"""What a user can tune."""

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


def test_the_defaults_are_those_of_the_contract() -> None:
    assert attrs.astuple(Timeouts()) == (5, 10, 10, 60)
    assert attrs.astuple(RetryPolicy()) == (3, 0.05, 1.0, 20)
    assert attrs.astuple(PollSchedule()) == (1, 1.5, 30, 0.2, 30)


def test_there_are_three_classes_of_safety() -> None:
    assert {safety.name for safety in Safety} == {"READ", "REPEATABLE", "ONCE"}


@pytest.mark.parametrize(("kind", "name", "positive"), SECONDS)
def test_numbers_are_checked(kind: Any, name: str, *, positive: bool) -> None:
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
def test_attempts_are_counted(wrong: Any) -> None:
    with pytest.raises(TypeError, match="attempts must be a whole number, got "):
        RetryPolicy(attempts=wrong)


@pytest.mark.parametrize("wrong", [0, -1])
def test_there_is_at_least_one_attempt(wrong: int) -> None:
    with pytest.raises(ValueError, match="attempts must be at least 1, got "):
        RetryPolicy(attempts=wrong)
    assert RetryPolicy(attempts=1).attempts == 1


def test_waits_never_shrink() -> None:
    with pytest.raises(ValueError, match=r"factor must be at least 1, got 0\.99"):
        PollSchedule(factor=0.99)
    with pytest.raises(ValueError, match=r"longest must be at least first \(2\), got 1"):
        PollSchedule(first=2, longest=1)
    with pytest.raises(ValueError, match="jitter must be below 1, got 1"):
        PollSchedule(jitter=1)
    assert PollSchedule(first=2, longest=2, factor=1, jitter=0.999).longest == 2


@pytest.mark.parametrize("value", [Timeouts(), RetryPolicy(), PollSchedule()])
def test_policies_are_values(value: Any) -> None:
    assert value == attrs.evolve(value)
    assert hash(value) == hash(attrs.evolve(value))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, next(iter(attrs.asdict(value))), 1)
