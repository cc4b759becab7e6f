"""Validation of knob values when they are set."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

import attrs

__all__ = ["checked", "is_amount_of_seconds", "status"]

_LONGEST: Final = 1e9
"""The longest time in seconds, about 30 years: what is added to or taken from a time must remain one."""
_STATUSES: Final = range(200, 600)
_DAY: Final = timedelta(days=1)

_Check: TypeAlias = Callable[[object], bool]


def checked(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Give each field of an attrs class a validator for its annotation; for ``field_transformer``."""
    hints = get_type_hints(cls)
    return [
        field.evolve(validator=attrs.validators.and_(_validator(hints[field.name]), *_own(field)))
        for field in fields
    ]


def status(_: object, field: attrs.Attribute[int], value: int) -> None:
    """Check an HTTP status; an attrs validator.

    Raises:
        ValueError: No final answer can have it.
    """
    if type(value) is not int or value not in _STATUSES:
        raise ValueError(f"{_name(field)} must be a whole number from 200 to 599, got {value!r}")


def is_amount_of_seconds(value: object) -> bool:
    """Whether a value is a number of seconds from 0 to 10^9; NaN is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST


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
    """Return the check for an annotation, and the values that pass in words."""
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return lambda value: isinstance(value, str) and value in words, "one of " + ", ".join(
            map(repr, words)
        )
    if get_origin(hint) in {Union, types.UnionType}:
        rules = [_rule_for(inner) for inner in get_args(hint)]
        wanted = " or ".join(words for _, words in rules)
        return lambda value: any(fits(value) for fits, _ in rules), wanted
    if get_origin(hint) is frozenset:
        return _is_set_of_texts, "a frozenset of texts"
    return _SIMPLE.get(hint) or (lambda value: isinstance(value, hint), f"a {hint.__name__}")


def _is_set_of_texts(value: object) -> bool:
    if not isinstance(value, frozenset):
        return False
    items = cast("frozenset[object]", value)
    return all(isinstance(item, str) for item in items)


_SIMPLE: Final[dict[object, tuple[_Check, str]]] = {
    bool: (lambda value: isinstance(value, bool), "True or False"),
    int: (lambda value: type(value) is int and value >= 0, "a whole number from 0"),
    float: (is_amount_of_seconds, "a number from 0 to 10^9"),
    str: (lambda value: isinstance(value, str), "a text"),
    timedelta: (lambda value: isinstance(value, timedelta) and abs(value) < _DAY, "less than a day"),
    types.NoneType: (lambda value: value is None, "None"),
}
