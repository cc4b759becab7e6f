"""Types that the models share: amounts, times and open enums."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

__all__ = ["NEVER_IGNORED", "Amount", "OpenEnum", "in_utc", "is_never_ignored", "none_if_empty"]

if TYPE_CHECKING:
    import attrs

    Amount = Decimal
else:

    class _AnyDecimal(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, Decimal)

    class Amount(metaclass=_AnyDecimal):
        """Marks a `Decimal` that is decoded strictly: the decoder's own reading takes "NaN" and "1_0"."""


class OpenEnum(StrEnum):
    """Upbit's words, open to words that are younger than this library.

    An unknown word becomes a value like the others, equal to its text, whose `known` is False. A known
    word in other case is the known word.
    """

    @property
    def known(self) -> bool:
        """Whether this library has heard of the value."""
        return self._name_ in type(self).__members__

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Other words that Upbit has used for the same values, in lower case."""
        return {}

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        folded = value.casefold()
        spelling = cls.spellings().get(folded, folded)
        for member in cls:
            if member.value.casefold() == spelling:
                return member
        stranger = str.__new__(cls, value)
        stranger._name_ = value
        stranger._value_ = value
        return stranger


NEVER_IGNORED: Final = {"upbit_async": "never ignored"}
"""Metadata of an optional field whose odd value makes its record unreadable: to read it as None would lose money."""


def is_never_ignored(field: attrs.Attribute[object]) -> bool:
    """Whether a field has this metadata."""
    return field.metadata.get("upbit_async") == "never ignored"


def in_utc(model: object, *fields: str) -> None:
    """Read zone-less times as UTC, in a frozen model that is being built.

    Some of Upbit's answers carry no zone: https://global-docs.upbit.com/reference/list-withdrawals.
    """
    for field in fields:
        time: dt.datetime | None = getattr(model, field)
        if time is not None and time.tzinfo is None:
            object.__setattr__(model, field, time.replace(tzinfo=dt.UTC))


def none_if_empty(model: object, *fields: str) -> None:
    """Read empty texts as None, in a frozen model that is being built."""
    for field in fields:
        if getattr(model, field) == "":
            object.__setattr__(model, field, None)
