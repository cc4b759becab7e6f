"""The command at a terminal: what it shows, and keys that are typed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from commands import environment

if TYPE_CHECKING:
    from typing import Self

__all__ = ["CTRL_C", "TerminalProcess"]

CTRL_C = "\x03"

_AT_TERMINAL = """
import fcntl, os, runpy, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches this process
sys.argv[0] = "upbit-async"
runpy.run_module("upbit_async.cli", run_name="__main__")
"""


class TerminalProcess:
    """``upbit-async`` at a terminal. It is killed at the end of the block if it still runs.

    Args:
        words: The command line without the name of the command.
        variables: Changes to the environment.
    """

    def __init__(self, *words: str, **variables: str) -> None:
        self._bytes = b""
        self._master, slave = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _AT_TERMINAL, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(**variables),
        )
        os.close(slave)

    @property
    def shown(self) -> str:
        """All that the terminal has shown."""
        return self._bytes.decode(errors="replace").replace("\r\n", "\n")  # a read may end within a character

    def read_until(self, text: str) -> None:
        """Read until the terminal has shown a text."""
        while text not in self.shown:
            assert self._read(), self.shown

    def read_until_it_ends_with(self, text: str) -> None:
        """Read until a text is the last that the terminal has shown."""
        while not self.shown.endswith(text):
            assert self._read(), self.shown

    def type(self, text: str) -> None:
        """Type a text, as at a keyboard."""
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Read all the rest, and return the exit code."""
        while self._read():
            pass
        return self._process.wait()

    def _read(self) -> bool:
        """Read what the terminal shows next; return whether there was something."""
        try:
            part = os.read(self._master, 65536)
        except OSError:  # Linux reports the end as an error
            part = b""
        self._bytes += part
        return bool(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)
