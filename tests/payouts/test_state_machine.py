"""Random sequences of events: no key is paid twice, forgotten or given a wrong state."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from payout_world import AMOUNTS, PayoutWorld
from virtual_time import VirtualTimeLoop

from upbit_async.payouts import AmountLimit
from upbit_async.sandbox import Fault, Knobs

if TYPE_CHECKING:
    from collections.abc import Coroutine


LOSSES = [
    *(Fault.lose_answer(*CREATE, how=how) for how in ("reset", "close", "cut", "hang")),
    Fault.reset_before(*CREATE),
    *(Fault.status(status, *CREATE, before=before) for status in (408, 500, 503) for before in (True, False)),
    Fault.status(307, *CREATE, before=False),
    Fault.garbage(*CREATE, body="html"),
    Fault.garbage(*CREATE, body="empty"),
    Fault.garbage(*CREATE, body="wrong json"),
    Fault.status(429, *CREATE, body="empty"),
    Fault.status(429, *CREATE),
    Fault.status(429, *CREATE, times=3),
    Fault.status(400, *CREATE, name="request_fail"),
    Fault.slow(2, *CREATE),
    Fault.slow(20, *CREATE),
    Fault.status(418, *CREATE),
]
LIE = Fault.status(200, *LIST, body=b"[]", before=False)
BLINDNESS = [
    Fault.status(503, *LIST, times=4),
    Fault.status(429, *LIST, times=4),
    LIE,
    Fault.lose_answer(*LIST, how="hang"),
    Fault.status(401, *LIST, name="expired_access_key"),
]
DECISIONS = ["none", "retry", "retry with a new nonce", "renew"]
SETTLING_TIME = 30.0
keys = st.sampled_from("abcde")
which = st.integers(0, 1)
options = st.fixed_dictionaries(
    {"resend": st.sampled_from(["manual", "automatic"]), "on_unowned": st.sampled_from(["block", "allow"])}
)


class PayoutMachine(RuleBasedStateMachine):
    """Two processes on one journal, an exchange that breaks, and people who decide, and withdraw, without them."""

    world: PayoutWorld | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = VirtualTimeLoop()
        self.tasks: list[asyncio.Task[Any]] = []
        self.runs: dict[int, asyncio.Task[Any]] = {}
        self.per_day: int | None = None
        self.lies = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(
        amounts=st.sampled_from(["normalised", "as sent", "net of fee"]),
        lists_network=st.booleans(),
        delay=st.sampled_from([0.0, 5.0, 25.0, 90.0]),
        time_format=st.sampled_from(["naive", "Z", "offset"]),
        top=st.booleans(),
        warm=st.booleans(),
        limit=st.sampled_from([None, None, None, 30, 45, 530]),
        first=options,
        second=options,
    )
    def begin(  # noqa: PLR0917 - Hypothesis passes them by name
        self,
        amounts: Any,
        lists_network: bool,
        delay: float,
        time_format: Any,
        top: bool,
        warm: bool,
        limit: int | None,
        first: dict[str, Any],
        second: dict[str, Any],
    ) -> None:
        knobs = Knobs(
            amounts=amounts,
            list_net_type=lists_network,
            list_delay=delay,
            time_format=time_format,
            fee_on_top=top,
            ban_seconds=3,
            ban_message="blocked for {seconds} seconds",
        )
        if limit is not None:
            self.per_day = limit + (int(AMOUNTS["w"]) if warm else 0)
        limits = [] if self.per_day is None else [AmountLimit("USDT", per_day=self.per_day)]
        self.run(self._begin(knobs, *({**each, "amount_limits": limits} for each in (first, second))))
        self.warm = warm
        if warm:  # an answer has shown what amounts mean
            self.run(self.known.send(self.known.processes[0], "w", wait=True))

    async def _begin(self, knobs: Knobs, *each: dict[str, Any]) -> None:
        self.world = PayoutWorld(self.folder, knobs, each)
        self.world.blind = knobs.list_delay > SETTLING_TIME

    @property
    def known(self) -> PayoutWorld:
        assert self.world is not None
        return self.world

    # What is done with payouts

    @rule(by=which, key=keys, wait=st.booleans())
    def send(self, by: int, key: str, wait: bool) -> None:
        self.start(self.known.send(self.known.processes[by], key, wait=wait))

    @rule(by=which, key=keys, new_nonce=st.booleans())
    def retry(self, by: int, key: str, new_nonce: bool) -> None:
        self.start(self.known.retry(self.known.processes[by], key, new_nonce=new_nonce))

    @rule(by=which, key=keys, fault=st.sampled_from(LOSSES[:5]), decision=st.sampled_from(DECISIONS))
    def lose_and_decide(self, by: int, key: str, fault: Fault, decision: str) -> None:
        """Lose an answer, wait until the list has decided, then decide: single rules seldom get as far as that."""
        self.known.sandbox.faults.clear()
        self.known.sandbox.account.unlock()
        self.known.sandbox.faults.add(fault)
        self.send(by=by, key=key, wait=True)
        self.run(_sleep(60))
        process = self.known.processes[by]
        if decision == "renew":
            self.start(self.known.renew(process, key))
        elif decision != "none":
            self.start(self.known.retry(process, key, new_nonce=decision == "retry with a new nonce"))
        self.run(_sleep(1))
        self.send(by=by, key=key, wait=True)

    @rule(by=which, key=keys, count=st.integers(2, 4))
    def send_at_once(self, by: int, key: str, count: int) -> None:
        for number in range(count):
            self.send(by=(by + number) % 2, key=key, wait=bool(number % 2))

    @rule(by=which, key=keys)
    def enqueue(self, by: int, key: str) -> None:
        self.start(self.known.enqueue(self.known.processes[by], key))

    @rule(by=which)
    def start_or_stop_running(self, by: int) -> None:
        run = self.runs.pop(by, None)
        if run is None:
            self.start(self.known.run(self.known.processes[by]))
            self.runs[by] = self.tasks[-1]
        else:
            run.cancel()
            self.run(_ticks(3))

    @rule(seconds=st.sampled_from([0.01, 3.0, 15.0]))
    def run_both_and_enqueue_all(self, seconds: float) -> None:
        """Let both processes run, with equal payouts among others: single rules seldom get as far as that."""
        for by in (0, 1):
            if by not in self.runs:
                self.start_or_stop_running(by=by)
        for number, key in enumerate("abcde"):
            self.start(self.known.enqueue(self.known.processes[number % 2], key))
        self.run(_sleep(seconds))

    @rule(by=which)
    def run_once(self, by: int) -> None:
        self.start(self.known.run_once(self.known.processes[by]))

    @rule(by=which)
    def pause(self, by: int) -> None:
        self.start(self.known.pause(self.known.processes[by]))

    @rule(by=which)
    def resume(self, by: int) -> None:
        self.start(self.known.resume(self.known.processes[by]))

    @rule(by=which)
    def acknowledge(self, by: int) -> None:
        self.start(self.known.acknowledge_strangers(self.known.processes[by]))

    @rule(by=which, key=keys)
    def resolve(self, by: int, key: str) -> None:
        self.start(self.known.resolve(self.known.processes[by], key))

    @rule(by=which, key=keys)
    def renew(self, by: int, key: str) -> None:
        self.start(self.known.renew(self.known.processes[by], key))

    @rule(by=which, key=keys, force=st.booleans())
    def abandon(self, by: int, key: str, force: bool) -> None:
        self.start(self.known.abandon(self.known.processes[by], key, force=force))

    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)].cancel()
            self.run(_ticks(3))

    # What happens around them

    @rule(seconds=st.sampled_from([0.01, 0.5, 3.0, 15.0, 32.0, 60.0]))
    def pass_time(self, seconds: float) -> None:
        self.run(_sleep(seconds))

    @rule(seconds=st.sampled_from([-86_400, -3600, -45, 45, 1200, 86_400]))
    def set_the_clock(self, seconds: int) -> None:
        self.known.leap += dt.timedelta(seconds=seconds)

    @rule(count=st.integers(1, 30))
    def go_on(self, count: int) -> None:
        self.run(_ticks(count))

    @rule(fault=st.sampled_from(LOSSES))
    def break_something(self, fault: Fault) -> None:
        self.known.sandbox.faults.add(fault)

    @rule(is_lost=st.booleans())
    def refuse_withdrawals(self, is_lost: bool) -> None:
        """Refuse them from now on; a refusal that is lost has used up its nonce, and made no withdrawal."""
        self.known.sandbox.account.lock()
        if is_lost:
            self.known.sandbox.faults.add(Fault.lose_answer(*CREATE))

    @rule()
    def accept_withdrawals(self) -> None:
        self.known.sandbox.account.unlock()

    @rule(fault=st.sampled_from(BLINDNESS))
    def blind(self, fault: Fault) -> None:
        self.lies += fault is LIE
        self.known.blind |= self.lies > 1
        self.known.sandbox.faults.add(fault)

    @rule(by=which, steps=st.integers(1, 40))
    def kill(self, by: int, steps: int) -> None:
        self.known.processes[by].die_after(steps)
        self.run(_ticks(2))

    @rule(by=which)
    def restart(self, by: int) -> None:
        self.runs.pop(by, None)
        self.known.restart(by)

    @precondition(
        lambda self: self.world is not None and not self.world.sandbox.account.member_level.wallet_locked
    )
    @rule(amount=st.sampled_from(sorted({*AMOUNTS.values(), "77"})))
    def withdraw_on_the_website(self, amount: str) -> None:
        self.run(self.known.withdraw_on_the_website(amount))

    @precondition(lambda self: self.world is not None and bool(self.world.asked))
    @rule(by=which, amount=st.sampled_from(sorted({*AMOUNTS.values(), "77"})))
    def withdraw_beside(self, by: int, amount: str) -> None:
        self.start(self.known.withdraw_beside(self.known.processes[by], amount))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(self.loop.create_task(work))
        self.run(_ticks(1))

    # What must hold

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        if self.world is not None:
            for key in AMOUNTS:
                assert len(self.world.entries(key)) <= self.world.most_withdrawals(key), key

    @invariant()
    def nothing_departs_in_a_pause(self) -> None:
        if self.world is not None and self.world.departures_at_pause is not None:
            assert self.world.departures() == self.world.departures_at_pause

    @invariant()
    def limit_is_kept(self) -> None:
        if self.world is not None and self.per_day is not None:
            assert self.world.sent_amount() <= self.per_day

    @invariant()
    def nothing_has_failed(self) -> None:
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            if not task.cancelled():
                task.result()

    def teardown(self) -> None:
        try:
            if self.world is not None:
                self.run(self._come_to_an_end(self.world))
                self.nothing_is_paid_twice()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.run(_ticks(20))
            for process in self.world.processes if self.world is not None else []:
                process.close()
            self.loop.close()
            shutil.rmtree(self.folder)

    async def _come_to_an_end(self, world: PayoutWorld) -> None:
        """Let everything be well again, and everybody try until all is settled."""
        world.sandbox.faults.clear()
        world.sandbox.account.unlock()
        world.sandbox.knobs.list_delay = min(world.sandbox.knobs.list_delay, SETTLING_TIME - 5)
        await anyio.sleep(100)
        self.nothing_has_failed()
        for run in self.runs.values():
            run.cancel()
        await _ticks(20)
        for process in world.processes:
            process.close()
        self.per_day = None
        last = world.new_process(0, amount_limits=[])
        world.processes.append(last)
        await world.resume(last)
        await world.run_until_nothing_is_queued(last)
        reviewed = await world.settle_all(last)
        for key in sorted(world.asked):
            payout = await last.payouts.get(key)
            assert payout is not None or key not in world.enqueued, key
            if (
                payout is not None
            ):  # else its process has died before the journal had it, and send never returned
                world.judge(payout, is_reported=self.warm)
        if self.warm and not world.strangers and not world.blind and not world.misjudged:
            # Whether an equal payout that is not sent was carried out unseen, nobody can be sure of.
            # And of a request that has arrived, Upbit's list does not say that nothing came of it.
            doubts = {
                key: [step.note for step in payout.history]
                for key, payout in reviewed.items()
                if not (key in "ab" and "may belong to this one or to payout" in payout.reason)
                and not (payout.sent_request is not None and payout.sent_request.arrived)
            }
            assert doubts == {}, "nobody else has withdrawn anything: that is plain"


class MisjudgingMachine(PayoutMachine):
    """The same, and people decide without looking. Only together with a new nonce may that pay a key twice."""

    @rule(by=which, key=keys)
    def say_not_sent(self, by: int, key: str) -> None:
        self.start(self.known.say_not_sent(self.known.processes[by], key))

    @rule(by=which, key=keys, fault=st.sampled_from(LOSSES[:5]))
    def lose_and_misjudge(self, by: int, key: str, fault: Fault) -> None:
        self.lose_and_decide(by=by, key=key, fault=fault, decision="none")
        self.start(self._say_not_sent_and_renew(by, key))
        self.run(_sleep(1))

    async def _say_not_sent_and_renew(self, by: int, key: str) -> None:
        process = self.known.processes[by]
        await self.known.say_not_sent(process, key)
        await self.known.retry(process, key, new_nonce=True)
        await self.known.send(process, key, wait=True)

    @rule(by=which, number=st.integers(0, 20))
    def acknowledge_any(self, by: int, number: int) -> None:
        entries = self.known.sandbox.ledger.created
        if entries:
            self.start(self.known.acknowledge(self.known.processes[by], entries[number % len(entries)]))


async def _sleep(seconds: float) -> None:
    await anyio.sleep(seconds)


async def _ticks(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# For a long search, with new examples each time:
# MACHINE_EXAMPLES=300 MACHINE_STEPS=30 pytest --hypothesis-profile=random tests/payouts/test_state_machine.py
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "40"))
STEPS = int(os.environ.get("MACHINE_STEPS", "25"))

pytestmark = [
    pytest.mark.timeout(EXAMPLES * 8),
    pytest.mark.thorough,
]  # seconds of real time, on a busy computer
TestPayouts = PayoutMachine.TestCase
TestMisjudgedPayouts = MisjudgingMachine.TestCase
TestPayouts.settings = TestMisjudgedPayouts.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
