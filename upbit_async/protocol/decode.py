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
from typing import Any, TypeVar

import attrs
import msgspec

from upbit_async.errors import RAW_CAP, DecodeError
from upbit_async.models._base import Amount

__all__ = ["decode", "decode_untyped"]

T = TypeVar("T")

_AMOUNT = re.compile(r"-?[0-9]{1,48}(\.[0-9]{1,48})?([eE][+-]?[0-9]{1,2})?")
_PATH = re.compile(r" - at `(\$[^`]*)`$")
# What msgspec is seen to raise: its own errors, and those of the parts it calls on hostile input.
_MISFITS = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, OverflowError)


def decode(kind: type[T], body: bytes, *, asked: str) -> T:
    """Decode the JSON text of an answer.

    Args:
        kind: What it should be: a model or a list of models.
        body: The JSON text.
        asked: The method and path that were asked, for the error.

    Raises:
        DecodeError: It is something else.
    """
    if kind is object:
        return typing.cast("T", decode_untyped(body, asked=asked))
    try:
        return typing.cast("T", _decoder(kind).decode(body))
    except msgspec.ValidationError:
        return _decode_leniently(kind, body, asked)
    except _MISFITS as misfit:
        raise _error(misfit, body, asked) from None


def decode_untyped(body: bytes, *, asked: str) -> Any:
    """Decode any JSON text; numbers with a fraction become `Decimal`.

    Raises:
        DecodeError: It is no JSON.
    """
    try:
        return _untyped_decoder().decode(body)
    except _MISFITS as misfit:
        raise _error(misfit, body, asked) from None


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_read_amount, float_hook=Decimal)


@functools.cache
def _untyped_decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(float_hook=Decimal)


def _read_amount(kind: Any, value: Any) -> Any:
    if kind is not Amount:
        raise NotImplementedError(f"no reading for {kind}")
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        text = str(value)
        if _AMOUNT.fullmatch(text):
            return Decimal(text)
    raise ValueError("not a decimal number")


def _decode_leniently(kind: type[T], body: bytes, asked: str) -> T:
    raw = decode_untyped(body, asked=asked)
    try:
        row_kind = _row_kind(kind)
        if row_kind is None or not isinstance(raw, list):
            return typing.cast("T", _convert(kind, _mended(kind, raw)))
        return typing.cast("T", [_convert_row(row_kind, row, number) for number, row in enumerate(raw)])
    except _MISFITS as misfit:
        raise _error(misfit, body, asked) from None


class _RowMisfit(ValueError):
    """A row that could not be mended, with its place in the list."""


def _convert_row(kind: Any, row: Any, number: int) -> Any:
    try:
        return _convert(kind, _mended(kind, row))
    except _MISFITS as misfit:
        text, path = _text_and_path(misfit)
        raise _RowMisfit(f"{text} - at `$[{number}]{path[1:]}`") from None


def _convert(kind: Any, value: Any) -> Any:
    return msgspec.convert(value, kind, dec_hook=_read_amount)


def _row_kind(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is list else None


def _mended(kind: Any, row: Any) -> Any:
    """Return a row with its known oddities put right; what is not known stays and is reported."""
    if not (isinstance(row, dict) and isinstance(kind, type) and attrs.has(kind)):
        return row
    row = dict(row)
    for name, wanted in _fields(kind).items():
        if name in row:
            row[name] = _mended_value(wanted, row[name])
    return row


def _mended_value(wanted: Any, value: Any) -> Any:
    kinds = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    if str in kinds and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    if dt.datetime in kinds and type(None) in kinds and not _is_time(value):
        return None
    if int in kinds and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return _mended(kinds[0], value)


def _is_time(value: Any) -> bool:
    try:
        msgspec.convert(value, dt.datetime)
    except _MISFITS:
        return False
    return True


@functools.cache
def _fields(kind: Any) -> dict[str, Any]:
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
