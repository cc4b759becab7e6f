"""What all tests share: virtual time on both back ends, and Hypothesis's profiles.

Hypothesis draws the same examples in every run, so that a failure is the fault of a change and can be repeated.
To search further, draw new ones: ``pytest --hypothesis-profile=random``.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import hypothesis
import pytest
from trio.testing import MockClock
from virtual_time import VirtualTimeLoop

hypothesis.settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("random", derandomize=False, deadline=None, print_blob=True)
hypothesis.settings.load_profile("fixed")


def pytest_configure(config: pytest.Config) -> None:
    """Ignore a warning of older versions of anyio, which leave a cancelled connection to the garbage collector."""
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
