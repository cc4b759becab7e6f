"""Real time, which real sockets need."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run on both back ends with their own clocks."""
    return str(request.param)
