"""Decisions of people. Each is one step: the library's own method, with all of its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.exchange import FOREIGN, Exchange
from explorer.journal_state import JournalState, bit_of
from explorer.processes import PERSON, Processes
from explorer.service import ServiceOptions
from explorer.state import Budget, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.calls import Calls
    from explorer.setup import Setup
    from explorer.values import Interned

__all__ = ["People"]


class People:
    """People who retry, resolve, abandon and acknowledge.

    Args:
        setup: Bounds, and the assumptions that are false.
        values: Numbers of all values.
        processes: Operations of the processes.
        calls: Effects of calls.
    """

    def __init__(self, setup: Setup, values: Interned, processes: Processes, calls: Calls) -> None:
        self._setup = setup
        self._values = values
        self._processes = processes
        self._calls = calls
        self._decisions: dict[tuple[int, int, frozenset[str]], dict[int, str]] = {}

    def steps(self, state: State) -> Iterator[Step]:
        """Yield all decisions that change something."""
        budget: Budget = self._values.value(state.budget)
        if not budget.decisions:
            return
        fewer = self._values.changed(state.budget, "decisions", lambda each: each.without("decisions"))
        for journal, label in self._possible(state).items():
            before: JournalState = self._values.value(state.journal)
            after: JournalState = self._values.value(journal)
            written = frozenset(row.key for row in after.rows if row is not before.row(row.key))
            position = sum(map(bit_of, written))
            processes = tuple(
                process and self._processes.stale(process, written, position) for process in state.processes
            )
            yield Step(label, State(journal, state.exchange, fewer, processes))

    def decided(self, journal: int, exchange: int, *operation: str) -> int:
        """Return the journal after a decision; it stays as it is if the library refuses it."""
        begun = self._processes.begun(ServiceOptions(PERSON, skew=self._setup.skew), operation)
        return self._calls.completed(journal, exchange, begun)

    def _possible(self, state: State) -> dict[int, str]:
        """Return the journals to which decisions lead, with the decisions as text."""
        sending = self._about_to_send(state)
        key = state.journal, state.exchange, sending
        if key not in self._decisions:
            found: dict[int, str] = {}
            for operation in self._operations(state, sending):
                if self._setup.decides and operation[0] not in self._setup.decides:
                    continue
                journal = self.decided(state.journal, state.exchange, *operation)
                if journal != state.journal:
                    found.setdefault(journal, f"people: {' '.join(operation)}")
            self._decisions[key] = found
        return self._decisions[key]

    def _operations(self, state: State, sending: frozenset[str]) -> Iterator[tuple[str, ...]]:
        """Yield the decisions of people who are right, or any if they may be wrong (**TRUTH**)."""
        upbit: Exchange = self._values.value(state.exchange)
        journal: JournalState = self._values.value(state.journal)
        is_right = self._setup.holds("TRUTH")
        on_the_way = {each.key for each in upbit.requests if not each.reply} | sending
        for row in journal.rows:
            yield "retry", row.key
            yield "abandon", row.key
            yield "retry_with_new_nonce", row.key
            if not is_right or not (upbit.of(row.key) or row.key in on_the_way):
                yield "resolve_as_not_sent", row.key
            for made in upbit.withdrawals:
                if not is_right or made.key == row.key:
                    yield "resolve_as", row.key, made.uuid
        for made in upbit.withdrawals:
            if not is_right or made.key == FOREIGN:
                yield "acknowledge", made.uuid

    def _about_to_send(self, state: State) -> frozenset[str]:
        """Return the keys of the payouts of which a process is about to send the first byte."""
        busy = (process for process in state.processes if process)
        return frozenset(
            self._processes.local(process).operation[1]
            for process in busy
            if self._processes.call_of(process).name == "first_byte"
        )
