"""Virtual time: an hour of waiting costs no time on either back end."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from trio.testing import MockClock
from virtual_time import VirtualTimeLoop


def pytest_configure(config: pytest.Config) -> None:
    """Let older versions of anyio be: they leave a connection whose opening is cancelled to the collector."""
    if tuple(int(part) for part in version("anyio").split(".")[:2]) < (4, 16):
        for kind in ("<function _SelectorTransport", "<socket.socket"):
            line = f"ignore:Exception ignored in. {kind}:pytest.PytestUnraisableExceptionWarning"
            config.addinivalue_line("filterwarnings", line)


_BACKENDS: dict[str, Any] = {
    "asyncio-virtual": lambda: ("asyncio", {"loop_factory": VirtualTimeLoop}),
    "trio-virtual": lambda: ("trio", {"clock": MockClock(autojump_threshold=0)}),
}


@pytest.fixture(scope="module", params=_BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on asyncio and on trio, in virtual time; tests with real sockets override this."""
    backend: tuple[str, dict[str, Any]] = _BACKENDS[request.param]()
    return backend
