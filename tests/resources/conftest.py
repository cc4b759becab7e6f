"""A sandbox, a client for it, and answers that are put into Upbit's mouth."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from internals import withdrawal_store

from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from upbit_async.client import UpbitClient

OLD = [f"00000000-0000-4000-8000-{number:012}" for number in range(1, 7)]
"""The withdrawals that a sandbox starts with: DONE, FAILED, CANCELLED, REJECTED, PROCESSING, WAITING."""


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.manual()) as made:
        yield made


@pytest.fixture
async def client(sandbox: Sandbox) -> UpbitClient:
    return sandbox.client()


@pytest.fixture
def tron() -> dict[str, Any]:
    """Return what a plain withdrawal takes."""
    return {
        "currency": "USDT",
        "net_type": "TRX",
        "amount": "13",
        "address": "TFakeTronWithdrawAddressFakeFakeFa",
    }


@pytest.fixture
def old() -> list[str]:
    return OLD


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """Return what makes a withdrawal as Upbit writes it."""

    def make(uuid: str = OLD[0], **changes: Any) -> dict[str, Any]:
        made = {"uuid": uuid, "currency": "XRP", "net_type": "XRP", "state": "DONE", "amount": "10.0"}
        return {**made, "created_at": "2025-07-04T15:00:00", "fee": "1.0", **changes}

    return make


@pytest.fixture
def says(sandbox: Sandbox) -> Callable[..., None]:
    """Return what lets Upbit answer with something else."""

    def say(method: str, path: str, value: Any, *, times: int | None = 1) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        sandbox.faults.add(Fault.status(200, method, path, before=False, body=body, times=times))

    return say


@pytest.fixture
def grow(sandbox: Sandbox) -> Callable[[int], list[str]]:
    """Return what lets the account have more withdrawals, one a second; it returns all ids, oldest first."""
    pattern = sandbox.withdrawals[OLD[0]]
    shelf = withdrawal_store(sandbox)

    def more(count: int) -> list[str]:
        for _ in range(count):
            uuid = f"11111111-0000-4000-8000-{len(shelf):012}"
            at = pattern.created_at + dt.timedelta(seconds=len(shelf))
            shelf.add(attrs.evolve(pattern, uuid=uuid, created_at=at))
        return list(shelf)

    return more
