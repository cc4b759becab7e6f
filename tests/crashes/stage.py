"""One schedule from its beginning to its end: the exchange, the processes that pay, and who kills them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

import anyio
import attrs
from backend import Task
from nursery import Child
from schedules import SETTLE, Schedule

from upbit_async.sandbox import Entry, Plan, Sandbox
from upbit_async.sandbox.faults import Delivery
from upbit_async.sandbox.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from schedules import Invoice, Kill

    from upbit_async.sandbox.messages import Request

__all__ = ["Trial", "perform"]

_LONGEST: Final = 40.0
"""A process that has not come to its end after so many seconds has got stuck."""
_STRANGER: Final = "somebody's own address"
_PATIENT: Final = 10.0
_HEARTBEAT: Final = 0.05


@attrs.define(kw_only=True)
class Trial:
    """What came of it.

    Attributes:
        schedule: What was to happen.
        folder: What the processes have left.
        ledger: What the exchange has done.
        kills: How many processes were killed.
        failures: What went wrong with the harness itself.
        lag: For how long at most the machine did nothing of what it should, in seconds.
    """

    schedule: Schedule
    folder: Path
    ledger: tuple[Entry, ...] = ()
    kills: int = 0
    failures: list[str] = attrs.field(factory=list[str])
    lag: float = 0.0


async def perform(schedule: Schedule, program: Callable[[Task], Awaitable[None]], folder: Path) -> Trial:
    """Let a payer work, kill it as often as the schedule says, and let it come to its end.

    Args:
        schedule: What happens.
        program: What the payer does.
        folder: An empty folder.
    """
    stage = _Stage(schedule, program, folder)
    with mock.patch.object(stage.sandbox._front, "serve", stage.gate.serve), stage.sandbox.serve() as url:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.measure_lag)
            await stage.pay_earlier(url)
            tasks.start_soon(stage.withdraw_on_the_website)
            await stage.run(url)
            tasks.cancel_scope.cancel()
        stage.trial.ledger = tuple(stage.sandbox.ledger)
    return stage.trial


class _Gate:
    """Stands before the exchange, and kills who sends something just then."""

    def __init__(self, serve: Callable[[Request], Delivery]) -> None:
        self.living: set[int] = set()
        self._serve = serve
        self._armed: dict[Kill, int] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def armed(self, kill: Kill | None) -> Generator[None]:
        """Be ready for a kill within the block."""
        if kill is None or kill.moment not in {"arrived", "arrived and lost", "done"}:
            yield
            return
        self._armed[kill] = kill.count
        try:
            yield
        finally:
            self._armed.pop(kill, None)

    def serve(self, request: Request) -> Delivery:
        """Serve a request, in the thread of the server: nothing else happens there meanwhile."""
        moments = {kill.moment for kill in self._due(request)}
        if moments - {"done"}:
            self._kill_all()
        if "arrived and lost" in moments:
            return Delivery(Answer(500), "reset")
        delivery = self._serve(request)
        if "done" in moments:
            self._kill_all()
        return delivery

    def _due(self, request: Request) -> list[Kill]:
        due: list[Kill] = []
        for kill in list(self._armed):
            if kill.method in {None, request.method}:
                self._armed[kill] -= 1
                if not self._armed[kill]:
                    due.append(kill)
        return due

    def _kill_all(self) -> None:
        with self._lock:
            for pid in self.living:
                with contextlib.suppress(ProcessLookupError):  # it has just come to its end
                    os.kill(pid, signal.SIGKILL)

    def admit(self, pid: int) -> None:
        """Take note of a process that lives."""
        with self._lock:
            self.living.add(pid)

    def bury(self, pid: int) -> None:
        """Take note of one that does not."""
        with self._lock:
            self.living.discard(pid)


class _Stage:
    def __init__(self, schedule: Schedule, program: Callable[[Task], Awaitable[None]], folder: Path) -> None:
        self.sandbox = Sandbox(
            "sg",
            knobs=attrs.evolve(schedule.knobs),
            plan=Plan.at_once(),
            limits=schedule.limits,
            seed=schedule.seed,
        )
        self.gate = _Gate(self.sandbox._front.serve)
        self.trial = Trial(schedule=schedule, folder=folder)
        self._schedule = schedule
        self._program = program
        self._still_dying = len(schedule.kills)
        self._calm = anyio.Event()
        for currency in ("USDT", "BTC"):
            self.sandbox.account.fund(currency, 10_000)
        for invoice in (*schedule.invoices, *filter(None, [schedule.earlier])):
            self.sandbox.account.allow_address(invoice.currency, invoice.net_type, invoice.address)
        self.sandbox.account.allow_address("USDT", "TRX", _STRANGER)

    async def pay_earlier(self, url: str) -> None:
        """Let everything go well once, and be ready for the rest."""
        if self._schedule.earlier is not None:
            task = self._task(url, None, (self._schedule.earlier,))
            await self._live(attrs.evolve(task, read=_PATIENT))
        self.sandbox.plan = self._schedule.plan
        self.sandbox.faults.add(*self._schedule.faults)

    async def run(self, url: str) -> None:
        """Run all processes, and one after the other without kills and faults at the end."""
        async with anyio.create_task_group() as tasks:
            for kills in self._schedule.kills:
                tasks.start_soon(self._live_and_die, url, kills)

    async def withdraw_on_the_website(self) -> None:
        """Do as a person who does not know of the payer."""
        for seconds in self._schedule.strangers:
            await anyio.sleep(seconds)
            self.sandbox.withdrawals.order("USDT", "TRX", 99, address=_STRANGER)

    async def measure_lag(self) -> None:
        """Find out whether the machine is too busy for the times that are meant."""
        while True:
            start = time.monotonic()
            await anyio.sleep(_HEARTBEAT)
            self.trial.lag = max(self.trial.lag, time.monotonic() - start - _HEARTBEAT)

    async def _live_and_die(self, url: str, kills: tuple[Kill, ...]) -> None:
        for kill in kills:
            if await self._live(self._task(url, kill, self._schedule.invoices)) != -signal.SIGKILL:
                break  # it came to its end before
            self.trial.kills += 1
            await anyio.sleep(kill.pause)
        self._still_dying -= 1
        if not self._still_dying:
            self.sandbox.faults.clear()
            self._calm.set()
        await self._calm.wait()
        if await self._live(self._task(url, None, self._schedule.invoices)):
            self.trial.failures.append("it did not come to its end")

    async def _live(self, task: Task) -> int:
        """Let one process live, and return its exit code."""
        kill, code = task.kill, 0
        with self.gate.armed(kill):
            child = Child(self._program, task)
            self.gate.admit(child.pid)
            with anyio.move_on_after(kill.seconds if kill and kill.moment == "time" else _LONGEST) as scope:
                code = await child.wait()
            if scope.cancelled_caught:
                child.kill()
                code = await child.wait()
                if not kill or kill.moment != "time":
                    self.trial.failures.append("it got stuck")
            self.gate.bury(child.pid)
        if code not in {0, -signal.SIGKILL}:
            self.trial.failures.append(f"it ended with {code}")
        return code

    def _task(self, url: str, kill: Kill | None, invoices: tuple[Invoice, ...]) -> Task:
        keys = self.sandbox.credentials
        return Task(
            url=url,
            access_key=keys.access_key.reveal(),
            secret_key=keys.secret_key.reveal(),
            folder=self.trial.folder,
            invoices=invoices,
            style=self._schedule.style,
            settling_time=SETTLE,
            kill=kill,
        )
