"""Naive back end, for comparison: a list of invoices, and a file with those that are paid."""

from __future__ import annotations

import asyncio
import os
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

from interruptions import Interruptions
from process import Task, connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from schedules import Invoice

__all__ = ["pay_by_create", "pay_by_sdk", "read_paid"]

_ROUNDS = 200


async def pay_by_create(task: Task) -> None:
    """Pay with this library's plain ``create``, and repeat it after any error."""
    async with connect(task) as client:

        async def create(invoice: Invoice) -> object:
            return await client.withdraws.create(
                currency=invoice.currency,
                net_type=invoice.net_type,
                amount=invoice.amount,
                address=invoice.address,
            )

        await _pay(task, create)


async def pay_by_sdk(task: Task) -> None:
    """Pay with the official SDK as its README shows, with the same timeout and its own settings otherwise."""
    upbit: Any = import_module("upbit")
    async with upbit.AsyncUpbit(
        access_key=task.access_key, secret_key=task.secret_key, base_url=task.url, timeout=task.read
    ) as client:

        async def create(invoice: Invoice) -> object:
            return await client.withdraws.create_withdrawal(
                currency=invoice.currency,
                net_type=invoice.net_type,
                amount=invoice.amount,
                address=invoice.address,
            )

        await _pay(task, create)


def read_paid(folder: Path) -> list[str]:
    """Return the keys of the invoices that are recorded as paid."""
    path = _file(folder)
    return path.read_text().split() if path.exists() else []


async def _pay(task: Task, create: Callable[[Invoice], Awaitable[object]]) -> None:
    interruptions = Interruptions(task.kill, task.stop, task.folder)
    for _ in range(_ROUNDS):
        paid = set(read_paid(task.folder))
        due = [invoice for invoice in task.invoices if invoice.key not in paid]
        if not due:
            return
        await asyncio.gather(*(_pay_one(invoice, task.folder, interruptions, create) for invoice in due))
        await asyncio.sleep(0.1)


async def _pay_one(
    invoice: Invoice,
    folder: Path,
    interruptions: Interruptions,
    create: Callable[[Invoice], Awaitable[object]],
) -> None:
    try:
        await create(invoice)
    except Exception:  # noqa: BLE001 - as naive code does
        traceback.print_exc()
        return
    with interruptions.around(), _file(folder).open("a") as file:
        file.write(f"{invoice.key}\n")
        file.flush()
        os.fsync(file.fileno())


def _file(folder: Path) -> Path:
    return folder / "paid.txt"
