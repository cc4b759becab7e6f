"""Workers of a simulated service: processes that pay from the shared journal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import anyio
from determinism import time_of_day
from internals import separate_limits
from scenario import LONGEST_CALL, READ_TIMEOUT, SETTLING_TIME
from shared_journal import JournalAccess
from simulated_loop import SimulatedProcess

from upbit_async import PollSchedule, RetryPolicy, Timeouts, UpbitClient
from upbit_async.payouts import AmountLimit, Payouts

if TYPE_CHECKING:
    from scenario import Interruption, Moment
    from world import World

__all__ = ["BASE_URL", "Worker"]

BASE_URL: Final = "http://localhost"
_SHUTDOWN_TIMEOUT: Final = 2.0


class Worker:
    """One life of a worker: a process with a client and `Payouts`, on the shared journal.

    Args:
        world: The simulation.
        name: Name of the process.
        skew: Error of its time of day, in seconds.
        interruption: Its crash or stop; None for none.
        per_day: Limit of the amounts in USDT; None for none.
    """

    def __init__(
        self,
        world: World,
        name: str,
        *,
        skew: float = 0.0,
        interruption: Interruption | None = None,
        per_day: str | None = None,
    ) -> None:
        self.process = SimulatedProcess(name, world.loop)
        self.interruption = interruption
        self.ended = anyio.Event()
        self._world = world
        self._reached: dict[Moment, int] = {}
        self._scope = anyio.CancelScope()
        with separate_limits():
            client = UpbitClient(
                "sg",
                base_url=BASE_URL,
                credentials=world.credentials,
                timeouts=Timeouts(connect=1, read=READ_TIMEOUT, write=1, total=LONGEST_CALL),
                retry=RetryPolicy(base=0.05, throttled_base=0.2, cap=2.0),
                poll=PollSchedule(first=1.0, longest=8.0, grace=30.0),
            )
        journal: Any = JournalAccess(
            world.journal,
            world.loop,
            outages=world.scenario.outages,
            slow=world.scenario.slow_writes,
            chance=world.chance,
            reached=world.reached,
        )
        self.payouts = Payouts(
            client,
            journal,
            settling_time=SETTLING_TIME,
            check=world.scenario.check,
            resend="automatic" if world.scenario.resends else "manual",
            amount_limits=() if per_day is None else [AmountLimit("USDT", per_day=per_day)],
            journal_keys=world.journal_keys,
            clock=lambda: time_of_day(world.loop.time()) + dt.timedelta(seconds=skew),
        )
        world.processes[self.process] = self

    def run(self) -> None:
        """Start `Payouts.run`."""
        self._world.log.add("starts", self.process)
        self._world.serving.append(self)
        if self.interruption is not None and self.interruption.moment == "time":
            self._world.loop.call_later(
                self.interruption.seconds, self._interrupt, context=self._world.context
            )
        self.process.start(self._run())

    async def _run(self) -> None:
        with self._scope:
            async with self.payouts.running(shutdown_timeout=_SHUTDOWN_TIMEOUT):
                await anyio.sleep_forever()
        self.ended.set()

    def reached(self, moment: Moment) -> None:
        """Count a moment, and interrupt the process if it is the one."""
        self._reached[moment] = number = self._reached.get(moment, 0) + 1
        at = self.interruption
        if at is not None and at.moment == moment and at.count == number:
            self.process.interrupt = self._interrupt
            self.process.steps_left = at.steps

    def _interrupt(self) -> None:
        at = self.interruption
        if at is None or self.process.has_crashed:
            return
        self.interruption = None
        if at.length is None:
            self.crash()
            return
        self._world.log.add(f"is stopped for {at.length:g} s", self.process)
        self._world.stops += 1
        self.process.stop()
        self._world.loop.call_later(at.length, self._resume, context=self._world.context)

    def _resume(self) -> None:
        if not self.process.has_crashed:
            self._world.log.add("continues", self.process)
            self.process.resume()

    def crash(self) -> None:
        """End the process at once."""
        if not self.process.has_crashed:
            self._world.log.add("crashes", self.process)
            self._world.crashes += 1
            self._end()

    async def shut_down(self) -> None:
        """End the process as a service does: cancel what it does, and wait for that for some time."""
        if self.process.has_crashed:
            return
        self._world.log.add("shuts down", self.process)
        self._world.serving.remove(self)
        self.process.start(self._cancel())
        with anyio.move_on_after(2 * LONGEST_CALL):
            await self.ended.wait()
        if not self.process.has_crashed:
            self._world.log.add("ends", self.process)
            self._end()

    async def _cancel(self) -> None:
        self.process.cancel_calls()
        self._scope.cancel()

    def _end(self) -> None:
        if self in self._world.serving:
            self._world.serving.remove(self)
        self.process.crash()
        self.ended.set()
