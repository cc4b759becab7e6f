"""Locks that stay usable in a process that forks while another thread holds them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["lock_across_forks"]


def lock_across_forks() -> AbstractContextManager[bool]:
    """Return a reentrant lock that a fork waits for, so that no child process inherits it locked.

    It is reentrant because a signal handler may fork while its own thread holds the lock. It is never freed: create
    locks at import time only.
    """
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):  # absent where processes can't fork
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
