"""Exit codes of the command line, and the error that ends a command with one of them."""

from __future__ import annotations

import enum

__all__ = ["CommandError", "Exit"]


class Exit(enum.IntEnum):
    """The exit code of ``upbit-async``."""

    OK = 0
    """The command did what was requested."""
    FAILED = 1
    """The command failed. Read the reason on standard error."""
    USAGE = 2
    """The command line is invalid. Read the usage and the reason on standard error."""
    NEEDS_REVIEW = 6
    """The command did what was requested, and a payout needs review."""
    INTERRUPTED = 130
    """Ctrl-C stopped the command: 128 plus the number of SIGINT, as POSIX shells report it."""


class CommandError(Exception):
    """The reason why a command ends without doing what was requested.

    Args:
        text: What happened, and what to do next.
        code: The exit code.
    """

    def __init__(self, text: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(text)
        self.code = code
