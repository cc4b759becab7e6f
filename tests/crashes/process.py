"""What every process of a schedule shares: its parameters, its client, and its `Payouts`."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import attrs
from schedules import Abandonment, Invoice, Kill, Pause, Retry, Stop, Style

from upbit_async import Credentials, PollSchedule, RetryPolicy, Timeouts, UpbitClient
from upbit_async.errors import PayoutBlocked, UpbitError
from upbit_async.payouts import AmountLimit, Payout, Payouts, PayoutState, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from interruptions import Interruptions


__all__ = ["Task", "connect", "has_ended", "is_held_up", "note", "open_payouts", "retry"]

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
        last_invoices: Payments after all others.
        style: How the payer works.
        settling_time: Time after the loss of an answer after which the list is considered complete, in seconds.
        kill: When the process kills itself; None for never.
        stop: When the process stops itself; None for never.
        skew: Error of its time of day, in seconds.
        abandonments: The payouts that an operator abandons. Likewise `retries` and `pauses`.
        per_day: Limit of the amounts in USDT; None for none.
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
    last_invoices: tuple[Invoice, ...] = ()
    stop: Stop | None = None
    skew: float = 0.0
    abandonments: tuple[Abandonment, ...] = ()
    retries: tuple[Retry, ...] = ()
    pauses: tuple[Pause, ...] = ()
    per_day: str | None = None
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


def open_payouts(client: UpbitClient, task: Task, interruptions: Interruptions) -> Payouts:
    """Return a `Payouts` on the journal that all processes share."""
    return Payouts(
        client,
        journal=_InterruptedJournal(task.folder / "payouts.db", interruptions),
        settling_time=task.settling_time,
        resend="automatic" if task.style.resends else "manual",
        amount_limits=() if task.per_day is None else [AmountLimit("USDT", per_day=task.per_day)],
        clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(seconds=task.skew),
        check=False,
    )


async def retry(payouts: Payouts, key: str, task: Task) -> None:
    """Send a payout again, after an operator had time to abandon it."""
    if any(key == each.key for each in task.abandonments):
        await anyio.sleep(_OPERATOR_DELAY)
    try:
        await payouts.retry(key)
    except (UpbitError, ValueError) as error:  # another process was faster, or the journal is locked
        note(error)


async def is_held_up(payouts: Payouts, blocked: PayoutBlocked) -> bool:
    """Return whether a payout waits for a decision: by itself nothing ends the block."""
    if blocked.by_key is None:
        return True  # Upbit shows an equal withdrawal that no payout owns
    other = await payouts.get(blocked.by_key)
    return other is not None and other.state is PayoutState.NEEDS_REVIEW


def has_ended(payout: Payout) -> bool:
    """Return whether nothing more happens to a payout by itself."""
    return payout.state.is_final or payout.state is PayoutState.NEEDS_REVIEW


def note(error: Exception) -> None:
    """Write an error to the log."""
    sys.stdout.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")
