"""The library's log on a stream: warnings of any command, and the state changes of ``run``."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sys
from typing import TYPE_CHECKING

from upbit_async.cli.payouts.records import line_of
from upbit_async.escaping import escaped
from upbit_async.logs import logger

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["changes_on_stdout", "warnings_on_stderr"]

_LIBRARY = logger("upbit_async")
_PAYOUTS = logger("upbit_async.payouts")


@contextlib.contextmanager
def warnings_on_stderr() -> Generator[None]:
    """Show the library's warnings on standard error, like a command's own errors."""
    with _handled_by(_Handler(sys.stderr), logging.Formatter("upbit-async: %(message)s"), logging.WARNING):
        yield


@contextlib.contextmanager
def changes_on_stdout(*, as_json: bool) -> Generator[None]:
    """Show state changes and warnings on standard output, one line each."""
    level = _PAYOUTS.level
    _PAYOUTS.setLevel(logging.INFO)
    try:
        with _handled_by(_Handler(sys.stdout), _JSONLine() if as_json else _Line(), logging.INFO):
            yield
    finally:
        _PAYOUTS.setLevel(level)


@contextlib.contextmanager
def _handled_by(handler: logging.Handler, formatter: logging.Formatter, level: int) -> Generator[None]:
    handler.setFormatter(formatter)
    handler.setLevel(level)
    _LIBRARY.addHandler(handler)
    try:
        yield
    finally:
        _LIBRARY.removeHandler(handler)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg] # at run time it takes no argument
    """Handler whose stream may be closed: payouts continue without a reader of their log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Drop the record."""


class _Line(logging.Formatter):
    """A log record as a line of text."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_time(record):%Y-%m-%d %H:%M:%S} UTC  {record.levelname:<7}  {escaped(record.getMessage())}"


class _JSONLine(logging.Formatter):
    """A log record as a JSON object on a line."""

    def format(self, record: logging.LogRecord) -> str:
        about = {name: getattr(record, name, None) for name in ("key", "state", "uuid")}
        return line_of(
            {
                "at": _time(record).isoformat(),
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
                **about,
            }
        )


def _time(record: logging.LogRecord) -> dt.datetime:
    return dt.datetime.fromtimestamp(record.created, dt.UTC)
