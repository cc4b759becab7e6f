"""The command in a subprocess, with a pipe or a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from command_journals import one_of_each_state, write_journal
from environment import clear_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture
def command() -> Callable[..., Sequence[str]]:
    """Return the command line for options."""
    return lambda *options: [sys.executable, "-W", "error", "-m", "upbit_async.cli", *options]


@pytest.fixture
def surroundings() -> dict[str, str]:
    """The environment without variables about colours."""
    silent = {"NO_COLOR", "FORCE_COLOR", "CI", "TERM", "COLORTERM", "PYTHONIOENCODING"}
    return {name: value for name, value in os.environ.items() if name not in silent} | {"TERM": "xterm"}


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The path of a journal with one payout in each state; there are no API keys."""
    clear_environment(monkeypatch)
    return write_journal(tmp_path / "payouts.db", one_of_each_state())
