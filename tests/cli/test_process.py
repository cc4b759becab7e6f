"""The command as a process: through a pipe, at a terminal, and interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from commands import command, environment, start

from upbit_async.cli import Exit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals are POSIX's")


def test_lines_are_written_as_they_happen() -> None:
    """At this speed the demo takes minutes, so a line that arrives was not held back until the end."""
    with start("demo", "--speed", "0.05") as process:
        assert process.stdout is not None
        assert any("WAITING" in line for line in process.stdout)
        assert process.poll() is None
        process.kill()
        process.communicate()


def test_piped_output_has_no_colours() -> None:
    with start("demo", "--speed", "50") as process:
        out, err = process.communicate(timeout=50)
    assert (process.returncode, err) == (Exit.OK, "")
    assert "DONE" in out
    assert "\x1b" not in out


def test_interrupt_prints_no_traceback() -> None:
    with start("demo", "--speed", "0.1") as process:
        assert process.stdout is not None
        assert any("WAITING" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, "upbit-async: interrupted\n")


def test_closed_pipe_ends_the_command_silently() -> None:
    with start("demo", "--speed", "50") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == ""
    assert process.returncode == Exit.FAILED


@pytest.mark.parametrize("setting", [{}, {"NO_COLOR": "1"}])
def test_terminal_output_has_colours_unless_no_color_is_set(setting: dict[str, str]) -> None:
    master, slave = os.openpty()
    with subprocess.Popen(
        command("demo", "--speed", "50", "--lose-answer"),
        stdout=slave,
        stderr=slave,
        env=environment(**setting),
    ) as process:
        os.close(slave)
        text = _read(master).decode()
    os.close(master)
    assert process.returncode == Exit.OK
    assert "1 POST on the wire, 1 withdrawal in the ledger." in text
    assert ("\x1b[" in text) is (not setting)


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
