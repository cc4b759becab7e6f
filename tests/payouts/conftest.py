"""A sandbox, a client for it, and payouts on a journal of their own."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from journals import InlineJournal

from upbit_async.models import Intent, TransactionType, Withdrawal, WithdrawalState
from upbit_async.payouts import Payouts
from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from upbit_async.client import UpbitClient

TRON = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}
WHEN = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def tron() -> dict[str, Any]:
    """Return what a plain payout takes."""
    return dict(TRON)


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
    """Return where the journal lies."""
    return tmp_path / "payouts.db"


@pytest.fixture
async def payouts(client: UpbitClient, path: Path) -> AsyncGenerator[Payouts]:
    async with Payouts(client, journal=InlineJournal(path)) as made:
        yield made


@pytest.fixture
async def elsewhere(sandbox: Sandbox, path: Path) -> AsyncGenerator[Payouts]:
    """Return payouts of another process: another client and another connection to the same journal."""
    async with Payouts(sandbox.client(), journal=InlineJournal(path)) as made:
        yield made


@pytest.fixture
def intent() -> Callable[..., Intent]:
    """Return what makes an intent."""

    def make(**changes: str) -> Intent:
        members = {**TRON, "transaction_type": "default", **changes}
        return Intent(endpoint="POST /v1/withdraws/coin", host="sg.example", members=members, started_at=WHEN)

    return make


@pytest.fixture
def row() -> Callable[..., Withdrawal]:
    """Return what makes a withdrawal as Upbit shows it."""

    def make(uuid: str = "w-1", **changes: Any) -> Withdrawal:
        known: dict[str, Any] = {
            "uuid": uuid,
            "currency": "USDT",
            "net_type": "TRX",
            "state": WithdrawalState.WAITING,
            "amount": Decimal(13),
            "fee": Decimal(1),
            "transaction_type": TransactionType.DEFAULT,
            "created_at": WHEN,
        }
        return Withdrawal(**(known | changes))

    return make
