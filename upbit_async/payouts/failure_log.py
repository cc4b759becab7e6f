"""Log of failures, in which the same one appears once per period: one cause may concern thousands of payouts."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from upbit_async.errors import JournalError, UpbitError
from upbit_async.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FailureLog"]

_log = logger("upbit_async.payouts")

_PERIOD: Final = 30.0
"""Time for which the same failure is not logged again, in seconds."""
_MOST: Final = 100
"""Number of failures that are remembered."""


class FailureLog:
    """Log of failures, each once per period.

    Args:
        clock: Clock that measures the period, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}
        """When each failure may be logged again."""

    def report(self, what: str, error: Exception, *, level: int = logging.WARNING) -> None:
        """Log a failure, unless the same one was logged lately.

        Args:
            what: Consequence of the failure.
            error: The failure. Of one that is not this library's only the class is logged.
            level: Level of the log record.
        """
        text = str(error) if isinstance(error, UpbitError) else type(error).__name__
        now = self._clock()
        if now < self._due.get(text, -math.inf):
            return
        if len(self._due) >= _MOST:
            self._due.clear()
        self._due[text] = now + _PERIOD
        key = error.key if isinstance(error, JournalError) else None
        _log.log(level, "%s: %s", what, text, extra={"key": key, "state": None, "uuid": None})
