"""A process that stops (SIGSTOP) or kills (SIGKILL) itself at its n-th operation."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
from typing import TYPE_CHECKING
from unittest import mock

from upbit_async.payouts.send_attempt import SendAttempt

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from schedules import Kill, Stop

__all__ = ["STOPPED", "Death", "stop"]

STOPPED = "stopped.txt"
"""The file to which the id of a process is written before it is stopped. Whoever reads it lets it go on."""


class Death:
    """Kills or stops the process before, during or after its n-th work on what outlives it, or at a first byte.

    Args:
        kill: When to kill it; None is never.
        stop: When to stop it; None is never.
        folder: What all processes share.
    """

    def __init__(self, kill: Kill | None, stop: Stop | None, folder: Path) -> None:
        at = None if stop is None else stop.at
        self._triggers = [_Trigger(kill, _die), _Trigger(at, functools.partial(_stop_this, folder))]

    @contextlib.contextmanager
    def around(self) -> Generator[None]:
        """Surround one piece of work."""
        with contextlib.ExitStack() as stack:
            for trigger in self._triggers:
                stack.enter_context(trigger.around())
            yield

    @contextlib.contextmanager
    def at_first_bytes(self) -> Generator[None]:
        """Within the block, watch out for the moments between a payout's last check and its first byte."""
        may_send = SendAttempt.may_send

        async def released(passage: SendAttempt) -> bool:
            is_released = await may_send(passage)
            if is_released:
                for trigger in self._triggers:
                    trigger.at_first_byte()
            return is_released

        with mock.patch.object(SendAttempt, "may_send", released):
            yield


class _Trigger:
    def __init__(self, at: Kill | None, act: Callable[[], None]) -> None:
        self._moment = None if at is None else at.moment
        self._seconds = 0.0 if at is None else at.seconds
        self._left = 0 if at is None else at.count
        self._act = act

    @contextlib.contextmanager
    def around(self) -> Generator[None]:
        moment = None if self._moment == "first byte" else self._count_down()
        if moment == "before journal":
            self._act()
        if moment == "during journal":
            threading.Thread(target=self._act_later, daemon=True).start()
        try:
            yield
        finally:
            if moment == "after journal":
                self._act()

    def at_first_byte(self) -> None:
        if self._moment == "first byte" and self._count_down():
            self._act()

    def _count_down(self) -> str | None:
        self._left -= 1
        return self._moment if self._left == 0 else None

    def _act_later(self) -> None:
        time.sleep(self._seconds)
        self._act()


def stop(pid: int, folder: Path) -> None:
    """Stop a process."""
    (folder / STOPPED).write_text(f"{pid}\n")
    with contextlib.suppress(ProcessLookupError):  # it has just come to its end
        os.kill(pid, signal.SIGSTOP)


def _stop_this(folder: Path) -> None:
    stop(os.getpid(), folder)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
