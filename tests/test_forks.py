"""The lock that is never inherited locked by a forked child."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from upbit_async.forks import lock_across_forks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork on this system"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
PATIENCE = 10.0


def _child_takes(lock: AbstractContextManager[bool]) -> bool:
    """Fork, and return whether the child can take the lock."""
    pid = os.fork()
    if not pid:
        with lock:
            os._exit(0)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG) == (pid, 0):
            return True
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def test_fork_waits_for_the_thread_that_holds_the_lock() -> None:
    lock, is_held = lock_across_forks(), threading.Event()

    def hold() -> None:
        with lock:
            is_held.set()
            time.sleep(0.1)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    assert _child_takes(lock)
    holder.join()


def test_thread_that_holds_the_lock_can_fork() -> None:
    lock = lock_across_forks()
    with lock:
        assert _child_takes(lock)
