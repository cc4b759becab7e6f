"""An asyncio event loop in virtual time; trio has its own."""

from __future__ import annotations

import asyncio
import selectors
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selectors import SelectorKey

__all__ = ["VirtualTimeLoop"]

_A_MOMENT = 0.01


class _LeapingSelector(selectors.DefaultSelector):
    """Leaps to the next timer instead of waiting for it, unless a worker thread is at work."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if _workers_at_work():  # or one of them is just ending, and nobody would wake us
            return super().select(min(timeout, _A_MOMENT))
        ready = super().select(0)
        if not ready:
            self.now += timeout
        return ready


def _workers_at_work() -> bool:
    # anyio's worker threads know the list of those that are idle.
    threads: list[Any] = threading.enumerate() if threading.active_count() > 1 else []
    return any(hasattr(each, "idle_workers") and each not in each.idle_workers for each in threads)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything runs and leaps when everything waits."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now
