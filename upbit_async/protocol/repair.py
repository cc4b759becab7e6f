"""Repair of a record that deviates from its documented form.

Upbit's answers deviate in known ways: an id that is a number, a number that is text, a time that is none. These are
repaired. Any other malformed value in an optional field is reported and treated as absent. Only a required field can
make a record unreadable.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from decimal import Decimal
from typing import TYPE_CHECKING, Final, cast

import attrs

from upbit_async.models._base import is_never_ignored

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["members_of", "repaired"]

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


@attrs.frozen
class _Field:
    """Properties of a field of a model.

    Attributes:
        kind: Annotated type.
        options: Types that the annotation allows.
        is_optional: Whether a record may lack the field.
        is_ignorable: Whether a malformed value may be ignored.
    """

    kind: object
    options: tuple[object, ...]
    is_optional: bool
    is_ignorable: bool


def repaired(
    kind: object,
    value: object,
    *,
    fits: Callable[[object, object], bool],
    ignored: Callable[[str], None],
    path: str = "",
) -> object:
    """Return a record with repaired values. A malformed value in a required field stays, and fails the decoding.

    Args:
        kind: Model.
        value: Record, as JSON has it.
        fits: Function that returns whether a value can be decoded as a type.
        ignored: Function that receives the path of each ignored field, such as ``withdraw_limit.minimum``.
        path: Path of the record in the answer, with a dot at the end.
    """
    members = members_of(value)
    if members is None or not (isinstance(kind, type) and attrs.has(kind)):
        return value
    fields = _fields(kind)
    good: dict[str, object] = {}
    for name, field in fields.items():
        member = members.get(name)
        if name not in members or (member is None and field.is_optional):
            continue  # null and absent read alike
        mended = _mended(field.options, member)
        mended = repaired(field.kind, mended, fits=fits, ignored=ignored, path=f"{path}{name}.")
        if field.is_ignorable and not fits(field.kind, mended):
            ignored(f"{path}{name}")
            continue
        good[name] = mended
    return good


def members_of(value: object) -> dict[str, object] | None:
    """Return the members of a JSON object; None for anything else."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _mended(options: tuple[object, ...], value: object) -> object:
    if str in options and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    if int in options and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return value


@functools.cache
def _fields(kind: type) -> dict[str, _Field]:
    hints = typing.get_type_hints(kind)
    return {field.name: _field(hints[field.name], field) for field in attrs.fields(kind)}


def _field(hint: object, field: attrs.Attribute[object]) -> _Field:
    options: tuple[object, ...] = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    is_optional = field.default is not attrs.NOTHING
    return _Field(hint, options, is_optional, is_optional and not is_never_ignored(field))
