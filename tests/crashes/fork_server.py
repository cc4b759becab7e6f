"""Processes that start in a few milliseconds, forked from a server that has imported everything."""

from __future__ import annotations

import asyncio
import faulthandler
import multiprocessing
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final
from unittest import mock

import anyio
from compression import compressed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from process import Task

__all__ = ["Child", "prepare"]

STUCK: Final = signal.SIGUSR1

_CONTEXT: Final = multiprocessing.get_context("forkserver")


def prepare() -> None:
    """Start the fork server, and have it import what paying needs."""
    _CONTEXT.set_forkserver_preload(["warm"])
    first = _CONTEXT.Process(target=_do_nothing)
    # Before Python 3.12.8 the server does not inherit sys.path, and ignores modules that it can't import.
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))):
        first.start()
    first.join()
    first.close()


def _do_nothing() -> None:
    pass


class Child:
    """Process that runs one program."""

    def __init__(self, program: Callable[[Task], Awaitable[None]], task: Task) -> None:
        self._process = _CONTEXT.Process(target=_live, args=(program, task))
        self._process.start()
        self.pid: Final = self._process.pid or 0

    def show_threads(self) -> None:
        """Make it write the stack of each thread to its log."""
        os.kill(self.pid, STUCK)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()

    async def wait(self) -> int:
        """Wait for its end and return its exit code, which is -9 if it was killed."""
        await anyio.wait_readable(self._process.sentinel)
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        return -signal.SIGKILL if code is None else code


def _live(program: Callable[[Task], Awaitable[None]], task: Task) -> None:
    log = os.open(task.folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.enable()
    faulthandler.register(STUCK)
    if task.skew:
        _shift_the_clock(task.skew)
    with compressed():
        asyncio.run(_run(program, task))


async def _run(program: Callable[[Task], Awaitable[None]], task: Task) -> None:
    await program(task)


def _shift_the_clock(skew: float) -> None:
    """Shift the time of day of this process. `Payouts` gets such a clock, too."""
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + skew
    time.time_ns = lambda: nanoseconds() + int(skew * 1e9)
