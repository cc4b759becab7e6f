"""Back end that pays by calls of `Payouts.send`, in a process that is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from interruptions import Interruptions
from process import connect, has_ended, is_held_up, note, open_payouts, retry

from upbit_async.errors import AmountLimitExceeded, PayoutBlocked, UpbitError
from upbit_async.payouts import Payout, Payouts, PayoutState

if TYPE_CHECKING:
    from process import Task
    from schedules import Invoice

    from upbit_async import UpbitClient

__all__ = ["pay"]


async def pay(task: Task) -> None:
    """Do what a back end does when it starts: recover open payouts, then pay the invoices."""
    interruptions = Interruptions(task.kill, task.stop, task.folder)
    with interruptions.at_first_bytes():
        async with connect(task) as client, open_payouts(client, task, interruptions) as payouts:
            await _recover(payouts)
            while await _pay_all(client, payouts, task, interruptions):
                pass  # a review that has ended may have held others up


async def _pay_all(client: UpbitClient, payouts: Payouts, task: Task, interruptions: Interruptions) -> bool:
    """Pay everything, then recover; return whether that has ended a review."""
    async with anyio.create_task_group() as tasks:
        for number, invoice in enumerate(task.invoices):
            await anyio.sleep(task.style.stagger if number else 0)
            if task.style.jobs:
                tasks.start_soon(_do_job, client, task, interruptions, invoice)
            else:
                tasks.start_soon(_pay_one, payouts, invoice, task)
    before = {payout.key for payout in await payouts.list(states=[PayoutState.NEEDS_REVIEW], limit=1000)}
    after = {payout.key for payout in await _recover(payouts) if payout.state is PayoutState.NEEDS_REVIEW}
    return bool(before - after)


async def _recover(payouts: Payouts) -> list[Payout]:
    try:
        return await payouts.run_once()
    except UpbitError as error:
        note(error)
        return []


async def _do_job(client: UpbitClient, task: Task, interruptions: Interruptions, invoice: Invoice) -> None:
    async with open_payouts(client, task, interruptions) as payouts:
        await _pay_one(payouts, invoice, task)


async def _pay_one(payouts: Payouts, invoice: Invoice, task: Task) -> None:
    while True:
        try:
            payout = await _send_and_wait(payouts, invoice, wait=task.style.wait)
        except PayoutBlocked as blocked:
            if await is_held_up(payouts, blocked):
                return
            note(blocked)
        except AmountLimitExceeded:
            return
        except UpbitError as error:  # nothing was sent
            note(error)
        else:
            if has_ended(payout):
                return
            if payout.state is PayoutState.NOT_SENT:
                await retry(payouts, invoice.key, task)
        await anyio.sleep(0.03)


async def _send_and_wait(payouts: Payouts, invoice: Invoice, *, wait: bool) -> Payout:
    payout = await payouts.send(
        invoice.key,
        currency=invoice.currency,
        net_type=invoice.net_type,
        amount=invoice.amount,
        address=invoice.address,
        until="final" if wait else "accepted",
    )
    if isinstance(payout.error, PayoutBlocked):
        raise payout.error  # returned instead of raised, because a copy was sent before
    if not wait and not payout.state.may_be_sent:  # a blocked payout is sent by `send` only
        payout = await payouts.wait(invoice.key)
    return payout
