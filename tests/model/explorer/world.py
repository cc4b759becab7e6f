"""The world: all steps that can follow a state.

A step is one call of a process to the journal or the exchange, or something that happens around the processes: a
request arrives, the list shows a withdrawal, an answer is lost, a process crashes, time passes, people decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import attrs
from explorer.ages import LONGEST_PAUSE, NOW, aged
from explorer.exchange import DECLINED, DROPPED, FOREIGN, NONCE_USED, THROTTLED, Exchange, Request
from explorer.journal_state import STALE, JournalState, bit_of, execute
from explorer.normal_form import holds_baseline, normal
from explorer.replay import Call, Ended, Raised, next_call
from explorer.service import Process, ServiceOptions
from explorer.setup import Setup
from explorer.values import Interned, rewritten

from upbit_async.errors import NotFound, OutcomeUnknown, RateLimited, UpbitError, ValidationError
from upbit_async.payouts import Payout, PayoutState, SentRequest
from upbit_async.payouts.baseline import Baseline
from upbit_async.payouts.departure import DepartureConditions, is_departure
from upbit_async.payouts.journal_time import JournalTime

__all__ = ["State", "Step", "World"]

PERSON: Final = "P"
_LEFT: Final = "gone"
_MERGED: Final = frozenset(
    {
        ("position", "mark"),
        ("mark", "related"),
        ("list", "list"),
        ("related", "related"),
        ("related", "recent_answered"),
        ("answer", "compare_and_swap"),
    }
)
"""Calls that follow each other in one step, because they only read: the second is no point at which others act."""


class State(NamedTuple):
    """A state, as numbers of values.

    Attributes:
        journal: The journal.
        exchange: The exchange and the network.
        budget: What may still happen.
        processes: Each process: its operation and how far it is; 0 if it has none.
    """

    journal: int
    exchange: int
    budget: int
    processes: tuple[int, ...]


class Step(NamedTuple):
    """A step.

    Attributes:
        label: What happens, as text.
        state: The state after it.
        problem: The property that the step itself violates; empty if none.
    """

    label: str
    state: State
    problem: str = ""


@attrs.frozen
class Budget:
    """What may still happen.

    Attributes:
        copies: Number of copies of each payout that were recorded.
        crashes: Number of further crashes.
        refusals: Number of further refusals.
        foreign: Number of further foreign withdrawals.
        restores: Number of further restores of the journal.
        pauses: Number of further pauses.
        decisions: Number of further decisions of people.
    """

    copies: tuple[int, ...]
    crashes: int
    refusals: int
    foreign: int
    restores: int
    pauses: int
    decisions: int


@attrs.frozen
class Local:
    """Operation of a process, and how far it is.

    Attributes:
        options: Options of the process.
        operation: The operation: name and arguments.
        record: Numbers of the replies that it has received.
    """

    options: ServiceOptions
    operation: tuple[str, ...]
    record: tuple[int, ...] = ()
    has_written: bool = False


@attrs.frozen
class _Effect:
    """What a call of a process does.

    Attributes:
        label: What happens, as text.
        journal: The journal after it.
        exchange: The exchange after it.
        local: The process after it; 0 if its operation has ended.
        written: Keys of the payouts that were written.
        appended: Positions to add to those that processes hold.
        departed: Key of the payout of which a copy was recorded; empty if none.
        closes: Whether the process has closed its connection.
    """

    label: str
    journal: int
    exchange: int
    local: int
    written: frozenset[str] = frozenset()
    appended: int = 0
    departed: str = ""


class World:
    """All steps that can follow a state.

    Args:
        setup: Bounds, and the assumptions that are false.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.values = Interned()
        assert self.values.number(None) == 0
        self._memo: dict[Any, Any] = {}

    # -- states ------------------------------------------------------------------------------------

    def initial(self) -> State:
        """Return the first state: all payouts are queued, and nothing was sent."""
        setup = self.setup
        journal, exchange = self.values.number(JournalState()), self.values.number(Exchange())
        for key, amount in zip(setup.keys, setup.amounts, strict=True):
            journal = self._decided(journal, exchange, ("enqueue", key, amount)) or journal
        budget = Budget(
            copies=(0,) * len(setup.keys),
            crashes=setup.crashes,
            refusals=setup.refusals,
            foreign=setup.foreign,
            restores=setup.restores,
            pauses=setup.pauses,
            decisions=setup.decisions,
        )
        self.backup = journal
        return State(journal, exchange, self.values.number(budget), (0,) * setup.processes)

    def journal(self, state: State) -> JournalState:
        """Return the journal in a state."""
        found: JournalState = self.values.value(state.journal)
        return found

    def exchange(self, state: State) -> Exchange:
        """Return the exchange in a state."""
        found: Exchange = self.values.value(state.exchange)
        return found

    def steps(self, state: State) -> Iterator[Step]:
        """Yield all steps that can follow a state."""
        for number, local in enumerate(state.processes):
            if local:
                yield from self._calls(state, number)
                yield from self._crash(state, number)
            else:
                yield from self._starts(state, number)
        yield from self._arrivals(state)
        yield from self._later(state)
        yield from self._decisions(state)
        yield from self._surroundings(state)

    def has_copies_left(self, state: State, key: str) -> bool:
        """Return whether another copy of a payout may be recorded within the bounds."""
        budget: Budget = self.values.value(state.budget)
        return budget.copies[self.setup.keys.index(key)] < self.setup.copies

    # -- processes ---------------------------------------------------------------------------------

    def _starts(self, state: State, number: int) -> Iterator[Step]:
        name = "ABC"[number]
        for operation in self._operations(state):
            nonce = ""
            if operation[0] == "drive":
                key = operation[1]
                if not self.has_copies_left(state, key):
                    continue
                copies = self.values.value(state.budget).copies[self.setup.keys.index(key)]
                nonce = f"{key}{copies + 1}{name}"
            options = ServiceOptions(name, nonce, self.setup.per_day)
            local, ended = self._advanced(Local(options, operation))
            assert ended is None
            begun = state._replace(processes=(*state.processes[:number], local, *state.processes[number + 1 :]))
            for step in self._calls(begun, number):
                yield step._replace(label=f"{name} begins to {' '.join(operation)}: {step.label}")

    def _operations(self, state: State) -> list[tuple[str, ...]]:
        """Return what an idle process may do."""
        found: list[tuple[str, ...]] = []
        for row in self.journal(state).rows:
            match row.state:
                case PayoutState.QUEUED:
                    found.append(("drive", row.key))
                case PayoutState.SENDING | PayoutState.UNKNOWN:
                    found.append(("settle", row.key))
                case PayoutState.NOT_SENT | PayoutState.ABANDONED | PayoutState.NEEDS_REVIEW:
                    if row.sent_request is not None and self.exchange(state).withdrawals:
                        found.append(("compare", row.key))
                case _:
                    pass
        if self.setup.reconciles:
            found.append(("reconcile",))
        return found

    def _settled(
        self, state: State, number: int, label: str, journal: int, exchange: int, local: int
    ) -> Step:
        """Return a step of a process; what remembers a process without an operation is normalised."""
        processes = list(state.processes)
        processes[number] = local
        if not local:
            name = "ABC"[number]
            journal = self._left(journal, name)
            processes = [each and self._left(each, name) for each in processes]
            exchange = self._without_sender(exchange, name)
        return Step(label, State(journal, exchange, state.budget, tuple(processes)))

    def _calls(self, state: State, number: int) -> Iterator[Step]:
        key = "effects", state.journal, state.exchange, state.processes[number]
        effects = self._memo.get(key)
        if effects is None:
            effects = self._memo[key] = list(
                self._effects(state.journal, state.exchange, state.processes[number])
            )
        for effect in effects:
            processes = list(state.processes)
            if effect.written:
                processes = [
                    self._stale(each, effect.written, effect.appended) if each and other != number else each
                    for other, each in enumerate(processes)
                ]
            after = state._replace(processes=tuple(processes))
            problem = ""
            if effect.departed:
                budget: Budget = self.values.value(state.budget)
                index = self.setup.keys.index(effect.departed)
                copies = list(budget.copies)
                copies[index] += 1
                if copies[index] > self.setup.copies:
                    continue
                after = after._replace(
                    budget=self.values.number(attrs.evolve(budget, copies=tuple(copies)))
                )
                if self.journal(state).is_paused:
                    problem = "nothing departs while the journal is paused"
            step = self._settled(after, number, effect.label, effect.journal, effect.exchange, effect.local)
            yield step._replace(problem=problem)

    def _advanced(self, local: Local) -> tuple[int, Ended | None]:
        """Return a process at its next call, or how its operation has ended."""
        key = "advanced", local
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = self._advance(local)
        advanced: tuple[int, Ended | None] = known
        return advanced

    def _advance(self, local: Local) -> tuple[int, Ended | None]:
        def start() -> Any:
            return Process(local.options).start(*local.operation)

        replies = tuple(map(self.values.value, local.record))
        found, record = next_call(start, replies, _at_once)
        name = local.options.name
        if isinstance(found, Ended):
            if found.error is not None and not isinstance(found.error, UpbitError | ValueError):
                raise found.error
            return 0, found
        record = normal(local.operation[0], name, record)
        reached = attrs.evolve(local, record=tuple(map(self.values.number, record)))
        number = self.values.number(reached)
        self._memo["call", number] = found
        return number, None

    def _call_of(self, local: int) -> Call:
        found: Call = self._memo["call", local]
        return found

    def _effects(self, journal: int, exchange: int, process: int) -> Iterator[_Effect]:
        """Yield what the next call of a process may do."""
        local: Local = self.values.value(process)
        call = self._call_of(process)
        name, upbit = local.options.name, self.values.value(exchange)
        match call.name:
            case "list":
                currency, after = call.arguments
                reply = tuple(upbit.listed(after))
                yield self._replied(local, reply, journal, exchange, "reads the list", "list")
            case "withdrawal":
                found = next((each.row for each in upbit.withdrawals if each.uuid == call.arguments[0]), None)
                reply = found or Raised(NotFound("no such withdrawal", status=404, name="not_found"))
                yield self._replied(local, reply, journal, exchange, "reads a withdrawal")
            case "first_byte":
                nonce, members = call.arguments
                request = Request(
                    local.operation[1],
                    nonce,
                    dict(members)["amount"],
                    name,
                    self._departure_age(journal, local.operation[1]),
                )
                sent = self.values.number(upbit.sent(request))
                yield self._replied(local, True, journal, sent, f"sends the first byte ({nonce})")
            case "answer":
                yield from self._answers(local, journal, upbit)
            case _:
                outcome = self._executed(journal, call)
                departed = ""
                if call.name == "compare_and_swap" and outcome.error is None:
                    old, new, _ = call.arguments
                    departed = new.key if is_departure(old, new) else ""
                reply = outcome.result if outcome.error is None else Raised(outcome.error)
                after = self.values.number(outcome.state)
                written = frozenset(outcome.written)
                appended = sum(map(bit_of, outcome.appended))
                if written:
                    local = self._stale_local(local, written, appended)
                if departed or (written and local.operation[0] == "drive"):
                    local = attrs.evolve(local, has_written=True)
                effect = self._replied(local, reply, after, exchange, _text(call, outcome), call.name)
                yield attrs.evolve(effect, written=written, appended=appended, departed=departed)

    def _executed(self, journal: int, call: Call) -> Any:
        key = "executed", journal, self.values.number(call)
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = execute(self.values.value(journal), call.name, call.arguments)
        return known

    def _answers(self, local: Local, journal: int, upbit: Exchange) -> Iterator[_Effect]:
        name = local.options.name
        request = upbit.request_of(name)
        assert request is not None
        lost = Raised(OutcomeUnknown("the answer was lost", intent=None))  # type: ignore[arg-type]
        if request.reply not in {"", DROPPED}:
            rest = self.values.number(upbit.with_requests((request, None)))
            reply, text = _answer(request, upbit)
            yield self._replied(local, reply, journal, rest, f"receives the answer: {text}", "answer")
        closed = attrs.evolve(request, sender="", is_closed=True)
        rest = self.values.number(upbit.with_requests((request, None if request.reply else closed)))
        yield self._replied(local, lost, journal, rest, "loses the answer", "answer")

    def _is_merged(self, local: Local, before: str, after: str) -> bool:
        """Return whether a call follows another one in the same step."""
        operation = local.operation[0]
        if operation == "drive" and before == "get" and after == "compare_and_swap":
            return local.has_written  # an answer is recorded
        if operation != "drive" and after == "position":
            return before != "reconcile"  # only a departure compares positions
        if operation != "drive" and (before, after) == ("related", "list"):
            return False
        return (before, after) in _MERGED

    def _starts_over(self, process: int, reply: int) -> bool:
        """Return whether an operation that has written nothing was refused by a check, and begins again.

        It is in the same state then as if it had not begun.
        """
        local: Local = self.values.value(process)
        if local.has_written or local.options.name == PERSON:
            return False
        if isinstance(self.values.value(reply), Raised):
            return self._call_of(process).name != "withdrawal"
        return self._call_of(process).name == "position" and any(
            holds_baseline(self.values.value(each)) for each in local.record
        )

    def _replied(self, local: Local, reply: Any, journal: int, exchange: int, text: str, call: str = "") -> _Effect:
        """Return the effect of a reply, which lets the operation continue to its next call."""
        number = self.values.number(reply)
        advanced, ended = self._advanced(attrs.evolve(local, record=(*local.record, number)))
        if ended is None and self._starts_over(advanced, number):
            return _Effect(f"{local.options.name} {text}, and starts over", journal, exchange, 0)
        if ended is None and self._is_merged(local, call, self._call_of(advanced).name):
            (effect,) = self._effects(journal, exchange, advanced)
            is_read = effect.journal == journal
            more = "" if is_read and effect.local else f"; {effect.label}"
            return attrs.evolve(effect, label=f"{local.options.name} {text}{more}")
        label = f"{local.options.name} {text}"
        if ended is not None and local.options.name != PERSON:
            label += f" (ends: {_end(ended)})"
        return _Effect(label, journal, exchange, advanced)

    def _crash(self, state: State, number: int) -> Iterator[Step]:
        budget: Budget = self.values.value(state.budget)
        if not budget.crashes or not self.values.value(state.processes[number]).has_written:
            return  # an operation that has only read leaves nothing behind
        fewer = self.values.number(attrs.evolve(budget, crashes=budget.crashes - 1))
        step = self._settled(
            state._replace(budget=fewer),
            number,
            f"{'ABC'[number]} crashes",
            state.journal,
            state.exchange,
            0,
        )
        yield step

    def _departure_age(self, journal: int, key: str) -> int:
        row = self.values.value(journal).row(key)
        if row is None or row.sent_request is None:
            return 0
        (_, seconds), *_ = row.sent_request.left_at.readings
        return round(-seconds / 12)

    # -- normal forms ------------------------------------------------------------------------------

    def _stale(self, process: int, written: frozenset[str], appended: int) -> int:
        key = "stale", process, written, appended
        known = self._memo.get(key)
        if known is None:
            local: Local = self.values.value(process)
            number, _ = self._advanced(self._stale_local(local, written, appended))
            known = self._memo[key] = number
        stale: int = known
        return stale

    def _stale_local(self, local: Local, written: frozenset[str], appended: int) -> Local:
        def rewrite(part: Any) -> Any:
            if isinstance(part, Payout) and part.key in written and part.revision == 0:
                return attrs.evolve(part, revision=STALE)
            if isinstance(part, Baseline):
                return attrs.evolve(part, position=part.position | appended)
            return part

        record: list[int] = []
        for number in local.record:
            value = self.values.value(number)
            if isinstance(value, int) and not isinstance(value, bool):  # a position
                after: Any = value | appended
            else:
                after = rewritten(value, rewrite)
            record.append(number if after is value else self.values.number(after))
        return attrs.evolve(local, record=tuple(record))

    def _left(self, number: int, name: str) -> int:
        """Return a journal or a process in which a process without an operation holds no lease by its name."""

        def rewrite(part: Any) -> Any:
            if isinstance(part, SentRequest) and part.owner.startswith(f"{name} of"):
                return attrs.evolve(part, owner=_LEFT)
            return part

        return self._rewritten(number, ("left", name), rewrite)

    def _rewritten(self, number: int, what: Any, rewrite: Any) -> int:
        key = what, number
        known = self._memo.get(key)
        if known is None:
            value = self.values.value(number)
            if isinstance(value, Local):
                record = tuple(self._rewritten(each, what, rewrite) for each in value.record)
                after, _ = self._advanced(attrs.evolve(value, record=record))
            else:
                after = self.values.number(rewritten(value, rewrite))
            known = self._memo[key] = after
        found: int = known
        return found

    def _without_sender(self, exchange: int, name: str) -> int:
        upbit: Exchange = self.values.value(exchange)
        request = upbit.request_of(name)
        if request is None:
            return exchange
        orphan = None if request.reply else attrs.evolve(request, sender="")
        return self.values.number(upbit.with_requests((request, orphan)))

    # -- around the processes ----------------------------------------------------------------------

    def _arrivals(self, state: State) -> Iterator[Step]:
        """Yield the arrivals of requests, and what the list shows next."""
        key = "arrivals", state.exchange, state.budget
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = [
                (label, self.values.number(exchange), budget)
                for label, exchange, budget in self._arrivals_at(self.exchange(state), state.budget)
            ]
        for label, exchange, budget in known:
            yield Step(label, state._replace(exchange=exchange, budget=budget))

    def _arrivals_at(self, upbit: Exchange, number: int) -> Iterator[tuple[str, Exchange, int]]:
        holds = self.setup.holds
        budget: Budget = self.values.value(number)
        for request in upbit.requests:
            if request.reply:
                continue
            is_used = request.nonce in upbit.nonces
            if is_used:
                yield "Upbit refuses the nonce", upbit.refused(request, NONCE_USED), number
            if not is_used or not holds("N"):
                yield f"Upbit executes a copy of {request.key}", upbit.executed(request), number
            if budget.refusals and request.sender and not is_used:
                fewer = self.values.number(attrs.evolve(budget, refusals=budget.refusals - 1))
                for reply in (DECLINED, THROTTLED):
                    yield f"Upbit answers: {reply}", upbit.refused(request, reply), fewer
                    if not holds("U"):
                        text = f"Upbit executes a copy of {request.key}, and answers: {reply}"
                        yield text, upbit.executed(request, reply), fewer
        for made in upbit.withdrawals:
            if not made.is_listed:
                yield f"the list shows {made.uuid}", upbit.listing(made.uuid), number
                if not holds("O"):
                    text = f"the list shows {made.uuid} behind older ones"
                    yield text, upbit.listing(made.uuid, is_displaced=True), number
        if budget.foreign:
            fewer = self.values.number(attrs.evolve(budget, foreign=budget.foreign - 1))
            yield "someone withdraws the same amount", upbit.made(FOREIGN, self.setup.amounts[0]), fewer

    def _later(self, state: State) -> Iterator[Step]:
        holds = self.setup.holds
        for process in state.processes:
            if process and self._call_of(process).name == "first_byte" and holds("PAUSE"):
                local: Local = self.values.value(process)
                if self._departure_age(state.journal, local.operation[1]) >= 1:
                    return
        if any(each and self._is_longest_pause(each) for each in state.processes):
            return
        exchange = self._memo.get(("later", state.exchange))
        if exchange is None:
            later = self.exchange(state).later(lists_all=holds("L"), drops_late=holds("NET"))
            exchange = self._memo["later", state.exchange] = self.values.number(later)
        journal = self._aged(state.journal)
        processes = tuple(each and self._aged(each) for each in state.processes)
        yield Step("time passes", State(journal, exchange, state.budget, processes))

    def _is_longest_pause(self, process: int) -> bool:
        """Return whether an operation may not take longer, so that its readings of the clock stay comparable."""
        readings = (self.values.value(number) for number in self.values.value(process).record)
        return any(isinstance(each, JournalTime) and each.seconds <= LONGEST_PAUSE for each in readings)

    def _aged(self, number: int) -> int:
        key = "aged", number
        known = self._memo.get(key)
        if known is None:
            value = self.values.value(number)
            if isinstance(value, Local):
                record = tuple(map(self._aged, value.record))
                known, _ = self._advanced(attrs.evolve(value, record=record))
            else:
                known = self.values.number(aged(value))
            self._memo[key] = known
        found: int = known
        return found

    def _surroundings(self, state: State) -> Iterator[Step]:
        """Yield restores of the journal, and pauses."""
        budget: Budget = self.values.value(state.budget)
        if budget.restores:
            fewer = attrs.evolve(budget, restores=budget.restores - 1)
            after = state._replace(budget=self.values.number(fewer))
            for number, process in enumerate(state.processes):
                if process:
                    after = self._settled(after, number, "", after.journal, after.exchange, 0).state
            yield Step("the journal is restored from its oldest backup", after._replace(journal=self.backup))
        if self.setup.pauses:
            journal = self.journal(state)
            if journal.is_paused:
                resumed = self.values.number(attrs.evolve(journal, is_paused=False))
                yield Step("people resume", state._replace(journal=resumed))
            elif budget.pauses:
                fewer = self.values.number(attrs.evolve(budget, pauses=budget.pauses - 1))
                paused = self.values.number(attrs.evolve(journal, is_paused=True))
                yield Step("people pause", state._replace(journal=paused, budget=fewer))

    # -- people ------------------------------------------------------------------------------------

    def _decisions(self, state: State) -> Iterator[Step]:
        budget: Budget = self.values.value(state.budget)
        if not budget.decisions:
            return
        fewer = self.values.number(attrs.evolve(budget, decisions=budget.decisions - 1))
        key = "decisions", state.journal, state.exchange, self._about_to_send(state)
        known = self._memo.get(key)
        if known is None:
            found: dict[int, tuple[str, ...]] = {}
            for operation in self._possible(state):
                journal = self._decided(state.journal, state.exchange, operation)
                if journal is not None and journal != state.journal:
                    found.setdefault(journal, operation)
            known = self._memo[key] = found
        for journal, operation in known.items():
            written = frozenset(self.setup.keys)  # which rows were written is known only by content
            before, after = self.journal(state), self.values.value(journal)
            written = frozenset(
                row.key for row in after.rows if identical(before.row(row.key), row) is False
            )
            appended = sum(map(bit_of, written))
            processes = tuple(each and self._stale(each, written, appended) for each in state.processes)
            label = f"people: {' '.join(operation)}"
            yield Step(label, State(journal, state.exchange, fewer, processes))

    def _about_to_send(self, state: State) -> frozenset[str]:
        """Return the keys of the payouts whose first byte follows the last check of a process."""
        calls = (process for process in state.processes if process)
        return frozenset(
            self.values.value(process).operation[1]
            for process in calls
            if self._call_of(process).name == "first_byte"
        )

    def _possible(self, state: State) -> Iterator[tuple[str, ...]]:
        """Yield the decisions of people who are right, or any if they may be wrong (**TRUTH**)."""
        upbit = self.exchange(state)
        is_right = self.setup.holds("TRUTH")
        about_to_send = self._about_to_send(state)
        for row in self.journal(state).rows:
            key, own = row.key, upbit.of(row.key)
            may_arrive = key in about_to_send or any(
                each.key == key and not each.reply for each in upbit.requests
            )
            yield "retry", key
            yield "abandon", key
            yield "retry_with_new_nonce", key
            if not is_right or not (own or may_arrive):
                yield "resolve_as_not_sent", key
            for made in upbit.withdrawals:
                if not is_right or made.key == key:
                    yield "resolve_as", key, made.uuid
        for made in upbit.withdrawals:
            if not is_right or made.key == FOREIGN:
                yield "acknowledge", made.uuid

    def _decided(self, journal: int, exchange: int, operation: tuple[str, ...]) -> int | None:
        """Return the journal after a decision, taken in one step; None if the library refuses it."""
        local, ended = self._advanced(Local(ServiceOptions(PERSON), operation))
        while ended is None:
            (effect,) = self._effects(journal, exchange, local)
            journal, local = effect.journal, effect.local
            if not local:
                break
        return journal


def identical(first: Payout | None, second: Payout) -> bool:
    return first == second


def _at_once(call: Call) -> Any:
    return NOW if call.name == "now" else None


def _answer(request: Request, upbit: Exchange) -> tuple[Any, str]:
    match request.reply:
        case str() as reply if reply == NONCE_USED:
            error: Exception = OutcomeUnknown("nonce used", intent=None, name="nonce_used")  # type: ignore[arg-type]
            return Raised(error), reply
        case str() as reply if reply == DECLINED:
            return Raised(ValidationError("declined", status=400, name="declined")), reply
        case str() as reply if reply == THROTTLED:
            return Raised(RateLimited("throttled", status=429, name="", retry_after=0.0)), reply
        case uuid:
            made = next(each for each in upbit.withdrawals if each.uuid == uuid)
            return made.row, uuid


def _end(ended: Ended) -> str:
    if ended.error is not None:
        return type(ended.error).__name__
    result = ended.result
    return f"{result.key} is {result.state}" if isinstance(result, Payout) else "done"


def _text(call: Call, outcome: Any) -> str:
    if call.name != "compare_and_swap":
        return f"calls journal.{call.name}"
    _, new, conditions = call.arguments
    assert isinstance(conditions, DepartureConditions)
    if outcome.error is not None:
        return f"fails to write {new.key} as {new.state}: {type(outcome.error).__name__}"
    return f"writes {new.key} as {new.state}"
