"""What happens around the processes: requests arrive, the list catches up, time passes, journals are restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from explorer.ages import aged, before_restart
from explorer.calls import departure_age
from explorer.exchange import DECLINED, FOREIGN, NONCE_USED, TAMPERED, THROTTLED, Exchange
from explorer.state import Budget, State, Step
from upbit_async.models import WithdrawalState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.journal_state import JournalState
    from explorer.processes import Processes
    from explorer.setup import Setup
    from explorer.values import Interned

__all__ = ["Surroundings"]

_ENDS: Final = WithdrawalState.DONE, WithdrawalState.CANCELLED
"""How withdrawals end. `WithdrawalState.FAILED` and `REJECTED` are treated as cancelled ones are."""


class Surroundings:
    """Steps that no process takes.

    Args:
        setup: Bounds, and the assumptions that are false.
        values: Numbers of all values.
        processes: Operations of the processes.
        backup: The journal that a restore brings back.
    """

    def __init__(self, setup: Setup, values: Interned, processes: Processes, backup: int) -> None:
        self._setup = setup
        self._values = values
        self._processes = processes
        self._backup = backup
        self._arrived: dict[tuple[int, int], list[tuple[str, int, int]]] = {}

    def steps(self, state: State) -> Iterator[Step]:
        """Yield all of them."""
        budget: Budget = self._values.value(state.budget)
        yield from self._arrivals(state, budget)
        yield from self._time(state)
        yield from self._foreign(state, budget)
        yield from self._restores(state, budget)
        yield from self._tampering(state, budget)
        yield from self._pauses(state, budget)
        yield from self._restarts(state, budget)

    # -- the exchange ------------------------------------------------------------------------------

    def _arrivals(self, state: State, budget: Budget) -> Iterator[Step]:
        key = state.exchange, state.budget
        if key not in self._arrived:
            upbit: Exchange = self._values.value(state.exchange)
            arrivals = (
                *self._requests(upbit, budget),
                *self._listings(upbit, budget),
                *self._ends(upbit, budget),
            )
            self._arrived[key] = [
                (label, self._values.number(exchange), self._values.number(after))
                for label, exchange, after in arrivals
            ]
        for label, exchange, number in self._arrived[key]:
            yield Step(label, state._replace(exchange=exchange, budget=number))

    def _requests(self, upbit: Exchange, budget: Budget) -> Iterator[tuple[str, Exchange, Budget]]:
        """Yield the arrivals of requests."""
        holds = self._setup.holds
        for request in upbit.requests:
            if request.reply:
                continue
            is_used = request.nonce in upbit.nonces
            if is_used:
                yield f"Upbit refuses the nonce {request.nonce}", upbit.refused(request, NONCE_USED), budget
            if not is_used or not holds("N"):
                yield f"Upbit executes a copy of {request.key}", upbit.executed(request), budget
            if budget.refusals and request.sender and not is_used:
                fewer = budget.without("refusals")
                for reply in (DECLINED, THROTTLED):
                    yield f"Upbit answers: {reply}", upbit.refused(request, reply), fewer
                    if not holds("U"):
                        text = f"Upbit executes a copy of {request.key}, and answers: {reply}"
                        yield text, upbit.executed(request, reply), fewer

    def _listings(self, upbit: Exchange, budget: Budget) -> Iterator[tuple[str, Exchange, Budget]]:
        """Yield what the list shows next."""
        for made in upbit.withdrawals:
            if not made.is_listed:
                yield f"the list shows {made.uuid}", upbit.listing(made.uuid), budget
                if not self._setup.holds("O"):
                    text = f"the list shows {made.uuid} behind older ones"
                    yield text, upbit.listing(made.uuid, is_displaced=True), budget

    @staticmethod
    def _ends(upbit: Exchange, budget: Budget) -> Iterator[tuple[str, Exchange, Budget]]:
        """Yield the ends of withdrawals."""
        if not budget.ends:
            return
        for made in upbit.withdrawals:
            for state in () if made.state.is_final else _ENDS:
                text = f"withdrawal {made.uuid} ends: {state}"
                yield text, upbit.ended(made.uuid, state), budget.without("ends")

    def _foreign(self, state: State, budget: Budget) -> Iterator[Step]:
        is_apart = self._setup.has_equal_foreign and self._setup.holds("EQUAL")
        if not budget.foreign or (is_apart and self._awaits_withdrawal(state)):
            return

        def made(upbit: Exchange) -> Exchange:
            return upbit.made(FOREIGN, self._setup.amount_outside)

        exchange = self._values.changed(state.exchange, "made outside", made)
        label = "someone withdraws outside the library"
        yield Step(label, state._replace(exchange=exchange, budget=self._fewer(state, "foreign")))

    def _awaits_withdrawal(self, state: State) -> bool:
        """Return whether a payout may still take a new withdrawal for its own: from its departure to its outcome."""
        journal: JournalState = self._values.value(state.journal)
        return any(
            row.sent_request is not None and row.uuid is None and not row.state.is_final
            for row in journal.rows
        )

    # -- time --------------------------------------------------------------------------------------

    def _time(self, state: State) -> Iterator[Step]:
        busy = [process for process in state.processes if process]
        if not all(map(self._processes.may_pause, busy)):
            return
        if self._setup.holds("PAUSE") and any(self._is_late(state, process) for process in busy):
            return

        def later(upbit: Exchange) -> Exchange:
            return upbit.later(lists_all=self._setup.holds("L"), drops_late=self._setup.holds("NET"))

        processes = tuple(process and self._processes.aged(process) for process in state.processes)
        journal = self._values.rewritten(state.journal, "aged", aged)
        exchange = self._values.changed(state.exchange, "later", later)
        yield Step("time passes", State(journal, exchange, state.budget, processes))

    def _is_late(self, state: State, process: int) -> bool:
        """Return whether a process has checked its lease, and must send its first byte before time passes."""
        if self._processes.call_of(process).name != "first_byte":
            return False
        journal: JournalState = self._values.value(state.journal)
        return departure_age(journal, self._processes.local(process)) >= 1

    # -- the journal -------------------------------------------------------------------------------

    def _restores(self, state: State, budget: Budget) -> Iterator[Step]:
        """Yield the return of an old journal, which ends all processes (**D**)."""
        if not budget.restores or self._setup.holds("D"):
            return
        upbit: Exchange = self._values.value(state.exchange)
        is_quiet = not upbit.requests and all(each.is_listed for each in upbit.withdrawals)
        if self._setup.restores_quietly and not is_quiet:
            return
        exchange = self._values.number(upbit.without_senders())
        processes = (0,) * len(state.processes)
        fewer = self._fewer(state, "restores")
        yield Step("the journal is restored from a backup", State(self._backup, exchange, fewer, processes))

    def _tampering(self, state: State, budget: Budget) -> Iterator[Step]:
        """Yield a change of a payout's amount in the journal, by someone without its keys."""
        if not budget.tampers:
            return
        fewer = self._fewer(state, "tampers")
        journal: JournalState = self._values.value(state.journal)
        for row in journal.rows:
            members = {**row.intent.members, "amount": TAMPERED}
            changed = attrs.evolve(row, intent=attrs.evolve(row.intent, members=members))
            rows = tuple(changed if each is row else each for each in journal.rows)
            number = self._values.number(attrs.evolve(journal, rows=rows))
            yield Step(
                f"someone changes the amount of {row.key} in the journal",
                state._replace(journal=number, budget=fewer),
            )

    def _pauses(self, state: State, budget: Budget) -> Iterator[Step]:
        journal: JournalState = self._values.value(state.journal)
        if journal.is_paused:
            resumed = self._values.changed(
                state.journal, "resumed", lambda each: attrs.evolve(each, is_paused=False)
            )
            yield Step("people resume", state._replace(journal=resumed))
        elif budget.pauses:
            paused = self._values.changed(
                state.journal, "paused", lambda each: attrs.evolve(each, is_paused=True)
            )
            yield Step("people pause", state._replace(journal=paused, budget=self._fewer(state, "pauses")))

    def _restarts(self, state: State, budget: Budget) -> Iterator[Step]:
        """Yield a restart of the machine, which ends all processes, connections and readings of its clock."""
        if not budget.restarts:
            return
        journal = self._values.rewritten(state.journal, "restarted", before_restart)
        exchange = self._values.changed(
            state.exchange, "restarted", lambda upbit: upbit.without_connections()
        )
        processes = (0,) * len(state.processes)
        yield Step(
            "the machine is restarted", State(journal, exchange, self._fewer(state, "restarts"), processes)
        )

    def _fewer(self, state: State, name: str) -> int:
        """Return the budget with one less of what is counted under a name."""
        return self._values.changed(state.budget, name, lambda budget: budget.without(name))
