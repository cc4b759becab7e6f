"""Back end that pays with `Payouts`, in a process that is killed."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import attrs
from interruptions import Interruptions
from schedules import Abandonment, Invoice, Kill, Stop, Style

from upbit_async import Credentials, PollSchedule, RetryPolicy, Timeouts, UpbitClient
from upbit_async.errors import PayoutBlocked, UpbitError
from upbit_async.payouts import Payout, Payouts, PayoutState, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["Task", "connect", "open_payouts", "pay"]

T = TypeVar("T")

_OPERATOR_DELAY = 0.3


@attrs.frozen(kw_only=True)
class Task:
    """Parameters of one process.

    Attributes:
        url: Base URL of the exchange.
        access_key: Access key.
        secret_key: Secret key.
        folder: Folder for what must outlive the process.
        invoices: The payments to make.
        style: How the payer works.
        settling_time: Time after the loss of an answer after which the list is considered complete, in seconds.
        kill: When the process kills itself; None for never.
        stop: When the process stops itself; None for never.
        skew: Error of its time of day, in seconds.
        abandonments: The payouts that an operator abandons.
        read: Timeout for an answer, in seconds.
    """

    url: str
    access_key: str
    secret_key: str
    folder: Path
    invoices: tuple[Invoice, ...]
    style: Style
    settling_time: float
    kill: Kill | None
    stop: Stop | None = None
    skew: float = 0.0
    abandonments: tuple[Abandonment, ...] = ()
    read: float = 0.3


class _InterruptedJournal(SqliteJournal):
    def __init__(self, path: Path, interruptions: Interruptions) -> None:
        super().__init__(path)
        self._interruptions = interruptions

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        with self._interruptions.around():
            return await super()._run(work, *arguments)


def connect(task: Task) -> UpbitClient:
    """Return a client with short timeouts."""
    return UpbitClient(
        "sg",
        base_url=task.url,
        credentials=Credentials(task.access_key, task.secret_key),
        timeouts=Timeouts(connect=1, read=task.read, write=1, total=max(1.0, task.read)),
        retry=RetryPolicy(base=0.01, throttled_base=0.05, cap=0.2),
        poll=PollSchedule(first=0.05, longest=0.5, grace=5),
    )


async def pay(task: Task) -> None:
    """Do what a back end does when it starts: recover open payouts, then pay the invoices."""
    interruptions = Interruptions(task.kill, task.stop, task.folder)
    with interruptions.at_first_bytes():
        await _pay(task, interruptions)


async def _pay(task: Task, interruptions: Interruptions) -> None:
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
        _note(error)
        return []


def open_payouts(client: UpbitClient, task: Task, interruptions: Interruptions) -> Payouts:
    """Return a `Payouts` on the journal that all processes share."""
    return Payouts(
        client,
        journal=_InterruptedJournal(task.folder / "payouts.db", interruptions),
        settling_time=task.settling_time,
        resend="automatic" if task.style.resends else "manual",
        clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(seconds=task.skew),
        check=False,
    )


async def _do_job(client: UpbitClient, task: Task, interruptions: Interruptions, invoice: Invoice) -> None:
    async with open_payouts(client, task, interruptions) as payouts:
        await _pay_one(payouts, invoice, task)


async def _pay_one(payouts: Payouts, invoice: Invoice, task: Task) -> None:
    wait = task.style.wait
    while True:
        try:
            payout = await payouts.send(
                invoice.key,
                currency=invoice.currency,
                net_type=invoice.net_type,
                amount=invoice.amount,
                address=invoice.address,
                wait=wait,
            )
            if isinstance(payout.error, PayoutBlocked):
                raise payout.error  # returned instead of raised, because a copy was sent before
            if not wait and not payout.state.may_be_sent:  # a blocked payout is sent by `send` only
                payout = await payouts.wait(invoice.key)
        except PayoutBlocked as blocked:
            if await _needs_review(payouts, blocked):
                return
            _note(blocked)
        except UpbitError as error:  # nothing was sent
            _note(error)
        else:
            if _has_ended(payout):
                return
            if payout.state is PayoutState.NOT_SENT:
                await _retry(payouts, invoice.key, task)
        await anyio.sleep(0.03)


async def _needs_review(payouts: Payouts, blocked: PayoutBlocked) -> bool:
    if blocked.by_key is None:
        return True  # Upbit shows an equal withdrawal that no payout owns
    other = await payouts.get(blocked.by_key)
    return other is not None and other.state is PayoutState.NEEDS_REVIEW


async def _retry(payouts: Payouts, key: str, task: Task) -> None:
    if any(key == each.key for each in task.abandonments):
        await anyio.sleep(_OPERATOR_DELAY)
    try:
        await payouts.retry(key)
    except (UpbitError, ValueError) as error:  # another process was faster, or the journal is locked
        sys.stdout.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")


def _has_ended(payout: Payout) -> bool:
    return payout.state.is_final or payout.state is PayoutState.NEEDS_REVIEW


def _note(error: UpbitError) -> None:
    sys.stdout.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")
