"""The command as a process: with a pipe, at a terminal, and interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from upbit_async.cli import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and terminals")


def test_each_line_is_printed_at_once(
    command: Callable[..., Sequence[str]], surroundings: dict[str, str]
) -> None:
    """At this speed the demo takes minutes: a line that arrives was not buffered until the end."""
    with subprocess.Popen(
        command("demo", "--speed", "0.05"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=surroundings | {"PYTHONIOENCODING": "utf-8"},
    ) as process:
        assert process.stdout is not None
        assert any("WAITING" in line for line in process.stdout)
        assert process.poll() is None
        process.kill()
        process.communicate()


def test_piped_output_has_no_colours(
    command: Callable[..., Sequence[str]], surroundings: dict[str, str]
) -> None:
    done = subprocess.run(
        command("demo", "--speed", "50"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=surroundings | {"PYTHONIOENCODING": "utf-8"},
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (Exit.OK, "")
    assert "DONE" in done.stdout
    assert "\x1b" not in done.stdout


def test_ctrl_c_prints_no_traceback(
    command: Callable[..., Sequence[str]], surroundings: dict[str, str]
) -> None:
    with subprocess.Popen(
        command("demo", "--speed", "0.1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=surroundings | {"PYTHONIOENCODING": "utf-8"},
    ) as process:
        assert process.stdout is not None
        assert any("WAITING" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, "upbit-async: interrupted\n")


def test_a_closed_pipe_prints_no_traceback(
    command: Callable[..., Sequence[str]], surroundings: dict[str, str]
) -> None:
    with subprocess.Popen(
        command("demo", "--speed", "50"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
    assert process.returncode == Exit.FAILED


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_gets_colours_unless_no_color_is_set(
    command: Callable[..., Sequence[str]], surroundings: dict[str, str], variables: dict[str, str]
) -> None:
    master, slave = os.openpty()
    with subprocess.Popen(
        command("demo", "--speed", "50", "--lose-answer"),
        stdout=slave,
        stderr=slave,
        env=surroundings | {"PYTHONIOENCODING": "utf-8"} | variables,
    ) as process:
        os.close(slave)
        text = _read(master).decode()
    os.close(master)
    assert process.returncode == Exit.OK
    assert "1 POST on the wire, 1 withdrawal in the ledger." in text
    assert ("\x1b[" in text) is (not variables)


def _read(terminal: int) -> bytes:
    """Read until the other end is closed, which Linux reports as an error and other systems as an end."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)
