"""Values of the explored states: compared by content, interned as small numbers, and rewritten when time passes.

A state of the model consists of numbers. Each stands for a value of the library, such as a payout or a list of
withdrawals. So states are cheap to compare and to hash, and what is computed from a value is computed once.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from upbit_async.models import Intent, TransactionType, Withdrawal, WithdrawalState
from upbit_async.payouts import Evidence, JournalTime, Payout, PayoutState, SentRequest
from upbit_async.payouts.journal_time import Moment
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Interned", "rewritten"]

_SEQUENCES: Final[frozenset[Any]] = frozenset({list, tuple, frozenset})
_PLAIN: Final = frozenset({str, int, float, type(None), Decimal, dt.datetime})
_LEAVES: Final = _PLAIN | {Intent}
"""Types whose parts are never rewritten: what was requested never changes."""
_SIMPLE: Final = _PLAIN | {
    bool,
    Evidence,
    JournalTime,
    Moment,
    PayoutState,
    SigningParams,
    TransactionType,
    WithdrawalState,
}
"""Types of parts that their own equality distinguishes. In the same place there is never a bool or an int."""
_LARGE: Final = frozenset({Intent, Payout, SentRequest, Withdrawal})
_fields: dict[type, tuple[str, ...] | None] = {}


def _fields_of(kind: type) -> tuple[str, ...] | None:
    """Return the names of an attrs class's fields; None if it is no attrs class."""
    if kind not in _fields:
        _fields[kind] = tuple(field.name for field in attrs.fields(kind)) if attrs.has(kind) else None
    return _fields[kind]


def _kind_of(value: object) -> Any:
    """Return the type of a value, as a type of which pyright knows no more."""
    return type(value)


def rewritten(
    value: Any, rewrite: Callable[[Any], Any], rewrite_large: Callable[[Any], Any] | None = None
) -> Any:
    """Return a value with all of its parts rewritten, from the outside in.

    Args:
        value: The value.
        rewrite: Function that returns a part's replacement, or the part itself to look into its own parts.
        rewrite_large: Function that returns a large part with all of its parts rewritten.
    """
    changed = rewrite(value)
    kind = _kind_of(value)
    if changed is not value or kind in _LEAVES:
        return changed

    def part(before: Any) -> Any:
        if rewrite_large is not None and _kind_of(before) in _LARGE:
            return rewrite_large(before)
        return rewritten(before, rewrite, rewrite_large)

    if (names := _fields_of(kind)) is not None:
        changes: dict[str, Any] = {}
        for name in names:
            before = getattr(value, name)
            if (after := part(before)) is not before:
                changes[name] = after
        return attrs.evolve(value, **changes) if changes else value
    if kind in _SEQUENCES:
        old: list[Any] = list(value)
        new = list(map(part, old))
        make = cast("Callable[[list[Any]], Any]", kind)
        return make(new) if any(a is not b for a, b in zip(old, new, strict=True)) else value
    return value


class Interned:
    """Numbers of values: equal values have the same number. None has the number 0."""

    def __init__(self) -> None:
        self._rewritten: dict[tuple[Hashable, int], int] = {}
        self._changed: dict[tuple[str, int], int] = {}
        self._values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}
        self._by_object: dict[int, int] = {}  # of objects in `_values` and their parts, which are kept
        self.number(None)

    def number(self, value: Any) -> int:
        """Return a value's number."""
        known = self._by_object.get(id(value))
        if known is not None:
            return known
        key = self._identity(value)
        number = self._numbers.setdefault(key, len(self._values))
        if number == len(self._values):
            self._values.append(value)
            self._by_object[id(value)] = number
            for part in self._large_parts(value):
                self._by_object[id(part)] = self.number(part)
        return number

    def _large_parts(self, value: Any) -> list[Any]:
        """Return the parts of a value that have numbers, and live as long as it does."""
        names = _fields_of(_kind_of(value)) or ()
        parts: list[Any] = []
        for each in (getattr(value, name) for name in names):
            parts += each if _kind_of(each) in _SEQUENCES else [each]
        return [each for each in parts if _kind_of(each) in _LARGE]

    def _identity(self, value: Any) -> Hashable:
        """Return what distinguishes a value from others: its type and content, and of an error its attributes."""
        kind = _kind_of(value)
        if (names := _fields_of(kind)) is not None:
            return kind, *[self._part(getattr(value, name)) for name in names]
        parts: Any = value
        if isinstance(value, BaseException):
            parts = {name: each for name, each in vars(value).items() if name != "intent"}
            return kind, str(value), self._part(parts)
        if kind in {tuple, list}:
            return kind, *map(self._part, parts)
        if kind in {frozenset, set}:
            return kind, frozenset(map(self._part, parts))
        if kind is dict:
            return kind, *((name, self._part(each)) for name, each in parts.items())
        assert kind in _PLAIN or isinstance(value, Enum | bool), f"a state can't contain a {kind.__name__}"
        return kind, parts

    def _part(self, part: Any) -> Hashable:
        """Return what distinguishes a part of a value; large parts have numbers themselves."""
        kind = _kind_of(part)
        if kind in _SIMPLE:
            plain: Hashable = part
            return plain
        return (kind, self.number(part)) if kind in _LARGE else self._identity(part)

    def changed(self, number: int, name: str, change: Callable[[Any], Any]) -> int:
        """Return the number of a changed value.

        Args:
            number: The value's number.
            name: What distinguishes the function from others.
            change: Function that returns the changed value.
        """
        known = self._changed.get((name, number))
        if known is None:
            known = self._changed[name, number] = self.number(change(self._values[number]))
        return known

    def value(self, number: int) -> Any:
        """Return the value of a number."""
        return self._values[number]

    def rewritten(self, number: int, reason: Hashable, rewrite: Callable[[Any], Any]) -> int:
        """Return the number of a rewritten value.

        Args:
            number: The value's number.
            reason: What distinguishes the function from others.
            rewrite: Function as in `rewritten`.
        """
        known = self._rewritten.get((reason, number))
        if known is None:
            value = self._values[number]
            after = self.rewritten_value(value, reason, rewrite)
            known = self._rewritten[reason, number] = number if after is value else self.number(after)
        return known

    def rewritten_value(self, value: Any, reason: Hashable, rewrite: Callable[[Any], Any]) -> Any:
        """Return a rewritten value, as `rewritten` does, for one that needs no number."""

        def rewrite_large(part: Any) -> Any:
            before = self.number(part)
            after = self.rewritten(before, reason, rewrite)
            return part if after == before else self._values[after]

        return rewritten(value, rewrite, rewrite_large)
