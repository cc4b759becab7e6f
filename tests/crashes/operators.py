"""Programs next to the payers: an operator, a follower of the changes, and an auditor of everything at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from interruptions import Interruptions
from process import connect, has_ended, note, open_payouts
from records import read, record
from service import enqueue, moves_again, wait_until_it_rests

from upbit_async.errors import PayoutBlocked, UpbitError
from upbit_async.payouts import Payouts, PayoutState, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from process import Task
    from schedules import Abandonment, Invoice, Retry

__all__ = ["BLOCKED", "CHANGES", "JAMMED", "PAUSED", "audit", "follow", "follow_to_the_end", "operate"]

BLOCKED: Final = "blocked.jsonl"
"""Records of the payments that the auditor could not send, and of what blocks them."""
CHANGES: Final = "changes.jsonl"
"""Records of the follower: the changes, whose positions are also where it continues."""
JAMMED: Final = "jammed.jsonl"
"""Records of the payouts that a service without faults did not end, and that wait for no decision."""
PAUSED: Final = "paused.jsonl"
"""Records of the pauses, by the journal's positions and by the true time."""

_T = TypeVar("_T")

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


# -- the operator ----------------------------------------------------------------------------------


async def operate(task: Task) -> None:
    """Abandon and retry some payouts, each as soon as that is possible, and pause all of them at times."""
    async with _payouts(task) as payouts, anyio.create_task_group() as tasks:
        for abandonment in task.abandonments:
            tasks.start_soon(_abandon, payouts, abandonment)
        for each in task.retries:
            tasks.start_soon(_retry, payouts, each)
        tasks.start_soon(_pause_and_resume, payouts, task)


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


async def _retry(payouts: Payouts, decision: Retry) -> None:
    await anyio.sleep(decision.seconds)
    with anyio.move_on_after(_TIMEOUT):
        while not await _is_retried(payouts, decision.key):  # noqa: ASYNC110 - the journal sends no events
            await anyio.sleep(_PAUSE)


async def _is_retried(payouts: Payouts, key: str) -> bool:
    """Try to send a payout again once; return whether there is nothing more to try."""
    try:
        payout = await payouts.get(key)
        if payout is None or payout.state is not PayoutState.NOT_SENT:
            return payout is not None and has_ended(payout)
        await payouts.retry(key)
    except (UpbitError, ValueError) as error:  # it has changed meanwhile, or its nonce has arrived
        note(error)
        return False
    return True


async def _pause_and_resume(payouts: Payouts, task: Task) -> None:
    journal = SqliteJournal(task.folder / "payouts.db")
    for number, pause in enumerate(task.pauses):
        await anyio.sleep(pause.seconds)
        await _until_it_works(partial(payouts.pause, note=f"audit {number}"))
        begun, first = _true_time(), await _until_it_works(journal.position)
        await anyio.sleep(pause.length)
        last, ended = await _until_it_works(journal.position), _true_time()
        await _until_it_works(payouts.resume)
        record(task.folder, PAUSED, first=first, last=last, begun=begun, ended=ended)
    await journal.aclose()


async def _until_it_works(work: Callable[[], Awaitable[_T]]) -> _T:
    while True:
        try:
            return await work()
        except UpbitError as error:  # the journal is locked
            note(error)
            await anyio.sleep(_PAUSE)


def _true_time() -> float:
    """Return the time of day, which is not shifted as the process's own is."""
    return time.clock_gettime(time.CLOCK_REALTIME)


# -- the follower ----------------------------------------------------------------------------------


async def follow(task: Task) -> None:
    """Record the changes of all payouts, from where an earlier process has ended, until it is killed."""
    async with _payouts(task) as payouts:
        while True:
            try:
                await _follow(payouts, task)
            except UpbitError as error:  # the journal is locked
                note(error)
                await anyio.sleep(_PAUSE)


async def follow_to_the_end(task: Task) -> None:
    """Record the changes until the newest one."""
    journal = SqliteJournal(task.folder / "payouts.db")
    newest = await journal.position()
    await journal.aclose()
    async with _payouts(task) as payouts:
        await _follow(payouts, task, until=newest)


async def _follow(payouts: Payouts, task: Task, until: int | None = None) -> None:
    seen = read(task.folder, CHANGES)
    position = seen[-1]["position"] if seen else 0
    if position == until:
        return
    async for change in payouts.changes(after=position):
        fields = {"key": change.key, "previous": change.previous, "state": change.state}
        record(task.folder, CHANGES, position=change.position, **fields)
        if change.position == until:
            return


# -- the auditor -----------------------------------------------------------------------------------


async def audit(task: Task) -> None:
    """Advance all open payouts and repeat what could not be sent; then make the last payments.

    Those reconcile the account.
    """
    async with _payouts(task) as payouts:
        await payouts.run_once()
        if task.style.runs:
            async with payouts.running():
                await _serve(payouts, task.invoices, task)
                await _serve(payouts, task.last_invoices, task)
                is_any_left = True
                while is_any_left:  # a review that has ended may have held others up
                    await _until_it_works(payouts.reconcile)
                    await _serve(payouts, task.invoices, task)
                    is_any_left = await moves_again(payouts, task.invoices)
            return
        for invoice in (*task.invoices, *task.last_invoices):
            payout = await payouts.get(invoice.key)
            if payout is None or not has_ended(payout):
                await _pay(payouts, invoice, task)


async def _serve(payouts: Payouts, invoices: tuple[Invoice, ...], task: Task) -> None:
    """Wait for the payments, and enqueue those that were not enqueued yet."""
    async with anyio.create_task_group() as tasks:
        for invoice in invoices:
            tasks.start_soon(_enqueue_and_wait, payouts, invoice, task)


async def _enqueue_and_wait(payouts: Payouts, invoice: Invoice, task: Task) -> None:
    await enqueue(payouts, invoice, task)
    with anyio.move_on_after(_TIMEOUT) as scope:
        await wait_until_it_rests(payouts, invoice.key, task)
    if scope.cancelled_caught:
        record(task.folder, JAMMED, key=invoice.key)


async def _pay(payouts: Payouts, invoice: Invoice, task: Task) -> None:
    for number in range(_TRIES):
        try:
            await payouts.send(
                invoice.key,
                currency=invoice.currency,
                net_type=invoice.net_type,
                amount=invoice.amount,
                address=invoice.address,
                timeout=_TIMEOUT,
            )
        except PayoutBlocked as blocked:
            record(task.folder, BLOCKED, key=invoice.key, by_key=blocked.by_key, uuids=blocked.uuids)
            return
        except UpbitError as error:  # such as the rate limit
            sys.stdout.write(f"audit, try {number}: {error}\n")
            await anyio.sleep(1)
        else:
            return
