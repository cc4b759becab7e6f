"""Writer and strict reader of the JSON in a journal's row.

Python's reader accepts more than a journal ever writes: NaN, numbers of any size, the same name twice, text that is not
Unicode, and nesting that exhausts the stack, in the reader or in the code that handles the value later.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Final, NoReturn, cast

from upbit_async.errors import JournalError

__all__ = ["decoded", "encoded", "time_of"]

_LONGEST: Final = 2**20
_DEEPEST: Final = 32
_LARGEST: Final = 2**63
_MOST_DIGITS: Final = 20
_TOO_DEEP: Final = "its text is nested too deeply"


def encoded(value: object) -> str:
    """Return the JSON text of a value, with times and decimals as text.

    Raises:
        TypeError: A journal can't store it.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"a journal can't store {type(value).__name__}")


def decoded(text: str, *, what: str) -> dict[str, object]:
    """Return the JSON object in a column of the journal.

    Args:
        text: Content of the column; SQLite may return something other than text.
        what: Name of the row, for the error, such as ``"payout 'k'"``.

    Raises:
        JournalError: It is not a JSON object, or not one that a journal writes.
    """
    value, problem = _parsed(text)
    # Raised here, or the error would keep the reader's own, which holds the whole text.
    if problem:
        raise JournalError(
            f"{what} can't be read from the journal ({problem}): the row was changed by something else; take a copy "
            "of the journal, and find out by which program"
        )
    return value


def time_of(text: str) -> dt.datetime:
    """Return the time of a text.

    Raises:
        ValueError: It is no time, or has no time zone, so that it can't be compared with others.
        TypeError: It is no text.
    """
    time = dt.datetime.fromisoformat(text)
    if time.utcoffset() is None:
        raise ValueError(f"{text!r:.40} has no time zone")
    return time


def _parsed(text: object) -> tuple[dict[str, object], str]:
    """Return the object and no problem, or an empty one and the problem."""
    if not isinstance(text, str):
        return {}, f"text was expected, found {type(text).__name__}"
    if len(text) > _LONGEST:
        return {}, f"its text is longer than {_LONGEST} characters"
    try:
        value: object = _READER.decode(text)
    except (RecursionError, ValueError) as error:
        return {}, _TOO_DEEP if isinstance(error, RecursionError) else str(error)
    if _can_be_odd(text) and (problem := _problem_in(value)):
        return {}, problem
    if not isinstance(value, dict):
        return {}, f"an object was expected, found {type(value).__name__}"
    return cast("dict[str, object]", value), ""


def _can_be_odd(text: str) -> bool:
    """Return whether a text can be nested too deeply or hold a lone surrogate; a quick test that most texts fail."""
    return text.count("[") + text.count("{") > _DEEPEST or "\\u" in text or not _is_unicode(text)


def _problem_in(value: object) -> str:
    """Return what no journal writes, or an empty text. Level by level, because recursion could exhaust the stack."""
    level = [value]
    for _ in range(_DEEPEST):
        inner: list[object] = []
        for each in level:
            if isinstance(each, str):
                if not _is_unicode(each):
                    return "its text holds a lone surrogate"
            elif isinstance(each, dict):
                members = cast("dict[str, object]", each)
                inner += members.keys()
                inner += members.values()
            elif isinstance(each, list):
                inner += cast("list[object]", each)
        if not inner:
            return ""
        level = inner
    return _TOO_DEEP


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or not -_LARGEST <= int(digits) < _LARGEST:
        raise ValueError("a number is too large")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_READER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
