"""Decoding of answers into models. The only user of msgspec.

Most answers are decoded in one pass. If that fails, the records are decoded one by one, and malformed records are
repaired, so that one of them does not fail the whole list.

Decoding never blocks the event loop for long. An answer with too many values is refused before decoding, and a long
list is decoded in steps, between which other tasks run.
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Callable, Generator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs
import msgspec

from upbit_async.errors import RAW_CAP, DecodeError, raise_alone
from upbit_async.forks import lock_across_forks
from upbit_async.models._base import Amount
from upbit_async.protocol.repair import members_of, repaired
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["decode", "decode_in_steps", "decode_untyped", "uuid_in"]

T = TypeVar("T")
Steps = Generator[None, None, T]
Ignored = Callable[[str], None]

_AMOUNT: Final = re.compile(r"-?[0-9]{1,48}(\.[0-9]{1,48})?([eE][+-]?[0-9]{1,2})?")
_PATH: Final = re.compile(r" - at `(\$[^`]*)`\Z")
# What msgspec raises on hostile input: its own errors, and those of the functions that it calls. A huge exponent is an
# ArithmeticError.
_MISFITS: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)

_SMALL: Final = 128 * 1024
"""Size up to which an answer is decoded without a limit of values, in bytes."""
_STEP: Final = 64 * 1024
"""Bytes of rows after which other tasks may run. Each row counts at least `_ROW_SIZE`."""
_ROW_SIZE: Final = 256
_MOST_REPAIRED: Final = 5_000
"""Records of one answer that are repaired. If more are malformed, the answer is not what Upbit documents."""
_LONGEST_UUID: Final = 128


@attrs.frozen
class _Cap:
    """Limit of the JSON that is decoded without a pause. A small answer has none.

    Attributes:
        containers: Objects and arrays, at most.
        values: Values, at most.
    """

    containers: int
    values: int

    def is_exceeded_by(self, body: bytes) -> bool:
        """Return whether a text exceeds the limit, by the number of its brackets and commas."""
        if len(body) <= _SMALL:
            return False
        return body.count(b"{") + body.count(b"[") > self.containers or body.count(b",") > self.values


# Measured: the worst text within a limit takes well below 0.2 s on a slow machine.
_UNTYPED: Final = _Cap(containers=40_000, values=120_000)
_RECORD: Final = _Cap(containers=20_000, values=50_000)
_SHORT_LIST: Final = _Cap(containers=3_000, values=50_000)
_LIST: Final = _Cap(containers=40_000, values=400_000)
_MOST_IN_REPAIR: Final = 10_000
"""Commas in a record that is repaired; more mean too many values."""


def decode(kind: type[T], body: bytes, *, asked: str, ignored: Ignored = lambda _path: None) -> T:
    """Decode the JSON of an answer without a pause; see `decode_in_steps`."""
    steps = decode_in_steps(kind, body, asked=asked, ignored=ignored)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("T", end.value)


def decode_in_steps(
    kind: type[T], body: bytes, *, asked: str, ignored: Ignored = lambda _path: None
) -> Steps[T]:
    """Decode the JSON of an answer, and yield where other tasks may run.

    Args:
        kind: Expected type: a model, a list of models, `ReadableRows` of a model, or `object` for anything.
        body: JSON text.
        asked: Method and path of the request, for the error.
        ignored: Function that receives the path of each optional field whose malformed value is treated as absent.

    Raises:
        DecodeError: The answer has another type, or too many values.
    """
    if kind is object:
        return cast("T", decode_untyped(body, asked=asked))
    row_kind, is_partial = _row_kind(kind)
    try:
        if row_kind is None:
            return cast("T", _decode_record(cast("Hashable", kind), body, ignored))
        if not _SHORT_LIST.is_exceeded_by(body):
            try:
                rows = _decoder(cast("Hashable", list[row_kind])).decode(body)  # type: ignore[valid-type]
            except msgspec.ValidationError:
                pass
            else:
                return cast("T", ReadableRows(rows, ()) if is_partial else rows)
        read = yield from _decode_rows(row_kind, body, asked, ignored, is_partial=is_partial)
    except _MISFITS as misfit:
        raise_alone(_error(misfit, body, asked))
    return cast("T", read if is_partial else read.rows)


def decode_untyped(body: bytes, *, asked: str) -> object:
    """Decode any JSON. Numbers with a fraction become `Decimal`.

    Raises:
        DecodeError: The text is no JSON, or has too many values.
    """
    try:
        _refuse_beyond(_UNTYPED, body)
        return _untyped_decoder().decode(body)
    except _MISFITS as misfit:
        raise_alone(_error(misfit, body, asked))


def uuid_in(body: bytes) -> str | None:
    """Return the ``uuid`` of a JSON object, whatever else it contains; None if it is unreadable."""
    try:
        return _uuid_of(decode_untyped(body, asked=""))
    except DecodeError:
        return None


_building: Final = lock_across_forks()
"""Lock that is held while a decoder is built.

msgspec attaches its description of a model to the class before the description is complete. A second thread that builds
a decoder for the same model at that time reads it, and the process crashes (seen with 0.22).
"""


@functools.cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    with _building:
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


def _row_kind(kind: object) -> tuple[Any, bool]:
    """Return the model of a list's rows, or None if the type is no list; and whether rows may be unreadable."""
    origin = typing.get_origin(kind)
    if origin is not list and origin is not ReadableRows:
        return None, False
    return typing.get_args(kind)[0], origin is ReadableRows


def _decode_record(kind: Hashable, body: bytes, ignored: Ignored) -> object:
    _refuse_beyond(_RECORD, body)
    try:
        return _decoder(kind).decode(body)
    except msgspec.ValidationError:
        pass
    repair = _repair(kind, body, ignored)
    if repair.misfit is not None:
        raise repair.misfit
    return repair.record


def _decode_rows(
    kind: Any, body: bytes, asked: str, ignored: Ignored, *, is_partial: bool
) -> Steps[ReadableRows[Any]]:
    """Decode a list row by row, and repair malformed rows."""
    _refuse_beyond(_LIST, body)
    rows: list[Any] = []
    unreadable: list[DecodeError] = []
    decoder, repairs, size = _decoder(cast("Hashable", kind)), 0, 0
    for number, raw in enumerate(_decoder(cast("Hashable", list[msgspec.Raw])).decode(body)):
        size += len(raw) + _ROW_SIZE
        if size > _STEP:
            yield
            size = 0
        try:
            rows.append(decoder.decode(raw))
            continue
        except msgspec.ValidationError:
            repairs += 1
        if repairs > _MOST_REPAIRED:
            raise ValueError(f"more than {_MOST_REPAIRED} rows do not have their documented form")
        repair = _repair(kind, bytes(raw), ignored)
        if repair.misfit is None:
            rows.append(repair.record)
            continue
        text, path = _text_and_path(repair.misfit)
        path = f"$[{number}]{path[1:]}"
        if not is_partial:
            raise ValueError(f"{text} - at `{path}`")
        what = f"{asked}: a record can't be read ({text} at {path})"
        unreadable.append(DecodeError(what, path=path, uuid=_uuid_of(repair.value)))
    return ReadableRows(rows, tuple(unreadable))


@attrs.frozen
class _Repair:
    """Result of the repair of a record.

    Attributes:
        value: Record, as JSON has it.
        record: Decoded record; None if it is unreadable.
        misfit: Reason why it is unreadable, or None.
    """

    value: object = None
    record: object = None
    misfit: Exception | None = None


def _repair(kind: object, raw: bytes, ignored: Ignored) -> _Repair:
    """Repair and decode a record."""
    if len(raw) > _SMALL and raw.count(b",") > _MOST_IN_REPAIR:
        return _Repair(misfit=ValueError("the record has too many values"))
    value: object = None
    found: list[str] = []
    try:
        value = _untyped_decoder().decode(raw)
        record = _convert(kind, repaired(kind, value, fits=_fits, ignored=found.append))
    except _MISFITS as misfit:
        return _Repair(value=value, misfit=misfit)
    for path in found:
        ignored(path)
    return _Repair(value=value, record=record)


def _convert(kind: object, value: object) -> object:
    return msgspec.convert(value, cast("Any", kind), dec_hook=_read_amount)


def _fits(kind: object, value: object) -> bool:
    try:
        _convert(kind, value)
    except _MISFITS:
        return False
    return True


def _uuid_of(value: object) -> str | None:
    uuid = (members_of(value) or {}).get("uuid")
    return uuid if isinstance(uuid, str) and 0 < len(uuid) <= _LONGEST_UUID else None


def _refuse_beyond(cap: _Cap, body: bytes) -> None:
    if cap.is_exceeded_by(body):
        raise ValueError("it has too many values")


def _text_and_path(misfit: BaseException) -> tuple[str, str]:
    text = str(misfit) or type(misfit).__name__
    path = _PATH.search(text)
    return (text[: path.start()], path[1]) if path else (text, "$")


def _error(misfit: BaseException, body: bytes, asked: str) -> DecodeError:
    text, path = _text_and_path(misfit)
    return DecodeError(
        f"{asked}: the answer is not what Upbit documents ({text} at {path}); "
        "report it with `raw` of this error",
        path=path,
        raw=body[:RAW_CAP].decode(errors="replace"),
    )
