"""Service that enqueues its payments, and waits for `Payouts.running` to send them, in a process that is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from interruptions import Interruptions
from process import connect, has_ended, is_held_up, note, open_payouts, retry
from records import read, record

from upbit_async.errors import AmountLimitExceeded, PayoutBlocked, UpbitError
from upbit_async.payouts import PayoutState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from process import Task
    from schedules import Invoice

    from upbit_async.payouts import Payout, Payouts

__all__ = ["ENQUEUED", "enqueue", "moves_again", "serve", "wait_until_it_rests"]

ENQUEUED: Final = "enqueued.jsonl"
"""Records of the keys for which `enqueue` has returned. From then on nobody enqueues them again."""

_LIVES: Final = 12
"""Number of lives that end early. On a busy machine a life may be too short for anything, so the next has no end."""
_SHUTDOWN_TIMEOUT: Final = 0.4
_CHECK_PERIOD: Final = 0.3
_MOVING: Final = frozenset(
    {PayoutState.NOT_SENT, PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.ACCEPTED}
)


async def serve(task: Task) -> None:
    """Pay the invoices; end the work after each life, and start again."""
    interruptions = Interruptions(task.kill, task.stop, task.folder)
    with interruptions.at_first_bytes():
        for _ in range(_LIVES):
            if await _live(task, interruptions, task.style.life):
                return
        await _live(task, interruptions, None)


async def _live(task: Task, interruptions: Interruptions, seconds: float | None) -> bool:
    """Run once, and return whether everything is paid, or waits for a decision.

    Args:
        task: Parameters of the process.
        interruptions: Interruptions of the process.
        seconds: Length of the life, in seconds; None for no end.
    """
    async with connect(task) as client:
        payouts = open_payouts(client, task, interruptions)
        async with payouts.running(shutdown_timeout=_SHUTDOWN_TIMEOUT):
            with anyio.move_on_after(seconds) as scope:
                while await _pay_all(payouts, task):
                    pass
            return not scope.cancelled_caught


async def _pay_all(payouts: Payouts, task: Task) -> bool:
    """Wait until each payout rests. Return whether one moves again meanwhile."""
    async with anyio.create_task_group() as tasks:
        for invoice in task.invoices:
            tasks.start_soon(_pay_one, payouts, invoice, task)
            if not _was_enqueued(invoice, task):
                await anyio.sleep(task.style.stagger)
    return await moves_again(payouts, task.invoices)


async def moves_again(payouts: Payouts, invoices: Sequence[Invoice]) -> bool:
    """Return whether a payout does not rest any more, or can't be read now: its review has ended by itself."""
    try:
        resting = [await payouts.get(invoice.key) for invoice in invoices]
    except UpbitError as error:  # the journal is locked
        note(error)
        return True
    return any(payout is not None and payout.state in _MOVING for payout in resting)


async def _pay_one(payouts: Payouts, invoice: Invoice, task: Task) -> None:
    await enqueue(payouts, invoice, task)
    await wait_until_it_rests(payouts, invoice.key, task)


async def enqueue(payouts: Payouts, invoice: Invoice, task: Task) -> None:
    """Enqueue a payment, unless `enqueue` has returned for it before, also in another process."""
    while not _was_enqueued(invoice, task):
        try:
            await payouts.enqueue(
                invoice.key,
                currency=invoice.currency,
                net_type=invoice.net_type,
                amount=invoice.amount,
                address=invoice.address,
            )
        except UpbitError as error:  # the journal is locked
            note(error)
            await anyio.sleep(_CHECK_PERIOD)
        else:
            record(task.folder, ENQUEUED, key=invoice.key)


def _was_enqueued(invoice: Invoice, task: Task) -> bool:
    return {"key": invoice.key} in read(task.folder, ENQUEUED)


async def wait_until_it_rests(payouts: Payouts, key: str, task: Task) -> None:
    """Wait until a payout has ended, or waits for a decision; one that was not sent is sent again."""
    while True:
        try:
            payout = await payouts.wait(key, timeout=_CHECK_PERIOD)
        except UpbitError as error:
            note(error)
            await anyio.sleep(_CHECK_PERIOD)
            continue
        if has_ended(payout) or await _waits_for_a_decision(payouts, payout):
            return
        if payout.state is PayoutState.NOT_SENT:
            await retry(payouts, key, task)


async def _waits_for_a_decision(payouts: Payouts, payout: Payout) -> bool:
    if not payout.state.may_be_sent:
        return False
    if isinstance(payout.error, PayoutBlocked):
        return await is_held_up(payouts, payout.error)
    return isinstance(payout.error, AmountLimitExceeded)
