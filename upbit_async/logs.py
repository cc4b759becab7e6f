"""Loggers that escape their arguments, so that a text from outside can't imitate a log line."""

from __future__ import annotations

import logging
import traceback
from typing import Final

from upbit_async.escaping import escaped

__all__ = ["logger"]

_MARGIN: Final = "  "


class _Escaping(logging.Filter):
    """Filter that escapes the arguments and the traceback of each record, and drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_argument, record.args))
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            record.exc_text = _traceback_text(record.exc_info[1])
        return True


_ESCAPING: Final = _Escaping()


def logger(name: str) -> logging.Logger:
    """Return the logger of a name. Use this instead of `logging.getLogger` everywhere in this library."""
    found = logging.getLogger(name)
    found.addFilter(_ESCAPING)  # adding it again has no effect
    return found


def _argument(value: object) -> object:
    """Return an argument unchanged, or its escaped text if the text needs escaping."""
    text = str(value)
    shown = escaped(text)
    return value if shown == text else shown


def _traceback_text(error: BaseException) -> str:
    """Return an indented traceback: no line of an exception's text then begins in the column of a log record."""
    lines = "".join(traceback.format_exception(error)).rstrip("\n").split("\n")
    return "\n".join(_MARGIN + escaped(line) for line in lines)
