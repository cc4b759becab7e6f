"""Validation of numbers and flags."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from upbit_async import validation


def test_numbers_in_range_are_returned() -> None:
    assert validation.count("limit", 1) == 1
    assert validation.count("limit", 100, most=100) == 100
    assert validation.seconds("timeout", 0) == 0.0
    assert validation.timeout("timeout", None) == validation.timeout("timeout", math.inf) == math.inf
    assert validation.timeout("timeout", 2) == 2.0
    assert validation.flag("check", value=False) is False


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "limit must be from 1 to 100, got 0"),
        (101, "limit must be from 1 to 100, got 101"),
        (True, "limit must be a whole number, got bool"),
        (1.0, "limit must be a whole number, got float"),
    ],
)
def test_a_count_out_of_range_is_refused(value: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        validation.count("limit", value, most=100)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, -math.inf, 10**400])
def test_seconds_are_finite_and_not_negative(value: float) -> None:
    with pytest.raises(ValueError, match="wait must be finite and not negative, got "):
        validation.seconds("wait", value)


def test_positive_seconds_are_not_zero() -> None:
    with pytest.raises(ValueError, match="interval must be positive, got 0"):
        validation.seconds("interval", 0, positive=True)
    assert validation.seconds("interval", 0.1, positive=True) == 0.1


@pytest.mark.parametrize("value", [0, 1, None, "True"])
def test_only_true_and_false_are_flags(value: object) -> None:
    with pytest.raises(TypeError, match="check must be True or False, got "):
        validation.flag("check", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("13", "13"),
        ("0013.10", "0013.10"),
        (13, "13"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E-8"), "0.00000001"),
    ],
)
def test_a_decimal_number_is_written_positionally(value: Any, text: str) -> None:
    assert validation.decimal_text("amount", value) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0.00", "price must be positive, got 0.00"),
        (-1, "price must be a positive decimal number such as 13.241, got '-1'"),
        ("1e5", "price must be a positive decimal number such as 13.241, got '1e5'"),
        (Decimal("NaN"), "price must be finite, got NaN"),
        (Decimal("1E+64"), "price must have at most 64 digits, got 1E+64"),
        (0.1, "price must be text, a whole number or a Decimal, got float; write it as text"),
    ],
)
def test_a_number_that_can_not_be_sent_is_refused(value: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        validation.decimal_text("price", value)
    assert str(caught.value) == message
