"""The command as others run it: in a process of its own, through a pipe or at a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@pytest.fixture
def command() -> Callable[..., Sequence[str]]:
    """Makes the command line of a run."""
    return lambda *options: [sys.executable, "-W", "error", "-m", "upbit_async.cli", *options]


@pytest.fixture
def surroundings() -> dict[str, str]:
    """An environment that says nothing about colours."""
    silent = {"NO_COLOR", "FORCE_COLOR", "CI", "TERM", "COLORTERM", "PYTHONIOENCODING"}
    return {name: value for name, value in os.environ.items() if name not in silent} | {"TERM": "xterm"}
