"""A naive back end for comparison: a list of invoices and a file of those that are paid."""

from __future__ import annotations

import asyncio
import os
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

from backend import Task, connect
from interruptions import Death

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from schedules import Invoice

__all__ = ["pay_by_create", "pay_by_sdk", "read_paid"]

_ROUNDS = 200


async def pay_by_create(task: Task) -> None:
    """Pay by this library's plain ``create``, and try again whatever went wrong."""
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
    """Pay by the official SDK, as its README says, with our patience and its own settings for all the rest."""
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
    """Return the keys of the invoices that are noted as paid."""
    path = _file(folder)
    return path.read_text().split() if path.exists() else []


async def _pay(task: Task, create: Callable[[Invoice], Awaitable[object]]) -> None:
    death = Death(task.kill, task.stop, task.folder)
    for _ in range(_ROUNDS):
        paid = set(read_paid(task.folder))
        due = [invoice for invoice in task.invoices if invoice.key not in paid]
        if not due:
            return
        await asyncio.gather(*(_pay_one(invoice, task.folder, death, create) for invoice in due))
        await asyncio.sleep(0.1)


async def _pay_one(
    invoice: Invoice, folder: Path, death: Death, create: Callable[[Invoice], Awaitable[object]]
) -> None:
    try:
        await create(invoice)
    except Exception:  # noqa: BLE001 - this is how it is done
        traceback.print_exc()
        return
    with death.around(), _file(folder).open("a") as file:
        file.write(f"{invoice.key}\n")
        file.flush()
        os.fsync(file.fileno())


def _file(folder: Path) -> Path:
    return folder / "paid.txt"
