"""Virtual time: an hour of waiting costs no time on either back end."""

from __future__ import annotations

import asyncio
import selectors
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from trio.testing import MockClock

if TYPE_CHECKING:
    from selectors import SelectorKey


def pytest_configure(config: pytest.Config) -> None:
    """Let older versions of anyio be: they leave a connection whose opening is cancelled to the collector."""
    if tuple(int(part) for part in version("anyio").split(".")[:2]) < (4, 16):
        for kind in ("<function _SelectorTransport", "<socket.socket"):
            line = f"ignore:Exception ignored in. {kind}:pytest.PytestUnraisableExceptionWarning"
            config.addinivalue_line("filterwarnings", line)


class _LeapingSelector(selectors.DefaultSelector):
    """Leaps to the next timer instead of waiting for it, unless a worker thread is at work."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None or timeout <= 0 or _workers_at_work():
            return super().select(timeout)
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


_BACKENDS: dict[str, Any] = {
    "asyncio-virtual": lambda: ("asyncio", {"loop_factory": VirtualTimeLoop}),
    "trio-virtual": lambda: ("trio", {"clock": MockClock(autojump_threshold=0)}),
}


@pytest.fixture(scope="module", params=_BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on asyncio and on trio, in virtual time; tests with real sockets override this."""
    backend: tuple[str, dict[str, Any]] = _BACKENDS[request.param]()
    return backend
