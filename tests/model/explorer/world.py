"""The world: all steps that can follow a state.

A step is one call of a process to the journal or the exchange, a decision of people, or something that happens around
them: a request arrives, the list shows a withdrawal, an answer is lost, a process crashes, time passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from explorer.calls import Calls, Effect
from explorer.exchange import FOREIGN, Exchange
from explorer.journal_state import JournalState
from explorer.people import People
from explorer.processes import Processes, left_by
from explorer.properties import PAUSED
from explorer.service import ServiceOptions
from explorer.state import Budget, State, Step
from explorer.surroundings import Surroundings
from explorer.values import Interned
from upbit_async.payouts import PayoutState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.setup import Setup

__all__ = ["World"]

_NAMES: Final = "ABC"
_COMPARED: Final = frozenset({PayoutState.NOT_SENT, PayoutState.ABANDONED, PayoutState.NEEDS_REVIEW})


class World:
    """All steps that can follow a state.

    Args:
        setup: Bounds, and the assumptions that are false.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._values = Interned()
        self._processes = Processes(self._values)
        self._calls = Calls(setup, self._values, self._processes)
        self._people = People(setup, self._values, self._processes, self._calls)
        upbit = Exchange.with_older(setup.older, setup.amount_outside, shows_net=setup.shows_net)
        journal, exchange = self._values.number(JournalState()), self._values.number(upbit)
        for key, amount in zip(setup.keys, setup.amounts, strict=True):
            journal = self._people.decided(journal, exchange, "enqueue", key, amount)
        self._surroundings = Surroundings(setup, self._values, self._processes, journal)
        budget = Budget(
            copies=(0,) * len(setup.keys),
            crashes=setup.crashes,
            refusals=setup.refusals,
            foreign=setup.foreign,
            restores=setup.restores,
            tampers=setup.tampers,
            pauses=setup.pauses,
            ends=setup.ends,
            restarts=setup.restarts,
            decisions=setup.decisions,
        )
        self.initial = State(journal, exchange, self._values.number(budget), (0,) * setup.processes)
        """The first state: all payouts are queued, and nothing was sent."""

    def journal(self, state: State) -> JournalState:
        """Return the journal in a state."""
        journal: JournalState = self._values.value(state.journal)
        return journal

    def exchange(self, state: State) -> Exchange:
        """Return the exchange in a state."""
        exchange: Exchange = self._values.value(state.exchange)
        return exchange

    def is_reproducible(self, process: int) -> bool:
        """Return whether a replay of an operation leads to its next call."""
        return self._processes.is_reproducible(process)

    def describe(self, process: int) -> str:
        """Return an operation and its next call as text."""
        return f"{self._processes.local(process)} {self._processes.call_of(process)}"

    def has_copies_left(self, state: State, key: str) -> bool:
        """Return whether another copy of a payout may be recorded within the bounds."""
        return self._copies(state, key) < self.setup.copies

    def _copies(self, state: State, key: str) -> int:
        budget: Budget = self._values.value(state.budget)
        return budget.copies[self.setup.keys.index(key)]

    def steps(self, state: State) -> Iterator[Step]:
        """Yield all steps that can follow a state."""
        for number, process in enumerate(state.processes):
            if process:
                yield from self._continued(state, number, process)
                yield from self._crash(state, number, process)
            else:
                for operation in self._operations(state):
                    yield from self._begun(state, number, operation)
        yield from self._surroundings.steps(state)
        yield from self._people.steps(state)

    # -- processes ---------------------------------------------------------------------------------

    def _operations(self, state: State) -> Iterator[tuple[str, ...]]:
        """Yield what an idle process may do, as `Payouts.run` does."""
        upbit = self.exchange(state)
        for row in self.journal(state).rows:
            if row.state is PayoutState.QUEUED and self.has_copies_left(state, row.key):
                yield "drive", row.key
            elif row.state.is_under_way:
                yield "settle", row.key
            elif row.state in _COMPARED and row.sent_request is not None and upbit.withdrawals:
                yield "compare", row.key
            elif row.state is PayoutState.ACCEPTED and upbit.has_ended(row.uuid or ""):
                yield "follow", row.key
        if self.setup.reconciles and upbit.withdrawals:
            yield ("reconcile",)

    def _begun(self, state: State, number: int, operation: tuple[str, ...]) -> Iterator[Step]:
        """Yield an operation's beginning, with its first call."""
        nonce = ""
        if operation[0] == "drive":
            nonce = f"{operation[1]}{self._copies(state, operation[1]) + 1}{_NAMES[number]}"
        options = ServiceOptions(_NAMES[number], nonce, self.setup.per_day, self.setup.skew)
        process = self._processes.begun(options, operation)
        for step in self._continued(state, number, process):
            label = f"{_NAMES[number]} begins to {' '.join(operation)}:"
            yield step._replace(label=step.label.replace(_NAMES[number], label, 1))

    def _continued(self, state: State, number: int, process: int) -> Iterator[Step]:
        """Yield what an operation's next call may do."""
        for effect in self._calls.effects(state.journal, state.exchange, process):
            if effect.departed and not self._may_depart(state, effect):
                label = f"{_NAMES[number]} gives up to {' '.join(self._processes.local(process).operation)}"
                yield Step(label, self._left(state, number))
                continue
            problem = PAUSED if effect.departed and self.journal(state).is_paused else ""
            yield self._after(state, number, effect)._replace(problem=problem)

    def _may_depart(self, state: State, effect: Effect) -> bool:
        """Return whether a copy may be recorded within the bounds, and no equal withdrawal is made then (**EQUAL**)."""
        is_apart = self.setup.has_equal_foreign and self.setup.holds("EQUAL")
        made = self.exchange(state).of(FOREIGN) if is_apart else ()
        return self.has_copies_left(state, effect.departed) and all(
            each.age > effect.departed_ago for each in made
        )

    def _after(self, state: State, number: int, effect: Effect) -> Step:
        processes = list(state.processes)
        if effect.written:
            for other, process in enumerate(processes):
                if process and other != number:
                    processes[other] = self._processes.stale(process, effect.written, effect.appended)
        processes[number] = effect.process
        budget = state.budget
        if effect.departed:
            copy = self.setup.keys.index(effect.departed)
            budget = self._values.changed(budget, f"copy {copy}", lambda each: each.with_copy(copy))
        after = State(effect.journal, effect.exchange, budget, tuple(processes))
        return Step(effect.label, after if effect.process else self._left(after, number))

    def _crash(self, state: State, number: int, process: int) -> Iterator[Step]:
        """Yield the crash of a process, unless it leaves nothing behind."""
        budget: Budget = self._values.value(state.budget)
        if not budget.crashes or not self._processes.local(process).has_written:
            return
        fewer = self._values.changed(state.budget, "crashes", lambda each: each.without("crashes"))
        yield Step(f"{_NAMES[number]} crashes", self._left(state._replace(budget=fewer), number))

    def _left(self, state: State, number: int) -> State:
        """Return a state in which a process has ended its operation."""
        name = _NAMES[number]
        processes = [process and self._processes.left(process, name) for process in state.processes]
        processes[number] = 0
        exchange = self._values.changed(
            state.exchange, f"without {name}", lambda upbit: upbit.without_senders(name)
        )
        journal = self._values.rewritten(state.journal, ("left", name), left_by(name))
        return State(journal, exchange, state.budget, tuple(processes))
