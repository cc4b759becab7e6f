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
        """Marker for a `Decimal` that is decoded strictly. The decoder itself would accept "NaN" and "1_0"."""


class OpenEnum(StrEnum):
    """Enum that accepts unknown values.

    An unknown value equals its text, like a member, and its `known` is False. A known value in another case is the
    known member.
    """

    @property
    def known(self) -> bool:
        """Whether this library knows the value."""
        return self._name_ in type(self).__members__

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Return other spellings that Upbit has used, in lower case, with the value of their member."""
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
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown


NEVER_IGNORED: Final = {"upbit_async": "never ignored"}
"""Metadata of an optional field whose malformed value makes the record unreadable: None in its place may lose money."""


def is_never_ignored(field: attrs.Attribute[object]) -> bool:
    """Return whether a field has the metadata `NEVER_IGNORED`."""
    return field.metadata.get("upbit_async") == "never ignored"


def in_utc(model: object, *fields: str) -> None:
    """Interpret naive times as UTC, in a frozen model that is being created.

    Some of Upbit's answers have times without a zone: https://global-docs.upbit.com/reference/list-withdrawals.
    """
    for field in fields:
        time: dt.datetime | None = getattr(model, field)
        if time is not None and time.tzinfo is None:
            object.__setattr__(model, field, time.replace(tzinfo=dt.UTC))


def none_if_empty(model: object, *fields: str) -> None:
    """Replace empty texts with None, in a frozen model that is being created."""
    for field in fields:
        if getattr(model, field) == "":
            object.__setattr__(model, field, None)
