"""The command in a subprocess, with a pipe or a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@pytest.fixture
def command() -> Callable[..., Sequence[str]]:
    """Return the command line for options."""
    return lambda *options: [sys.executable, "-W", "error", "-m", "upbit_async.cli", *options]


@pytest.fixture
def surroundings() -> dict[str, str]:
    """The environment without variables about colours."""
    silent = {"NO_COLOR", "FORCE_COLOR", "CI", "TERM", "COLORTERM", "PYTHONIOENCODING"}
    return {name: value for name, value in os.environ.items() if name not in silent} | {"TERM": "xterm"}
