"""A sandbox, a client for it, and the arguments of a plain withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clients import WITHDRAWAL
from withdrawals import INITIAL

from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.client import UpbitClient


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.manual()) as made:
        yield made


@pytest.fixture
async def client(sandbox: Sandbox) -> UpbitClient:
    return sandbox.client()


@pytest.fixture
def tron() -> dict[str, Any]:
    """Arguments of a withdrawal of 13 USDT on TRX."""
    return dict(WITHDRAWAL)


@pytest.fixture
def old() -> list[str]:
    """Ids of the withdrawals that a sandbox starts with, oldest first."""
    return INITIAL
