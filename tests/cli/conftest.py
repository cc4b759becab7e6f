"""The command in a subprocess, with a pipe or a terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from command_journals import one_of_each_state, served_sandbox, write_doubts, write_journal
from environment import clear_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from upbit_async.sandbox import Sandbox


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


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox on a socket, that the environment names."""
    with served_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def prepared(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that every test copies."""
    path = tmp_path_factory.mktemp("prepared") / "payouts.db"
    asyncio.run(write_doubts(path, sandbox))
    return path


@pytest.fixture
def doubts(prepared: Path, tmp_path: Path) -> str:
    """The path of a journal with one payout for each decision."""
    return str(shutil.copy2(prepared, tmp_path / "payouts.db"))
