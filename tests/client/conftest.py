"""A sandbox, its client, and an environment without the library's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from environment import clear_environment

from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.client import UpbitClient


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.manual()) as made:
        yield made


@pytest.fixture
async def client(sandbox: Sandbox) -> UpbitClient:
    return sandbox.client()
