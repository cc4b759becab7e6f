"""The command ``upbit-async`` in a process, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

__all__ = ["command", "environment", "start"]

_TERMINAL_SETTINGS = {"NO_COLOR", "FORCE_COLOR", "CI", "TERM", "COLORTERM", "PYTHONIOENCODING"}


def command(*options: str) -> list[str]:
    """Return the command line of a run."""
    return [sys.executable, "-W", "error", "-m", "upbit_async.cli", *options]


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without its wants about colours."""
    kept = {name: value for name, value in os.environ.items() if name not in _TERMINAL_SETTINGS}
    return kept | {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"} | changes


def start(*options: str, **arguments: Any) -> subprocess.Popen[str]:
    """Start the command with pipes for its output, which is text."""
    return subprocess.Popen(
        command(*options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
        **arguments,
    )
