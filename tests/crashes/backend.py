"""The back end that pays by `Payouts`, and dies."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import attrs
from schedules import Invoice, Kill, Style

from upbit_async import Credentials, PollSchedule, RetryPolicy, Timeouts, UpbitClient
from upbit_async.errors import PayoutBlocked, UpbitError
from upbit_async.payouts import Payout, Payouts, PayoutState, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["Death", "Task", "connect", "pay"]

T = TypeVar("T")


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
    read: float = 0.3


class Death:
    """Ends the process before, during or after its n-th work on what outlives it."""

    def __init__(self, kill: Kill | None) -> None:
        self._kill = kill
        self._left = kill.count if kill is not None else 0

    def before(self) -> bool:
        """Take note that work begins; returns whether it is the last."""
        self._left -= 1
        if self._kill is None or self._left != 0:
            return False
        if self._kill.moment == "before journal":
            die()
        if self._kill.moment == "during journal":
            threading.Thread(target=_die_in, args=(self._kill.seconds,), daemon=True).start()
        return True

    def after(self, *, is_last: bool) -> None:
        """Take note that work is done."""
        if is_last and self._kill is not None and self._kill.moment == "after journal":
            die()


def die() -> None:
    """End the process as nothing else does: nothing is flushed, closed or told."""
    os.kill(os.getpid(), signal.SIGKILL)


def _die_in(seconds: float) -> None:
    time.sleep(seconds)
    die()


class _MortalJournal(SqliteJournal):
    def __init__(self, path: Path, death: Death) -> None:
        super().__init__(path)
        self._death = death

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        is_last = self._death.before()
        try:
            return await super()._run(work, *arguments)
        finally:
            self._death.after(is_last=is_last)


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
    death = Death(task.kill)
    async with connect(task) as client, _payouts(client, task, death) as payouts:
        try:
            await payouts.recover()
        except UpbitError as error:
            _note(error)
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
                tasks.start_soon(_pay_one, payouts, invoice, task.style)
    before = {payout.key async for payout in payouts.pending() if payout.state is PayoutState.NEEDS_REVIEW}
    after = {payout.key for payout in await payouts.recover() if payout.state is PayoutState.NEEDS_REVIEW}
    return bool(before - after)


def _payouts(client: UpbitClient, task: Task, death: Death) -> Payouts:
    return Payouts(
        client,
        journal=_MortalJournal(task.folder / "payouts.db", death),
        settling_time=task.settling_time,
        resend="automatic" if task.style.resends else "manual",
    )


async def _do_job(client: UpbitClient, task: Task, death: Death, invoice: Invoice) -> None:
    async with _payouts(client, task, death) as payouts:
        await _pay_one(payouts, invoice, task.style)


async def _pay_one(payouts: Payouts, invoice: Invoice, style: Style) -> None:
    while True:
        try:
            payout = await payouts.send(
                invoice.key,
                currency=invoice.currency,
                net_type=invoice.net_type,
                amount=invoice.amount,
                address=invoice.address,
                wait=style.wait,
            )
            if not style.wait:
                payout = await payouts.wait(invoice.key)
        except PayoutBlocked as blocked:
            other = await payouts.get(blocked.by_key) if blocked.by_key is not None else None
            if other is not None and other.state is PayoutState.NEEDS_REVIEW:
                return  # nothing more can be done without a person
            _note(blocked)
        except UpbitError as error:  # nothing has left
            _note(error)
        else:
            if _has_ended(payout):
                return
            if payout.state is PayoutState.NOT_SENT:
                await _retry(payouts, invoice.key)
        await anyio.sleep(0.03)


async def _retry(payouts: Payouts, key: str) -> None:
    try:
        await payouts.retry(key)
    except (UpbitError, ValueError) as error:  # another process was faster, or the journal is locked
        sys.stdout.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")


def _has_ended(payout: Payout) -> bool:
    return payout.state.is_final or payout.state is PayoutState.NEEDS_REVIEW


def _note(error: UpbitError) -> None:
    sys.stdout.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")
