"""Answers into models. The only user of msgspec.

Most answers are decoded in one pass. If one does not fit, its rows are read one by one and mended where Upbit
is known to stray (an id that is a number, a time that is none), so that one odd row does not take a whole
list with it.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import types
import typing
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs
import msgspec

from upbit_async.errors import RAW_CAP, DecodeError
from upbit_async.models._base import Amount

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["decode", "decode_untyped"]

T = TypeVar("T")

_AMOUNT: Final = re.compile(r"-?[0-9]{1,48}(\.[0-9]{1,48})?([eE][+-]?[0-9]{1,2})?")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_PATH: Final = re.compile(r" - at `(\$[^`]*)`\Z")
# What msgspec is seen to raise: its own errors, and those of the parts it calls on hostile input. An exponent
# beyond all bounds is an ArithmeticError.
_MISFITS: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)


def decode(kind: type[T], body: bytes, *, asked: str) -> T:
    """Decode the JSON text of an answer.

    Args:
        kind: What it should be: a model or a list of models; `object` for anything.
        body: The JSON text.
        asked: The method and path that were asked, for the error.

    Raises:
        DecodeError: It is something else.
    """
    if kind is object:
        return cast("T", decode_untyped(body, asked=asked))
    try:
        return cast("T", _decoder(cast("Hashable", kind)).decode(body))
    except msgspec.ValidationError:
        return _decode_leniently(kind, body, asked)
    except _MISFITS as misfit:
        raise _error(misfit, body, asked) from None


def decode_untyped(body: bytes, *, asked: str) -> object:
    """Decode any JSON text; numbers with a fraction become `Decimal`.

    Raises:
        DecodeError: It is no JSON.
    """
    try:
        return _untyped_decoder().decode(body)
    except _MISFITS as misfit:
        raise _error(misfit, body, asked) from None


@functools.cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("Any", kind), dec_hook=_read_amount, float_hook=Decimal)


@functools.cache
def _untyped_decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(float_hook=Decimal)


def _read_amount(kind: type, value: object) -> Decimal:
    if kind is not Amount:
        raise NotImplementedError(f"no reading for {kind}")
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        text = str(value)
        if _AMOUNT.fullmatch(text):
            return Decimal(text)
    raise ValueError("not a decimal number")


def _decode_leniently(kind: type[T], body: bytes, asked: str) -> T:
    raw = decode_untyped(body, asked=asked)
    row_kind = _row_kind(kind)
    try:
        if row_kind is None or not isinstance(raw, list):
            return cast("T", _convert(kind, _mended(kind, raw)))
        rows = cast("list[object]", raw)
        return cast("T", [_convert_row(row_kind, row, number) for number, row in enumerate(rows)])
    except _MISFITS as misfit:
        raise _error(misfit, body, asked) from None


def _convert_row(kind: object, row: object, number: int) -> object:
    try:
        return _convert(kind, _mended(kind, row))
    except _MISFITS as misfit:
        text, path = _text_and_path(misfit)
        raise ValueError(f"{text} - at `$[{number}]{path[1:]}`") from None


def _convert(kind: object, value: object) -> object:
    return msgspec.convert(value, cast("Any", kind), dec_hook=_read_amount)


def _row_kind(kind: object) -> object:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is list else None


def _mended(kind: object, row: object) -> object:
    """Return a row with its known oddities put right; what is not known stays and is reported."""
    members = _members(row)
    if members is None or not (isinstance(kind, type) and attrs.has(kind)):
        return row
    wanted = _fields(kind)
    return {
        name: _mended_value(wanted[name], value) if name in wanted else value
        for name, value in members.items()
    }


def _members(row: object) -> dict[str, object] | None:
    return cast("dict[str, object]", row) if isinstance(row, dict) else None


def _mended_value(wanted: object, value: object) -> object:
    kinds: tuple[object, ...] = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    if str in kinds and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    if dt.datetime in kinds and type(None) in kinds and not _is_time(value):
        return None
    if int in kinds and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return _mended(kinds[0], value)


def _is_time(value: object) -> bool:
    try:
        msgspec.convert(value, dt.datetime)
    except _MISFITS:
        return False
    return True


@functools.cache
def _fields(kind: type) -> dict[str, object]:
    return typing.get_type_hints(kind)


def _text_and_path(misfit: BaseException) -> tuple[str, str]:
    text = str(misfit) or type(misfit).__name__
    place = _PATH.search(text)
    return (text[: place.start()], place[1]) if place else (text, "$")


def _error(misfit: BaseException, body: bytes, asked: str) -> DecodeError:
    text, path = _text_and_path(misfit)
    return DecodeError(
        f"{asked}: the answer is not what Upbit documents ({text} at {path}); "
        "`raw` of this error holds it, to be reported",
        path=path,
        raw=body[:RAW_CAP].decode(errors="replace"),
    )
