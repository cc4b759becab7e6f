"""The back end under test, which pays with `Payouts` and is killed."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import attrs
from interruptions import Death
from schedules import Abandonment, Invoice, Kill, Stop, Style

from upbit_async import Credentials, PollSchedule, RetryPolicy, Timeouts, UpbitClient
from upbit_async.errors import PayoutBlocked, UpbitError
from upbit_async.payouts import Payout, Payouts, PayoutState, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["Task", "connect", "open_payouts", "pay"]

T = TypeVar("T")

_OPERATORS_TIME = 0.3


@attrs.frozen(kw_only=True)
class Task:
    """What one process is told.

    Attributes:
        url: Where the exchange is.
        access_key: The key to it.
        secret_key: Its secret.
        folder: Where the process keeps what must outlive it.
        invoices: What is to be paid.
        style: How to go about it.
        settling_time: How long after the loss of an answer the list is believed to be complete, in seconds.
        kill: When it is to die by its own hand, if it is.
        stop: When it is to stand still, if it is.
        skew: By how many seconds its time of day is wrong.
        abandonments: What an operator gives up.
        read: How long to wait for an answer, in seconds.
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


class _MortalJournal(SqliteJournal):
    def __init__(self, path: Path, death: Death) -> None:
        super().__init__(path)
        self._death = death

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        with self._death.around():
            return await super()._run(work, *arguments)


def connect(task: Task) -> UpbitClient:
    """Return an impatient client."""
    return UpbitClient(
        "sg",
        base_url=task.url,
        credentials=Credentials(task.access_key, task.secret_key),
        timeouts=Timeouts(connect=1, read=task.read, write=1, total=max(1.0, task.read)),
        retry=RetryPolicy(base=0.01, throttled_base=0.05, cap=0.2),
        poll=PollSchedule(first=0.05, longest=0.5, grace=5),
    )


async def pay(task: Task) -> None:
    """Do what a back end does when it starts: take up what is open, and pay what is to be paid."""
    death = Death(task.kill, task.stop, task.folder)
    with death.at_first_bytes():
        await _pay(task, death)


async def _pay(task: Task, death: Death) -> None:
    async with connect(task) as client, open_payouts(client, task, death) as payouts:
        await _recover(payouts)
        while await _pay_all(client, payouts, task, death):
            pass  # what has been settled since may have stood in the way of others


async def _pay_all(client: UpbitClient, payouts: Payouts, task: Task, death: Death) -> bool:
    """Pay everything, and judge once more what is in doubt; returns whether that has settled something."""
    async with anyio.create_task_group() as tasks:
        for number, invoice in enumerate(task.invoices):
            await anyio.sleep(task.style.stagger if number else 0)
            if task.style.jobs:
                tasks.start_soon(_do_job, client, task, death, invoice)
            else:
                tasks.start_soon(_pay_one, payouts, invoice, task)
    before = {payout.key async for payout in payouts.pending() if payout.state is PayoutState.NEEDS_REVIEW}
    after = {payout.key for payout in await _recover(payouts) if payout.state is PayoutState.NEEDS_REVIEW}
    return bool(before - after)


async def _recover(payouts: Payouts) -> list[Payout]:
    try:
        return await payouts.recover()
    except UpbitError as error:
        _note(error)
        return []


def open_payouts(client: UpbitClient, task: Task, death: Death) -> Payouts:
    """Return payouts on the journal that all processes share."""
    return Payouts(
        client,
        journal=_MortalJournal(task.folder / "payouts.db", death),
        settling_time=task.settling_time,
        resend="automatic" if task.style.resends else "manual",
        clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(seconds=task.skew),
    )


async def _do_job(client: UpbitClient, task: Task, death: Death, invoice: Invoice) -> None:
    async with open_payouts(client, task, death) as payouts:
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
                raise payout.error  # a copy has left before, so it was returned
            if not wait and not payout.state.may_leave:  # what is held back is sent by `send` only
                payout = await payouts.wait(invoice.key)
        except PayoutBlocked as blocked:
            if await _needs_person(payouts, blocked):
                return
            _note(blocked)
        except UpbitError as error:  # nothing has left
            _note(error)
        else:
            if _has_ended(payout):
                return
            if payout.state is PayoutState.NOT_SENT:
                await _retry(payouts, invoice.key, task)
        await anyio.sleep(0.03)


async def _needs_person(payouts: Payouts, blocked: PayoutBlocked) -> bool:
    if blocked.by_key is None:
        return True  # Upbit shows an equal withdrawal of nobody
    other = await payouts.get(blocked.by_key)
    return other is not None and other.state is PayoutState.NEEDS_REVIEW


async def _retry(payouts: Payouts, key: str, task: Task) -> None:
    if any(key == each.key for each in task.abandonments):
        await anyio.sleep(_OPERATORS_TIME)
    try:
        await payouts.retry(key)
    except (UpbitError, ValueError) as error:  # another process was faster, or the journal is locked
        sys.stdout.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")


def _has_ended(payout: Payout) -> bool:
    return payout.state.is_final or payout.state is PayoutState.NEEDS_REVIEW


def _note(error: UpbitError) -> None:
    sys.stdout.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")
