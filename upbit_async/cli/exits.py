"""Exit codes of the command line."""

from __future__ import annotations

import enum

__all__ = ["Exit"]


class Exit(enum.IntEnum):
    """The exit code of ``upbit-async``."""

    OK = 0
    """What was asked for was done or shown."""
    FAILED = 1
    """Something went wrong; standard error says what."""
    USAGE = 2
    """The command line is wrong; standard error says how it should look."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C, as shells count it."""
