"""Lock around the exchange; it also applies transitions that have become due."""

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
    """Holds the exchange and lets one at a time work with it.

    Args:
        exchange: The exchange.
        clock: Tells the present time (aware, UTC).
    """

    def __init__(self, exchange: Exchange, clock: Callable[[], datetime]) -> None:
        self.exchange = exchange
        self._clock = clock
        # A plain lock of threads: a served sandbox is worked on by its server's thread and by the test's.
        # Nothing awaits while it is held.
        self._lock = threading.RLock()

    @contextmanager
    def at_work(self) -> Generator[datetime]:
        """The present time, with everything done that was due until then, and nobody else at work."""
        with self._lock:
            now = self._clock()
            self.exchange.catch_up(now)
            yield now
