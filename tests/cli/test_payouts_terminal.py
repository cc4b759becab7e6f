"""``upbit-async payouts`` at a real terminal: questions, Ctrl-C and colours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_journals import states_in
from commands import command, environment
from terminals import CTRL_C, TerminalProcess

from upbit_async.cli import Exit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX terminals")


def words(journal: str, *words: str) -> tuple[str, ...]:
    return ("payouts", *words, "--journal", journal, "--region", "sg")


def test_a_retry_is_confirmed_by_typing_the_key(doubts: str) -> None:
    with TerminalProcess(*words(doubts, "retry", "unsent")) as terminal:
        terminal.read_until("Type unsent to retry it: ")
        assert states_in(Path(doubts))["unsent"] == "not_sent"
        terminal.type("unsent\n")
        assert terminal.end() == Exit.OK
    assert states_in(Path(doubts))["unsent"] == "queued"


def test_a_mistyped_key_changes_nothing(doubts: str) -> None:
    with TerminalProcess(*words(doubts, "retry", "unsent")) as terminal:
        terminal.read_until("Type unsent to retry it: ")
        terminal.type("y\n")
        assert terminal.end() == Exit.FAILED
    assert terminal.shown.endswith("upbit-async: not confirmed, so nothing was changed\n")
    assert states_in(Path(doubts))["unsent"] == "not_sent"


@pytest.mark.parametrize("question", [("retry", "unsent"), ("resolve", "doubtful", "--not-sent")])
def test_ctrl_c_at_a_question_changes_nothing(doubts: str, question: tuple[str, ...]) -> None:
    before = states_in(Path(doubts))
    with TerminalProcess(*words(doubts, *question)) as terminal:
        terminal.read_until(f"Type {question[1]} ")
        terminal.read_until_it_ends_with(": ")  # the process waits for its input only then
        terminal.type(CTRL_C)
        assert terminal.end() == Exit.INTERRUPTED
    assert terminal.shown.endswith("upbit-async: interrupted\n")
    assert "Traceback" not in terminal.shown
    assert states_in(Path(doubts)) == before


def test_ctrl_c_ends_run(doubts: str) -> None:
    with TerminalProcess(*words(doubts, "run")) as terminal:
        terminal.read_until("run begins, of ")
        terminal.type(CTRL_C)
        assert terminal.end() == Exit.INTERRUPTED
    assert "run has ended, of " in terminal.shown
    assert "Traceback" not in terminal.shown


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_gets_colours_unless_no_color_is_set(doubts: str, variables: dict[str, str]) -> None:
    with TerminalProcess(*words(doubts, "show", "doubtful"), **variables) as terminal:
        assert terminal.end() == Exit.OK
    assert ("\x1b[" in terminal.shown) is (not variables)
    assert "What can be done now" in terminal.shown


def test_a_pipe_gets_neither_colours_nor_a_question(doubts: str) -> None:
    done = subprocess.run(
        command(*words(doubts, "retry", "unsent")),
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert done.stderr == "upbit-async: there is no terminal to confirm this at: pass --yes to confirm it\n"


def test_a_closed_pipe_ends_an_export_quietly(doubts: str) -> None:
    with subprocess.Popen(
        command(*words(doubts, "export")), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == Exit.FAILED
