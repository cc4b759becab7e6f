"""Runs one schedule: the exchange, the processes that pay, and the kills and stops of them."""

from __future__ import annotations

import contextlib
import functools
import itertools
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from unittest import mock

import anyio
import attrs
from fork_server import Child
from gate import Gate
from interruptions import STOPPED, stop
from process import Task
from schedules import SETTLE, Kill, Schedule

from upbit_async.sandbox import LedgerEntry, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from schedules import Invoice, Stop

__all__ = ["STRANGER", "Cast", "Program", "Trial", "perform"]

Program: TypeAlias = "Callable[[Task], Awaitable[None]]"
"""Program of one process."""

_LONGEST: Final = 40.0
"""Time after which a process counts as stuck, in seconds."""
STRANGER: Final = "address of a withdrawal made elsewhere"
_LONG_READ: Final = 10.0
_HEARTBEAT: Final = 0.05
_WAKE_UPS: Final = 5


@attrs.define(kw_only=True)
class Trial:
    """Result of one schedule.

    Attributes:
        schedule: The schedule.
        folder: Folder with the files of the processes.
        ledger: Ledger of the exchange.
        before_audit: Number of its entries before the audit.
        kills: Number of processes that were killed.
        stops: Number of processes that were stopped for some time.
        failures: Failures of the harness itself.
        lag: Longest time for which the machine did not run the harness, in seconds.
    """

    schedule: Schedule
    folder: Path
    ledger: tuple[LedgerEntry, ...] = ()
    before_audit: int = 0
    kills: int = 0
    stops: int = 0
    failures: list[str] = attrs.field(factory=list[str])
    lag: float = 0.0


@attrs.frozen(kw_only=True)
class Cast:
    """Programs of a schedule.

    Attributes:
        payer: Program of each payer.
        service: Program of each payer in schedules of services; None for the same.
        operator: Program of an operator at the same time; None for none.
        follower: Program that follows the changes at the same time, and one that follows them to their end afterwards;
            None for none.
        auditor: Program that runs when all payers have ended, and the list shows everything; None for none.
    """

    payer: Program
    service: Program | None = None
    operator: Program | None = None
    follower: tuple[Program, Program] | None = None
    auditor: Program | None = None


async def perform(schedule: Schedule, cast: Cast, folder: Path) -> Trial:
    """Run a payer, kill it as often as the schedule says, and run it to its end.

    Args:
        schedule: The schedule.
        cast: The programs.
        folder: Empty folder for the processes' files.
    """
    harness = _Harness(schedule, cast, folder)
    with (
        mock.patch.object(harness.dispatcher, "serve", harness.gate.serve),
        harness.sandbox.serve() as url,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(harness.measure_lag)
            await harness.pay_earlier(url)
            tasks.start_soon(harness.withdraw_on_the_website)
            await harness.run(url)
            harness.trial.before_audit = len(harness.sandbox.ledger)
            await harness.audit(url)
            tasks.cancel_scope.cancel()
        harness.trial.ledger = tuple(harness.sandbox.ledger)
    return harness.trial


class _Harness:
    def __init__(self, schedule: Schedule, cast: Cast, folder: Path) -> None:
        self.sandbox = Sandbox(
            "sg",
            knobs=attrs.evolve(schedule.knobs),
            transitions=Transitions.immediate(),
            limits=schedule.limits,
            seed=schedule.seed,
        )
        self.dispatcher = self.sandbox._dispatcher  # noqa: SLF001 - every request passes here
        self.gate = Gate(self.dispatcher.serve)
        self.trial = Trial(schedule=schedule, folder=folder)
        self._schedule = schedule
        self._cast = cast
        self._payer = cast.service if schedule.style.runs and cast.service is not None else cast.payer
        self._still_killed = len(schedule.kills)
        self._calm = anyio.Event()
        self._watch = anyio.CancelScope()
        self._following = anyio.CancelScope()
        self._skews = itertools.cycle(schedule.skews)
        for currency in ("USDT", "BTC"):
            self.sandbox.account.fund(currency, 10_000)
        for invoice in (*schedule.invoices, *schedule.later, *filter(None, [schedule.earlier])):
            self.sandbox.account.allow_address(invoice.currency, invoice.net_type, invoice.address)
        self.sandbox.account.allow_address("USDT", "TRX", STRANGER)

    async def pay_earlier(self, url: str) -> None:
        """Make one payment without faults, then prepare the schedule's faults."""
        if self._schedule.earlier is not None:
            task = self._task(url, (self._schedule.earlier,))
            await self._run_process(self._cast.payer, attrs.evolve(task, read=_LONG_READ))
        self.sandbox.withdrawals.transitions = self._schedule.transitions
        self.sandbox.faults.add(*self._schedule.faults)

    async def run(self, url: str) -> None:
        """Run all processes, the last of each payer without kills and faults."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pause_a_payer, url)
            tasks.start_soon(self._follow, url)
            async with anyio.create_task_group() as payers:
                if self._cast.operator is not None:
                    payers.start_soon(self._run_undisturbed, self._cast.operator, url)
                for line, kills in enumerate(self._schedule.kills):
                    stop = None if line else self._schedule.stop
                    payers.start_soon(self._run_and_kill, url, kills, stop)
            self._watch.cancel()
            self._following.cancel()

    async def _follow(self, url: str) -> None:
        """Follow the changes, and start again after each kill, until all payers have ended."""
        if self._cast.follower is None or self._schedule.follower_kills is None:
            return
        with self._following:
            for seconds in self._schedule.follower_kills:
                with anyio.move_on_after(seconds):
                    await self._run_undisturbed(self._cast.follower[0], url)
            await self._run_undisturbed(self._cast.follower[0], url)

    async def _run_undisturbed(self, program: Program, url: str) -> None:
        """Run a process that no payer's kill reaches; if this is cancelled, it is killed."""
        child = Child(program, self._task(url, ()))
        try:
            code = await child.wait()
        except BaseException:
            child.kill()
            with anyio.CancelScope(shield=True):
                await child.wait()
            raise
        if code:
            self.trial.failures.append(f"{program.__name__} ended with {code}")

    async def audit(self, url: str) -> None:
        """Run the auditor with a list that shows everything."""
        self.sandbox.knobs.list_delay = 0.0
        if self._cast.auditor is not None:
            task = attrs.evolve(
                self._task(url, self._schedule.invoices),
                last_invoices=self._schedule.later,
                read=_LONG_READ,
                per_day=None,
            )
            if await self._run_process(self._cast.auditor, task):
                self.trial.failures.append("the audit did not end")
        if self._cast.follower is not None and self._schedule.follower_kills is not None:
            await self._run_undisturbed(self._cast.follower[1], url)

    async def withdraw_on_the_website(self) -> None:
        """Withdraw like a person who does not know of the payer."""
        for seconds in self._schedule.strangers:
            await anyio.sleep(seconds)
            self.sandbox.withdrawals.create_on_website("USDT", "TRX", 99, address=STRANGER)

    async def measure_lag(self) -> None:
        """Measure whether the machine is too busy for the schedule's times."""
        while True:
            start = time.monotonic()
            await anyio.sleep(_HEARTBEAT)
            self.trial.lag = max(self.trial.lag, time.monotonic() - start - _HEARTBEAT)

    async def _run_and_kill(self, url: str, kills: tuple[Kill, ...], stop: Stop | None) -> None:
        for kill in kills:
            task = attrs.evolve(self._task(url, self._schedule.invoices), kill=kill, stop=self._unused(stop))
            if await self._run_process(self._payer, task) != -signal.SIGKILL:
                break  # it ended before
            self.trial.kills += 1
            await anyio.sleep(kill.pause)
        self._still_killed -= 1
        if not self._still_killed:
            self.sandbox.faults.clear()
            self._calm.set()
        await self._calm.wait()
        task = attrs.evolve(self._task(url, self._schedule.invoices), stop=self._unused(stop))
        if await self._run_process(self._payer, task):
            self.trial.failures.append("it did not end")

    def _unused(self, stop: Stop | None) -> Stop | None:
        return None if (self.trial.folder / STOPPED).exists() else stop

    async def _pause_a_payer(self, url: str) -> None:
        """Run a second payer while one is stopped, then continue the stopped one."""
        stop = self._schedule.stop
        if stop is None:
            return
        pid: int | None = None
        with self._watch:
            pid = await self._stopped_pid()
        if pid is None:
            return  # all payers have ended before
        self.trial.stops += 1
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run_process, self._payer, self._task(url, self._schedule.invoices))
            await anyio.sleep(stop.seconds)
            for _ in range(_WAKE_UPS):  # the file is written just before the process stops
                self.gate.resume(pid)
                await anyio.sleep(_HEARTBEAT)

    async def _stopped_pid(self) -> int:
        while True:
            with contextlib.suppress(FileNotFoundError):
                text = await anyio.Path(self.trial.folder / STOPPED).read_text()
                if text.endswith("\n"):
                    return int(text)
            await anyio.sleep(_HEARTBEAT)

    async def _run_process(self, program: Program, task: Task) -> int:
        """Run one process, and return its exit code."""
        kill, code = task.kill, 0
        pids: list[int] = []
        stop_it = functools.partial(self._stop, pids)
        with self.gate.armed(kill), self.gate.armed(None if task.stop is None else task.stop.at, stop_it):
            child = Child(program, task)
            pids.append(child.pid)
            self.gate.add(child.pid)
            with anyio.move_on_after(kill.seconds if kill and kill.moment == "time" else _LONGEST) as scope:
                code = await self._wait_for(child, task.stop, stop_it)
            if scope.cancelled_caught:
                is_stuck = not kill or kill.moment != "time"
                if is_stuck:
                    self.trial.failures.append("it was stuck")
                    child.show_threads()
                    await anyio.sleep(_HEARTBEAT)
                child.kill()
                code = await child.wait()
            self.gate.remove(child.pid)
        if code not in {0, -signal.SIGKILL}:
            self.trial.failures.append(f"it ended with {code}")
        return code

    async def _wait_for(self, child: Child, stop: Stop | None, stop_it: Callable[[], None]) -> int:
        """Wait for the end of a process, and stop it at the schedule's time."""
        code = 0
        async with anyio.create_task_group() as tasks:
            if stop is not None and stop.at.moment == "time":
                tasks.start_soon(_after, stop.at.seconds, stop_it)
            code = await child.wait()
            tasks.cancel_scope.cancel()
        return code

    def _stop(self, pids: list[int]) -> None:
        for pid in pids:
            stop(pid, self.trial.folder)

    def _task(self, url: str, invoices: tuple[Invoice, ...]) -> Task:
        keys = self.sandbox.credentials
        return Task(
            url=url,
            access_key=keys.access_key.reveal(),
            secret_key=keys.secret_key.reveal(),
            folder=self.trial.folder,
            invoices=invoices,
            style=self._schedule.style,
            settling_time=SETTLE,
            kill=None,
            skew=next(self._skews),
            abandonments=self._schedule.abandonments,
            retries=self._schedule.retries,
            pauses=self._schedule.pauses,
            per_day=self._schedule.per_day,
        )


async def _after(seconds: float, act: Callable[[], None]) -> None:
    await anyio.sleep(seconds)
    act()
