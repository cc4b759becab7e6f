"""Validation of numbers and flags that callers pass.

A wrong type is a `TypeError` and a wrong value a `ValueError`. A message names the argument, the requirement and the
value.
"""

from __future__ import annotations

import math
import re
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import attrs

__all__ = [
    "count",
    "count_field",
    "decimal_text",
    "flag",
    "number_field",
    "positive_field",
    "seconds",
    "timeout",
]

_DECIMAL: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST_DECIMAL: Final = 64
_LONGEST_SHOWN: Final = 80


def count(name: str, value: object, *, most: int | None = None) -> int:
    """Return a whole number from 1, up to `most`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__}")
    if value < 1 or (most is not None and value > most):
        raise ValueError(f"{name} must be {f'from 1 to {most}' if most else 'at least 1'}, got {value}")
    return value


def seconds(name: str, value: object, *, positive: bool = False) -> float:
    """Return a finite number of seconds; zero is allowed unless it must be positive."""
    return _number(name, value, "a number of seconds", positive=positive)


def timeout(name: str, value: object) -> float:
    """Return a number of seconds; None and infinity mean no limit."""
    return math.inf if value is None or value == math.inf else seconds(name, value)


def flag(name: str, value: object) -> bool:
    """Return True or False; no other value stands for either."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {type(value).__name__}")
    return value


def decimal_text(name: str, value: object) -> str:
    """Return a positive decimal number as it is sent: without sign, exponent or white space.

    A float is refused, because it can't represent most decimal numbers exactly.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        hint = "; write it as text" if isinstance(value, float) else ""
        raise TypeError(f"{name} must be text, a whole number or a Decimal, got {type(value).__name__}{hint}")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"{name} must be finite, got {value}")
    if isinstance(value, Decimal) and not -_LONGEST_DECIMAL < value.adjusted() < _LONGEST_DECIMAL:
        # Written out it might fill the memory.
        raise ValueError(f"{name} must have at most {_LONGEST_DECIMAL} digits, got {value}")
    written = format(value, "f") if isinstance(value, Decimal) else str(value)
    if len(written) > _LONGEST_DECIMAL or not _DECIMAL.fullmatch(written):
        raise ValueError(
            f"{name} must be a positive decimal number such as 13.241, got {written[:_LONGEST_SHOWN]!r}"
        )
    if not Decimal(written):
        raise ValueError(f"{name} must be positive, got {written}")
    return written


def count_field(_instance: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds a whole number from 1."""
    count(field.name, value)


def number_field(_instance: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds a finite number from 0."""
    _number(field.name, value, "a number")


def positive_field(_instance: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds a finite number above 0."""
    _number(field.name, value, "a number", positive=True)


def _number(name: str, value: object, kind: str, *, positive: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be {kind}, got {type(value).__name__}")
    if not 0 <= value <= sys.float_info.max:
        raise ValueError(f"{name} must be finite and not negative, got {value}")
    if positive and not value:
        raise ValueError(f"{name} must be positive, got {value}")
    return float(value)
