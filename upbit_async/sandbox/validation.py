"""Validation of values that a test passes to the sandbox."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

import attrs

__all__ = ["LONGEST", "check_annotations", "check_choice", "check_seconds", "check_status", "valid_amount"]

LONGEST: Final = 1e9
"""Longest time in seconds, about 30 years, so that a time plus or minus it is still a valid time."""
_STATUSES: Final = range(200, 600)
_DAY: Final = timedelta(days=1)
_DIGITS: Final = 40
"""Maximum number of digits before or after the point, as for amounts in a request."""

_Check: TypeAlias = Callable[[object], bool]


def check_annotations(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Add a validator for its annotation to each field of an attrs class; for ``field_transformer``."""
    hints = get_type_hints(cls)
    return [
        field.evolve(validator=attrs.validators.and_(_validator(hints[field.name]), *_own(field)))
        for field in fields
    ]


def check_status(_: object, field: attrs.Attribute[int], value: int) -> None:
    """Check an HTTP status; an attrs validator.

    Raises:
        ValueError: No final answer can have it.
    """
    if type(value) is not int or value not in _STATUSES:
        raise ValueError(f"{_name(field)} must be a whole number from 200 to 599, got {value!r}")


def check_seconds(_: object, field: attrs.Attribute[Any], value: float | None) -> None:
    """Check a number of seconds, or ``None``; an attrs validator.

    Raises:
        ValueError: It is not a number from 0 to 10^9.
    """
    if value is not None and not _is_seconds(value):
        raise ValueError(f"{field.name} must be a number from 0 to 10^9, got {value!r}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check that a value is one of several texts.

    Raises:
        ValueError: It is not; the text names the choices.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be {_one_of(choices)}, got {value!r}")


def valid_amount(amount: Decimal | str | int, *, positive: bool = False) -> Decimal:
    """Return an amount as a `Decimal`.

    Args:
        amount: Amount.
        positive: Whether it must be above zero.

    Raises:
        ValueError: It is not a finite number, has more than 40 digits before or after the point, or is not positive
            although it must be.
    """
    try:
        value = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"amount must be a number, got {amount!r}") from None
    if positive and not (value.is_finite() and value > 0):
        raise ValueError(f"amount must be above zero, got {amount}")
    if not value.is_finite():
        raise ValueError(f"amount must be finite, got {amount}")
    if value.adjusted() >= _DIGITS or value.as_tuple().exponent < -_DIGITS:  # type: ignore[operator]  # finite
        raise ValueError(
            f"amount must have at most {_DIGITS} digits before and after the point, got {amount}"
        )
    return value


def _own(field: attrs.Attribute[Any]) -> list[Any]:
    return [] if field.validator is None else [field.validator]


def _name(field: attrs.Attribute[Any]) -> str:
    return "status" if field.name == "status" else f"knob {field.name}"


def _validator(hint: Any) -> Callable[[object, attrs.Attribute[Any], object], None]:
    fits, wanted = _rule_for(hint)

    def validate(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if not fits(value):
            raise ValueError(f"{_name(field)} must be {wanted}, got {value!r}")

    return validate


def _rule_for(hint: Any) -> tuple[_Check, str]:
    """Return a check for an annotation, and a description of the values that pass it."""
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return lambda value: isinstance(value, str) and value in words, _one_of(words)
    if get_origin(hint) in {Union, types.UnionType}:
        rules = [_rule_for(inner) for inner in get_args(hint)]
        wanted = " or ".join(words for _, words in rules)
        return lambda value: any(fits(value) for fits, _ in rules), wanted
    if get_origin(hint) is frozenset:
        return _is_set_of_texts, "a frozenset of texts"
    return _SIMPLE.get(hint) or (lambda value: isinstance(value, hint), f"of type {hint.__name__}")


def _one_of(words: Sequence[str]) -> str:
    return f"one of {', '.join(map(repr, words))}"


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST


def _is_set_of_texts(value: object) -> bool:
    if not isinstance(value, frozenset):
        return False
    items = cast("frozenset[object]", value)
    return all(isinstance(item, str) for item in items)


_SIMPLE: Final[dict[object, tuple[_Check, str]]] = {
    bool: (lambda value: isinstance(value, bool), "True or False"),
    int: (lambda value: type(value) is int and value >= 0, "a whole number from 0"),
    float: (_is_seconds, "a number from 0 to 10^9"),
    str: (lambda value: isinstance(value, str), "a text"),
    timedelta: (lambda value: isinstance(value, timedelta) and abs(value) < _DAY, "less than a day"),
    types.NoneType: (lambda value: value is None, "None"),
}
