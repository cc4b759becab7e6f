"""A sandbox, a client for it, and the payouts of two processes on one journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clients import WITHDRAWAL
from journals import InlineJournal

from upbit_async.payouts import Payouts
from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from upbit_async.client import UpbitClient


@pytest.fixture
def tron() -> dict[str, Any]:
    """Arguments of a payout of 13 USDT on TRX."""
    return dict(WITHDRAWAL)


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.after_seconds(3)) as made:
        made.account.fund("USDT", 1_000_000)
        yield made


@pytest.fixture
async def client(sandbox: Sandbox) -> UpbitClient:
    return sandbox.client()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Path of the journal."""
    return tmp_path / "payouts.db"


@pytest.fixture
async def payouts(client: UpbitClient, path: Path) -> AsyncGenerator[Payouts]:
    async with Payouts(client, journal=InlineJournal(path), check=False) as made:
        yield made


@pytest.fixture
async def elsewhere(sandbox: Sandbox, path: Path) -> AsyncGenerator[Payouts]:
    """Payouts of another process: another client and another connection to the same journal."""
    async with Payouts(sandbox.client(), journal=InlineJournal(path), check=False) as made:
        yield made
