"""Exit codes of the command line."""

from __future__ import annotations

import enum

__all__ = ["Exit"]


class Exit(enum.IntEnum):
    """The exit code of ``upbit-async``."""

    OK = 0
    """The command did what was requested."""
    FAILED = 1
    """The command failed. Read the reason on standard error."""
    USAGE = 2
    """The command line is invalid. Read the usage and the reason on standard error."""
    INTERRUPTED = 130
    """Ctrl-C stopped the command: 128 plus the number of SIGINT, as POSIX shells report it."""
