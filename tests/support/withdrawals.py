"""Withdrawals of a sandbox: those it starts with, further ones, and answers about them that a test prescribes."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import attrs
from internals import withdrawal_store

from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox

__all__ = ["INITIAL", "add_withdrawals", "answer_with", "withdrawal_row"]

INITIAL = [f"00000000-0000-4000-8000-{number:012}" for number in range(1, 7)]
"""The withdrawals that a sandbox starts with: DONE, FAILED, CANCELLED, REJECTED, PROCESSING, WAITING."""


def withdrawal_row(uuid: str = INITIAL[0], **changes: Any) -> dict[str, Any]:
    """Return a withdrawal as Upbit writes it."""
    row = {"uuid": uuid, "currency": "XRP", "net_type": "XRP", "state": "DONE", "amount": "10.0"}
    return {**row, "created_at": "2025-07-04T15:00:00", "fee": "1.0", **changes}


def answer_with(sandbox: Sandbox, method: str, path: str, value: Any, *, times: int | None = 1) -> None:
    """Let a sandbox answer the next requests with this JSON, after it has carried them out."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    sandbox.faults.add(Fault.status(200, method, path, before=False, body=body, times=times))


def add_withdrawals(sandbox: Sandbox, count: int) -> list[str]:
    """Add withdrawals, one a second; return the ids of all, oldest first."""
    pattern = sandbox.withdrawals[INITIAL[0]]
    store = withdrawal_store(sandbox)
    for _ in range(count):
        uuid = f"11111111-0000-4000-8000-{len(store):012}"
        at = pattern.created_at + dt.timedelta(seconds=len(store))
        store.add(attrs.evolve(pattern, uuid=uuid, created_at=at))
    return list(store)
