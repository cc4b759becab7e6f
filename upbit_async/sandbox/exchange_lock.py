"""Lock around the exchange, which also applies the transitions that have become due."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime

    from upbit_async.sandbox.exchange.exchange import Exchange

__all__ = ["ExchangeLock"]


class ExchangeLock:
    """Exclusive access to the exchange.

    Args:
        exchange: Exchange to lock.
        clock: Function that returns the current time (aware, UTC).
    """

    def __init__(self, exchange: Exchange, clock: Callable[[], datetime]) -> None:
        self.exchange = exchange
        self._clock = clock
        # A lock between threads: the thread of a server and that of a test share a served sandbox.
        # Nothing awaits while it is held.
        self._lock = threading.RLock()

    @contextmanager
    def held(self) -> Generator[datetime]:
        """Hold the lock within the block, with all due transitions applied; the value is the current time."""
        with self._lock:
            now = self._clock()
            self.exchange.catch_up(now)
            yield now
