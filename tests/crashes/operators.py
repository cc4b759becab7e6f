"""Operator's work next to the payers: abandons payouts, and audits everything at the end."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Final

import anyio
from backend import Task, connect, open_payouts
from interruptions import Interruptions

from upbit_async.errors import UpbitError
from upbit_async.payouts import Payouts, PayoutState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from schedules import Abandonment, Invoice

__all__ = ["abandon", "audit"]

_TIMEOUT: Final = 8.0
_PAUSE: Final = 0.02
_TRIES: Final = 3
_ABANDONABLE: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.NOT_SENT})


@contextlib.asynccontextmanager
async def _payouts(task: Task) -> AsyncGenerator[Payouts]:
    async with (
        connect(task) as client,
        open_payouts(client, task, Interruptions(None, None, task.folder)) as payouts,
    ):
        yield payouts


async def abandon(task: Task) -> None:
    """Abandon some payouts, each as soon as that is possible."""
    async with _payouts(task) as payouts, anyio.create_task_group() as tasks:
        for abandonment in task.abandonments:
            tasks.start_soon(_abandon, payouts, abandonment)


async def _abandon(payouts: Payouts, abandonment: Abandonment) -> None:
    await anyio.sleep(abandonment.seconds)
    with anyio.move_on_after(_TIMEOUT):
        while not await _is_abandoned(payouts, abandonment):  # noqa: ASYNC110 - the journal sends no events
            await anyio.sleep(_PAUSE)


async def _is_abandoned(payouts: Payouts, abandonment: Abandonment) -> bool:
    """Try to abandon a payout once; return whether there is nothing more to try."""
    try:
        payout = await payouts.get(abandonment.key)
        if payout is None or payout.state.is_final:
            return payout is not None
        if payout.state not in _ABANDONABLE or (abandonment.waits and payout.sent_request is None):
            return False
        await payouts.abandon(abandonment.key, force=abandonment.force)
    except ValueError as error:  # it has changed meanwhile, or a copy was just sent and `force` is missing
        sys.stdout.write(f"not abandoned: {error}\n")
        return "less than an hour ago" in str(error)
    except UpbitError as error:
        sys.stdout.write(f"not abandoned: {error}\n")
        return False
    return True


async def audit(task: Task) -> None:
    """Recover all open payouts, then make the next payments, which reconciles the account."""
    async with _payouts(task) as payouts:
        await payouts.run_once()
        for invoice in task.invoices:
            await _pay(payouts, invoice)


async def _pay(payouts: Payouts, invoice: Invoice) -> None:
    for number in range(_TRIES):
        try:
            await payouts.send(
                invoice.key,
                currency=invoice.currency,
                net_type=invoice.net_type,
                amount=invoice.amount,
                address=invoice.address,
            )
        except UpbitError as error:  # such as the rate limit
            sys.stdout.write(f"audit, try {number}: {error}\n")
            await anyio.sleep(1)
        else:
            return
