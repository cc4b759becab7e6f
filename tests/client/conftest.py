"""A sandbox, and an environment that says nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.client import UpbitClient


@pytest.fixture(autouse=True)
def _silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("UPBIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.manual()) as made:
        yield made


@pytest.fixture
async def client(sandbox: Sandbox) -> UpbitClient:
    return sandbox.client()
