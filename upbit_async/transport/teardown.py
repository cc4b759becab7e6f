"""Report of a request that is on the wire when its event loop is closed.

A loop that is closed without cancelling its tasks runs none of their code again, so no ``finally`` block can report
them. The loop holds a timer for each such request instead. Closing the loop discards its timers, and a discarded timer
makes the report.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from upbit_async.concurrency import is_asyncio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TeardownReport"]

_LATER_THAN_EVERY_DEADLINE = 3600.0


class _Timer:
    """Timer callback that does nothing; it lives as long as the loop keeps the timer."""

    __slots__ = ("__weakref__",)

    def __call__(self) -> None:
        """Do nothing."""


class TeardownReport:
    """Report that is made once if the running event loop, or the program, ends before `cancel` is called.

    Args:
        report: Makes the report; it must not refer to the loop. It may be called from any thread.
        seconds: Maximum duration of the request, in seconds.
    """

    def __init__(self, report: Callable[[], None], seconds: float) -> None:
        self._finalizer: weakref.finalize[[], _Timer] | None = None
        self._handle: weakref.ref[asyncio.TimerHandle] | None = None
        if not is_asyncio():
            return  # trio ends its run only after its tasks
        timer = _Timer()
        loop = asyncio.get_running_loop()
        self._handle = weakref.ref(loop.call_later(seconds + _LATER_THAN_EVERY_DEADLINE, timer))
        self._finalizer = weakref.finalize(timer, report)

    @property
    def was_made(self) -> bool:
        """Whether the report was made."""
        return self._finalizer is not None and not self._finalizer.alive

    def cancel(self) -> None:
        """Make no report from now on."""
        if self._finalizer is not None:
            self._finalizer.detach()
        handle = self._handle() if self._handle is not None else None
        if handle is not None:
            handle.cancel()
