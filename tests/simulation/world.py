"""One simulation: a service that pays, its exchange, its users and the people who operate it, in one event loop."""

from __future__ import annotations

from collections import Counter
from contextvars import copy_context
from random import Random
from typing import TYPE_CHECKING, Final
from unittest import mock

import anyio
import attrs
import httpx
import sniffio
from determinism import deterministic, time_of_day
from event_log import EventLog
from follower import Follower
from internals import dispatcher_of
from people import Person
from rest import is_at_rest, waits_for_a_decision
from scenario import LEASE, QUIET_AT, Rotation, Scenario, Stranger
from shared_journal import JournalRecord
from simulated_loop import SimulatedLoop, SimulatedProcess
from simulated_network import SimulatedNetwork, SimulatedTransport, Watch
from trial import STRANGER, Arrival, Rest, Trial
from users import request_payment
from workers import Worker

from upbit_async.payouts import PayoutState
from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from scenario import Decision, Interruption, Moment, Order, Window

    from upbit_async.errors import UpbitError
    from upbit_async.payouts import Payout
    from upbit_async.sandbox import SandboxRequest

__all__ = ["World", "simulate"]

_BETWEEN_CHECK_AND_BYTE: Final = 0.2
"""Time between the last check of a copy and its first byte that only a stopped process takes, in seconds."""
_SHORTEST_LIFE: Final = 2.0
_LOOKS: Final = 5.0
_RECONCILED_AFTER: Final = 75.0
"""Time in which the account is reconciled once more when payouts are settled, in seconds."""
_LONGEST_QUIET: Final = 600.0
_LONGEST_END: Final = 900.0


class World(Watch):
    """State of one simulation.

    Args:
        scenario: The scenario.

    Attributes:
        scenario: The scenario.
        loop: The event loop.
        context: Context of no process.
        chance: Source of chance.
        log: Event log.
        sandbox: The exchange.
        journal: The journal.
        network: The network.
        processes: The worker of each process.
        serving: The workers that run.
        credentials: API key of workers that start now.
        journal_keys: Journal keys of workers that start now.
        held_up: Errors of the last requests of users.
        misjudged: How often a person said of a payout that it was not sent, although it was.
        renewed: How often a person gave a payout a new nonce.
        crashes: Number of crashes.
        stops: Number of stops.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.loop = SimulatedLoop()
        self.context = copy_context()
        self.chance = Random(f"events of {scenario.seed}")
        self.log = EventLog(self.loop.time)
        self.sandbox = Sandbox(
            "sg",
            knobs=attrs.evolve(scenario.knobs),
            transitions=scenario.transitions,
            clock=lambda: time_of_day(self.loop.time()),
            seed=scenario.seed,
        )
        self.journal = JournalRecord(self.loop, self.log)
        self.processes: dict[SimulatedProcess, Worker] = {}
        self.serving: list[Worker] = []
        self.credentials = self.sandbox.credentials
        self.journal_keys = [b"the first key of the journal"]
        self.held_up: dict[str, UpbitError] = {}
        self.misjudged: Counter[str] = Counter()
        self.renewed: Counter[str] = Counter()
        self.crashes = self.stops = 0
        self._arrivals: list[Arrival] = []
        self._late_bytes: set[str] = set()
        self.network = SimulatedNetwork(
            self.loop,
            dispatcher_of(self.sandbox).serve,
            faults=scenario.network,
            chance=self.chance,
            log=self.log,
            watch=self,
        )
        self._keys = {order.address: order.key for order in scenario.orders}
        for currency in ("USDT", "BTC"):
            self.sandbox.account.fund(currency, 10_000)
        for order in scenario.orders:
            self.sandbox.account.allow_address(order.currency, order.net_type, order.address)
        for net in (("USDT", "TRX"), ("USDT", "ETH"), ("BTC", "BTC")):
            self.sandbox.account.allow_address(*net, STRANGER)

    # -- what others ask ---------------------------------------------------------------------------

    def order(self, key: str) -> Order:
        """Return the payment of a key."""
        return next(each for each in self.scenario.orders if each.key == key)

    def withdrawals_of(self, key: str) -> list[str]:
        """Return the withdrawals that were made for a key, as the website shows them."""
        address = self.order(key).address
        return [entry.uuid for entry in self.sandbox.ledger.created if entry.address == address]

    def strangers(self) -> list[str]:
        """Return what was withdrawn on the website."""
        return [entry.uuid for entry in self.sandbox.ledger.created if entry.address == STRANGER]

    def strangers_not_acknowledged(self) -> list[str]:
        """Return what was withdrawn on the website and is not acknowledged."""
        uuids = self.strangers()
        known = self.journal.acknowledged(uuids)
        return [uuid for uuid in uuids if uuid not in known]

    def is_under_way(self, key: str) -> bool:
        """Return whether a request for a key has left and not arrived."""
        return any(self._keys.get(self._address(each)) == key for each in self.network.under_way)

    def next_start(self) -> float:
        """Return when a worker may run again."""
        now = self.loop.time()
        starts = [each.start for each in self.scenario.windows if each.start > now]
        return max(now + 1, min([*starts, max(QUIET_AT, now)]) + 1)

    # -- what the network and the journal report ---------------------------------------------------

    @staticmethod
    def _address(request: SandboxRequest) -> str:
        return str(request.members.get("address", ""))

    def reached(self, moment: Moment, process: SimulatedProcess | None) -> None:
        """Interrupt a process if it has reached the moment of its interruption."""
        worker = None if process is None else self.processes.get(process)
        if worker is not None:
            worker.reached(moment)

    def checked(self) -> None:
        """Count the last check of a request."""
        self.reached("check", SimulatedProcess.current())

    def left(self, request: SandboxRequest, since_check: float) -> None:
        """Record that a stopped process has sent a request after its lease."""
        key = self._keys.get(self._address(request), "")
        departures = [each for each in self.journal.commits if each.departs and each.after.key == key]
        is_late = bool(departures) and self.loop.time() > departures[-1].at + LEASE
        self.log.add(f"{key} leaves")
        if is_late and since_check > _BETWEEN_CHECK_AND_BYTE:
            self._late_bytes.add(key)

    def arrived(self, request: SandboxRequest, sender: SimulatedProcess | None) -> None:
        """Record the arrival of a payment."""
        key = self._keys.get(self._address(request), "")
        self._arrivals.append(Arrival(self.loop.time(), key, self.journal.is_paused))

    # -- the hour ----------------------------------------------------------------------------------

    async def run(self) -> Trial:
        """Run the scenario to its end, and return what has happened."""
        follower, person = Follower(self), Person(self)
        for stranger in self.scenario.strangers:
            self.loop.call_at(stranger.at, self._withdraw, stranger)
        if self.scenario.rotation is not None:
            self.loop.call_at(self.scenario.rotation.at, self._rotate, self.scenario.rotation)
        rest: Rest | None = None
        async with anyio.create_task_group() as tasks:
            for order in self.scenario.orders:
                tasks.start_soon(request_payment, self, order)
            for number in range(self.scenario.workers):
                tasks.start_soon(self._work, number)
            for decision in self.scenario.decisions:
                tasks.start_soon(self._decide, person, decision)
            if self.scenario.follows:
                for window in self.scenario.windows:
                    tasks.start_soon(self._follow, follower, window)
            await anyio.sleep_until(QUIET_AT)
            await self._calm_down(person)
            await self._wait_for_rest()
            rest = self._rest()
            await self._finish(person)
            if self.scenario.follows:
                await follower.catch_up()
            tasks.cancel_scope.cancel()
        assert rest is not None
        return Trial(
            scenario=self.scenario,
            broken=self.scenario.broken | frozenset(["PAUSE"][: len(self._late_bytes)]),
            rest=rest,
            commits=self.journal.commits,
            arrivals=self._arrivals,
            misjudged=self.misjudged,
            renewed=self.renewed,
            at_end=dict(self.journal.payouts),
            ledger=tuple(self.sandbox.ledger),
            changes=self.journal.all_changes(),
            received=tuple(follower.changes) if self.scenario.follows else None,
            crashes=self.crashes,
            stops=self.stops,
            failures=tuple(self.loop.failures),
            log=str(self.log),
        )

    async def _decide(self, person: Person, decision: Decision) -> None:
        await anyio.sleep_until(decision.at)
        await person.decide(decision)

    async def _follow(self, follower: Follower, window: Window) -> None:
        await anyio.sleep_until(window.start)
        await follower.follow(window.length)

    async def _work(self, number: int) -> None:
        """Let a worker live, crash and live again in each window."""
        interruptions = iter(self.scenario.interruptions[number])
        lives = 0
        for window in self.scenario.windows:
            await anyio.sleep_until(window.start + self.chance.uniform(0, 1))
            while (remaining := window.end - self.loop.time()) > _SHORTEST_LIFE:
                lives += 1
                interruption: Interruption | None = next(interruptions, None)
                worker = Worker(
                    self,
                    f"worker {number + 1}.{lives}",
                    skew=self.scenario.skews[number],
                    interruption=interruption,
                    per_day=self.scenario.per_day,
                )
                worker.run()
                with anyio.move_on_after(remaining):
                    await worker.ended.wait()
                if not worker.process.has_crashed:
                    if window.is_gentle:
                        await worker.shut_down()
                    else:
                        worker.crash()
                await anyio.sleep(1.0 if interruption is None else interruption.restart)

    def _withdraw(self, stranger: Stranger) -> None:
        record = self.sandbox.withdrawals.create_on_website(
            stranger.currency, stranger.net_type, stranger.amount, address=STRANGER
        )
        self.log.add(
            f"somebody withdraws {stranger.amount} {stranger.currency} on the website: {record.uuid}"
        )

    def _rotate(self, rotation: Rotation) -> None:
        self.log.add("the API key is replaced")
        old = self.sandbox.keys.find(self.credentials.access_key.reveal())
        assert old is not None
        old.expires_at = time_of_day(rotation.at + rotation.overlap)
        self.credentials = self.sandbox.issue_key()
        new = b"the second key of the journal"
        self.journal_keys = [new, *self.journal_keys] if rotation.keeps else [new]

    # -- the end -----------------------------------------------------------------------------------

    async def _calm_down(self, person: Person) -> None:
        """Let nothing be wrong any more."""
        self.log.add("from now on nothing is wrong")
        self.network.is_faulty = False
        self.sandbox.knobs.list_delay = self.sandbox.knobs.get_delay = 0.0
        self.sandbox.knobs.list_order, self.sandbox.knobs.list_created_at_delay = "created_at", 0.0
        for worker in list(self.serving):
            worker.crash()
        await person.resume()
        for number in range(min(2, self.scenario.workers)):
            Worker(self, f"worker {number + 1}.last", per_day=self.scenario.per_day).run()

    async def _wait_for_rest(self) -> None:
        """Wait until every payout is at rest, and the account was reconciled."""
        start = self.loop.time()
        await anyio.sleep(_RECONCILED_AFTER if self.scenario.strangers else 2 * _LOOKS)
        while self.loop.time() < start + _LONGEST_QUIET:
            if all(self._is_at_rest(order) for order in self.scenario.orders):
                break
            await anyio.sleep(_LOOKS)

    def _is_at_rest(self, order: Order) -> bool:
        payouts = self.journal.payouts
        payout = payouts.get(order.key)
        if payout is None or payout.state is PayoutState.PLANNED:  # only its user can send it
            return waits_for_a_decision(self.held_up.get(order.key), payouts)
        return is_at_rest(payout, payouts)

    async def _finish(self, person: Person) -> None:
        """Let people do what the library advises until every payout is final."""
        if self._all_have_ended():
            return
        self.log.add("people do what is left")
        for worker in list(self.serving):
            worker.crash()
        Worker(self, "worker 1.end").run()
        start = self.loop.time()
        while self.loop.time() < start + _LONGEST_END:
            await person.correct_matches()
            await person.acknowledge_strangers()
            for payout in self._open_payouts():
                await person.finish(self.journal.payouts[payout.key])
            if self._all_have_ended():
                return
            await anyio.sleep(_LOOKS)

    def _open_payouts(self) -> list[Payout]:
        return [each for each in self.journal.payouts.values() if each.is_open]

    def _all_have_ended(self) -> bool:
        return len(self.journal.payouts) == len(self.scenario.orders) and not self._open_payouts()

    def _rest(self) -> Rest:
        waiting = (
            key for key, error in self.held_up.items() if waits_for_a_decision(error, self.journal.payouts)
        )
        return Rest(
            payouts=dict(self.journal.payouts),
            accounted=self.journal.accounted([entry.uuid for entry in self.sandbox.ledger]),
            waiting=frozenset(waiting),
            entries=len(self.sandbox.ledger),
        )


def simulate(scenario: Scenario) -> Trial:
    """Run a scenario, and return what has happened."""
    before, sniffio.thread_local.name = sniffio.thread_local.name, "asyncio"
    try:
        world = World(scenario)

        def transport(**_: object) -> SimulatedTransport:
            return SimulatedTransport(world.network)

        with (
            deterministic(scenario.seed, world.loop.time),
            mock.patch.object(httpx, "AsyncHTTPTransport", transport),
        ):
            try:
                return world.loop.run_until_complete(world.run())
            finally:
                world.loop.discard()
    finally:
        sniffio.thread_local.name = before
