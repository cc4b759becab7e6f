"""One schedule from start to end: the exchange, the paying processes and what kills them."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from unittest import mock

import anyio
import attrs
from backend import Task
from fork_server import Child
from internals import dispatcher_of
from interruptions import STOPPED, stop
from schedules import SETTLE, Kill, Schedule

from upbit_async.sandbox import LedgerEntry, Sandbox, Transitions
from upbit_async.sandbox.faults import Delivery
from upbit_async.sandbox.messages import SandboxResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from schedules import Invoice, Stop

    from upbit_async.sandbox.messages import SandboxRequest

__all__ = ["STRANGER", "Cast", "Program", "Trial", "perform"]

Program: TypeAlias = "Callable[[Task], Awaitable[None]]"
"""What one process does."""

_LONGEST: Final = 40.0
"""A process that has not come to its end after so many seconds has got stuck."""
STRANGER: Final = "somebody's own address"
_PATIENT: Final = 10.0
_HEARTBEAT: Final = 0.05
_WAKE_UPS: Final = 5


@attrs.define(kw_only=True)
class Trial:
    """What came of it.

    Attributes:
        schedule: What was to happen.
        folder: What the processes have left.
        ledger: What the exchange has done.
        kills: How many processes were killed.
        stops: How many were stopped for a while.
        failures: What went wrong with the harness itself.
        lag: For how long at most the machine did nothing of what it should, in seconds.
    """

    schedule: Schedule
    folder: Path
    ledger: tuple[LedgerEntry, ...] = ()
    kills: int = 0
    stops: int = 0
    failures: list[str] = attrs.field(factory=list[str])
    lag: float = 0.0


@attrs.frozen(kw_only=True)
class Cast:
    """Who takes part.

    Attributes:
        payer: What each payer does.
        operator: What an operator does meanwhile.
        auditor: What is done when all payers have come to their end, and the list shows everything.
    """

    payer: Program
    operator: Program | None = None
    auditor: Program | None = None


async def perform(schedule: Schedule, cast: Cast, folder: Path) -> Trial:
    """Let a payer work, kill it as often as the schedule says, and let it come to its end.

    Args:
        schedule: What happens.
        cast: Who takes part.
        folder: An empty folder.
    """
    harness = _Harness(schedule, cast, folder)
    with (
        mock.patch.object(dispatcher_of(harness.sandbox), "serve", harness.gate.serve),
        harness.sandbox.serve() as url,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(harness.measure_lag)
            await harness.pay_earlier(url)
            tasks.start_soon(harness.withdraw_on_the_website)
            await harness.run(url)
            await harness.audit(url)
            tasks.cancel_scope.cancel()
        harness.trial.ledger = tuple(harness.sandbox.ledger)
    return harness.trial


@attrs.frozen(eq=False)
class _Strike:
    """What happens to the sender of a request."""

    at: Kill
    act: Callable[[], None]


class _Gate:
    """Stands before the exchange, and kills or stops the sender of a request just then."""

    def __init__(self, serve: Callable[[SandboxRequest], Delivery]) -> None:
        self.living: set[int] = set()
        self._serve = serve
        self._armed: dict[_Strike, int] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def armed(self, at: Kill | None, act: Callable[[], None] | None = None) -> Generator[None]:
        """Be ready for a strike within the block: kill all that live, unless something else is to be done."""
        if at is None or at.moment not in {"arrived", "arrived and lost", "done"}:
            yield
            return
        strike = _Strike(at, act or self._kill_all)
        self._armed[strike] = at.count
        try:
            yield
        finally:
            self._armed.pop(strike, None)

    def serve(self, request: SandboxRequest) -> Delivery:
        """Serve a request, in the thread of the server: nothing else happens there meanwhile."""
        due = self._due(request)
        for strike in due:
            if strike.at.moment != "done":
                strike.act()
        if any(strike.at.moment == "arrived and lost" for strike in due):
            return Delivery(SandboxResponse(500), "reset")
        delivery = self._serve(request)
        for strike in due:
            if strike.at.moment == "done":
                strike.act()
        return delivery

    def _due(self, request: SandboxRequest) -> list[_Strike]:
        due: list[_Strike] = []
        for strike in list(self._armed):
            if strike.at.method in {None, request.method}:
                self._armed[strike] -= 1
                if not self._armed[strike]:
                    due.append(strike)
        return due

    def _kill_all(self) -> None:
        with self._lock:
            for pid in self.living:
                with contextlib.suppress(ProcessLookupError):  # it has just come to its end
                    os.kill(pid, signal.SIGKILL)

    def resume(self, pid: int) -> None:
        """Let a process go on, if it lives."""
        with self._lock:
            if pid in self.living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def admit(self, pid: int) -> None:
        """Take note of a process that lives."""
        with self._lock:
            self.living.add(pid)

    def bury(self, pid: int) -> None:
        """Take note of one that does not."""
        with self._lock:
            self.living.discard(pid)


class _Harness:
    def __init__(self, schedule: Schedule, cast: Cast, folder: Path) -> None:
        self.sandbox = Sandbox(
            "sg",
            knobs=attrs.evolve(schedule.knobs),
            transitions=Transitions.immediate(),
            limits=schedule.limits,
            seed=schedule.seed,
        )
        self.gate = _Gate(dispatcher_of(self.sandbox).serve)
        self.trial = Trial(schedule=schedule, folder=folder)
        self._schedule = schedule
        self._cast = cast
        self._still_dying = len(schedule.kills)
        self._calm = anyio.Event()
        self._watch = anyio.CancelScope()
        self._skews = itertools.cycle(schedule.skews)
        for currency in ("USDT", "BTC"):
            self.sandbox.account.fund(currency, 10_000)
        for invoice in (*schedule.invoices, *schedule.later, *filter(None, [schedule.earlier])):
            self.sandbox.account.allow_address(invoice.currency, invoice.net_type, invoice.address)
        self.sandbox.account.allow_address("USDT", "TRX", STRANGER)

    async def pay_earlier(self, url: str) -> None:
        """Let everything go well once, and be ready for the rest."""
        if self._schedule.earlier is not None:
            task = self._task(url, (self._schedule.earlier,))
            await self._live(self._cast.payer, attrs.evolve(task, read=_PATIENT))
        self.sandbox.withdrawals.transitions = self._schedule.plan
        self.sandbox.faults.add(*self._schedule.faults)

    async def run(self, url: str) -> None:
        """Run all processes, and one after the other without kills and faults at the end."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pause_a_payer, url)
            async with anyio.create_task_group() as payers:
                if self._cast.operator is not None and self._schedule.abandonments:
                    payers.start_soon(self._live, self._cast.operator, self._task(url, ()))
                for line, kills in enumerate(self._schedule.kills):
                    stop = None if line else self._schedule.stop
                    payers.start_soon(self._live_and_die, url, kills, stop)
            self._watch.cancel()

    async def audit(self, url: str) -> None:
        """Let the list show everything, and let somebody look."""
        self.sandbox.knobs.list_delay = 0.0
        if self._cast.auditor is not None:
            task = self._task(url, self._schedule.later)
            if await self._live(self._cast.auditor, attrs.evolve(task, read=_PATIENT)):
                self.trial.failures.append("the audit did not come to its end")

    async def withdraw_on_the_website(self) -> None:
        """Do as a person who does not know of the payer."""
        for seconds in self._schedule.strangers:
            await anyio.sleep(seconds)
            self.sandbox.withdrawals.create_on_website("USDT", "TRX", 99, address=STRANGER)

    async def measure_lag(self) -> None:
        """Find out whether the machine is too busy for the times that are meant."""
        while True:
            start = time.monotonic()
            await anyio.sleep(_HEARTBEAT)
            self.trial.lag = max(self.trial.lag, time.monotonic() - start - _HEARTBEAT)

    async def _live_and_die(self, url: str, kills: tuple[Kill, ...], stop: Stop | None) -> None:
        for kill in kills:
            task = attrs.evolve(self._task(url, self._schedule.invoices), kill=kill, stop=self._unused(stop))
            if await self._live(self._cast.payer, task) != -signal.SIGKILL:
                break  # it came to its end before
            self.trial.kills += 1
            await anyio.sleep(kill.pause)
        self._still_dying -= 1
        if not self._still_dying:
            self.sandbox.faults.clear()
            self._calm.set()
        await self._calm.wait()
        task = attrs.evolve(self._task(url, self._schedule.invoices), stop=self._unused(stop))
        if await self._live(self._cast.payer, task):
            self.trial.failures.append("it did not come to its end")

    def _unused(self, stop: Stop | None) -> Stop | None:
        return None if (self.trial.folder / STOPPED).exists() else stop

    async def _pause_a_payer(self, url: str) -> None:
        """Let a second payer work while one stands still, and let that go on after its time."""
        stop = self._schedule.stop
        if stop is None:
            return
        pid: int | None = None
        with self._watch:
            pid = await self._who_is_stopped()
        if pid is None:
            return  # all payers have come to their end before
        self.trial.stops += 1
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._live, self._cast.payer, self._task(url, self._schedule.invoices))
            await anyio.sleep(stop.seconds)
            for _ in range(_WAKE_UPS):  # the file is written just before the process stops
                self.gate.resume(pid)
                await anyio.sleep(_HEARTBEAT)

    async def _who_is_stopped(self) -> int:
        while True:
            with contextlib.suppress(FileNotFoundError):
                text = await anyio.Path(self.trial.folder / STOPPED).read_text()
                if text.endswith("\n"):
                    return int(text)
            await anyio.sleep(_HEARTBEAT)

    async def _live(self, program: Program, task: Task) -> int:
        """Let one process live, and return its exit code."""
        kill, code = task.kill, 0
        pids: list[int] = []
        stop_it = functools.partial(self._stop, pids)
        with self.gate.armed(kill), self.gate.armed(None if task.stop is None else task.stop.at, stop_it):
            child = Child(program, task)
            pids.append(child.pid)
            self.gate.admit(child.pid)
            with anyio.move_on_after(kill.seconds if kill and kill.moment == "time" else _LONGEST) as scope:
                code = await self._outlive(child, task.stop, stop_it)
            if scope.cancelled_caught:
                is_stuck = not kill or kill.moment != "time"
                if is_stuck:
                    self.trial.failures.append("it got stuck")
                    child.show_threads()
                    await anyio.sleep(_HEARTBEAT)
                child.kill()
                code = await child.wait()
            self.gate.bury(child.pid)
        if code not in {0, -signal.SIGKILL}:
            self.trial.failures.append(f"it ended with {code}")
        return code

    async def _outlive(self, child: Child, stop: Stop | None, stop_it: Callable[[], None]) -> int:
        """Wait for the end of a process, and stop it when its time has come."""
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
        )


async def _after(seconds: float, act: Callable[[], None]) -> None:
    await anyio.sleep(seconds)
    act()
