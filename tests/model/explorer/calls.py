"""What the calls of processes do to the journal and to the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from explorer.ages import STEP
from explorer.exchange import DECLINED, DROPPED, FOREIGN, NONCE_USED, THROTTLED, Exchange, Request
from explorer.journal_state import READS, JournalState, Outcome, bit_of, execute
from explorer.processes import PERSON, Local, Processes
from explorer.replay import NO_REPLY, Call, Ended, Raised
from explorer.service import EPOCH
from upbit_async.errors import NotFound, OutcomeUnknown, RateLimited, ValidationError
from upbit_async.models import Intent
from upbit_async.payouts import Payout
from upbit_async.payouts.departure import is_departure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.setup import Setup
    from explorer.values import Interned

__all__ = ["Calls", "Effect", "departure_age"]

_MERGED: Final = frozenset(
    {
        ("position", "mark"),
        ("mark", "related"),
        ("list", "list"),
        ("related", "related"),
        ("related", "recent_answered"),
    }
)
"""Calls that follow each other in one step.

Others can do nothing between them that they could not do before or after: the first or the second only reads, or
nobody else can know of it.
"""


_RECORDED: Final = frozenset({("answer", "compare_and_swap"), ("get", "compare_and_swap")})
"""An outcome and its record, which are one step: nobody else can know of it before."""
_READABLE: Final = READS | {"list", "reconcile"}
"""Calls that write no payout."""
_NO_INTENT: Final = Intent(endpoint="", host="", members={}, started_at=EPOCH)


@attrs.frozen
class Effect:
    """What a call of a process does.

    Attributes:
        label: What happens, as text.
        journal: The journal after it.
        exchange: The exchange after it.
        process: The operation after it; 0 if it has ended.
        written: Keys of the payouts that were written.
        appended: Those of them whose histories became longer, as a position.
        departed: Key of the payout of which a copy was recorded; empty if none.
        departed_ago: Steps since the time that was recorded for that.
    """

    label: str
    journal: int
    exchange: int
    process: int
    written: frozenset[str] = frozenset()
    appended: int = 0
    departed: str = ""
    departed_ago: int = 0


class Calls:
    """Effects of the next calls of processes.

    Args:
        setup: Bounds, and the assumptions that are false.
        values: Numbers of all values.
        processes: Operations of the processes.
    """

    def __init__(self, setup: Setup, values: Interned, processes: Processes) -> None:
        self._setup = setup
        self._values = values
        self._processes = processes
        self._effects: dict[tuple[int, int, int], list[Effect]] = {}
        self._chains: dict[tuple[int, int, int, str], tuple[int, int, Ended | None]] = {}
        self._read: dict[tuple[int, str, Any], Outcome] = {}

    def effects(self, journal: int, exchange: int, process: int) -> list[Effect]:
        """Return what the next call of an operation may do; nothing while it has to wait."""
        key = journal, exchange, process
        known = self._effects.get(key)
        if known is None:
            known = self._effects[key] = list(self._effects_of(journal, exchange, process))
        return known

    def completed(self, journal: int, exchange: int, process: int) -> int:
        """Return the journal after a whole operation, taken in one step; as it is if the operation has to wait."""
        after = journal
        while process:
            (effect,) = self.effects(after, exchange, process)
            if effect.process == process:
                return journal
            after, process = effect.journal, effect.process
        return after

    def _effects_of(self, journal: int, exchange: int, process: int) -> Iterator[Effect]:
        local, call = self._processes.local(process), self._processes.call_of(process)
        upbit: Exchange = self._values.value(exchange)
        match call.name:
            case "list":
                if self._may_list(local, upbit):
                    rows = self._page(upbit, call)
                    yield self._replied(local, rows, journal, exchange, "reads the list", "list")
            case "withdrawal":
                found = upbit.shown(call.arguments[0])
                missing = NotFound("no such withdrawal", status=404, name="not_found")
                yield self._replied(local, found or Raised(missing), journal, exchange, "reads a withdrawal")
            case "first_byte":
                nonce, members = call.arguments
                amount, age = dict(members)["amount"], departure_age(self._journal(journal), local)
                request = Request(local.operation[1], nonce, amount, local.options.name, age)
                sent = self._values.number(upbit.sent(request))
                yield self._replied(local, True, journal, sent, f"sends the first byte, with nonce {nonce}")
            case "answer":
                yield from self._answers(local, journal, upbit)
            case _:
                yield self._executed(local, journal, exchange, call)

    def _journal(self, number: int) -> JournalState:
        journal: JournalState = self._values.value(number)
        return journal

    def _may_list(self, local: Local, upbit: Exchange) -> bool:
        """Return whether a list may be read: for a baseline not while it hides an equal withdrawal (**EQUAL**)."""
        is_apart = self._setup.has_equal_foreign and self._setup.holds("EQUAL")
        if local.operation[0] != "drive" or not is_apart:
            return True
        return all(each.is_listed for each in upbit.of(FOREIGN))

    def _page(self, upbit: Exchange, call: Call) -> tuple[Any, ...]:
        return tuple(upbit.listed(call.arguments[1]))[: self._setup.page_size]

    def _executed(self, local: Local, journal: int, exchange: int, call: Call) -> Effect:
        """Return the effect of a call to the journal."""
        outcome = self._outcome(journal, call)
        departed = ""
        if call.name == "compare_and_swap" and outcome.error is None:
            old, new, _ = call.arguments
            departed = new.key if is_departure(old, new) else ""
        written, appended = frozenset(outcome.written), sum(map(bit_of, outcome.appended))
        if written:
            local = self._processes.stale_record(local, written, appended)
            if local.operation[0] == "drive":
                local = attrs.evolve(local, has_written=True)
        reply = outcome.result if outcome.error is None else Raised(outcome.error)
        after = self._values.number(outcome.state)
        effect = self._replied(local, reply, after, exchange, _text(call, outcome), call.name)
        return attrs.evolve(
            effect,
            written=effect.written | written,
            appended=effect.appended | appended,
            departed=effect.departed or departed,
            departed_ago=departure_age(outcome.state, local) if departed else effect.departed_ago,
        )

    def _outcome(self, journal: int, call: Call) -> Outcome:
        if call.name not in READS:
            return execute(self._journal(journal), call.name, call.arguments)
        key = journal, call.name, call.arguments
        if key not in self._read:
            self._read[key] = execute(self._journal(journal), call.name, call.arguments)
        return self._read[key]

    def _answers(self, local: Local, journal: int, upbit: Exchange) -> Iterator[Effect]:
        """Yield the answer, if there is one, and its loss."""
        request = upbit.request_of(local.options.name)
        assert request is not None
        if request.reply not in {"", DROPPED}:
            rest = self._values.number(upbit.with_requests((request, None)))
            reply, text = _answer(request, upbit)
            yield self._replied(local, reply, journal, rest, f"receives the answer: {text}", "answer")
        closed = attrs.evolve(request, sender="", is_closed=True)
        rest = self._values.number(upbit.with_requests((request, None if request.reply else closed)))
        lost = Raised(_unknown("the answer was lost", ""))
        yield self._replied(local, lost, journal, rest, "loses the answer", "answer")

    # -- replies -----------------------------------------------------------------------------------

    def _replied(
        self, local: Local, reply: Any, journal: int, exchange: int, text: str, call: str = ""
    ) -> Effect:
        """Return the effect of a reply, which lets the operation continue to its next call."""
        process, ended = self._processes.replied(local, reply)
        label = f"{local.options.name} {text}"
        if process and self._processes.starts_over(process, reply):
            return Effect(f"{label}, and starts over", journal, exchange, 0)
        if process and self._is_read_at_once(local, call, process):
            journal, process, ended = self._read_on(journal, exchange, process, call)
            call = "list"
        if ended is not None:
            return Effect(f"{label} ({_end(ended)})", journal, exchange, 0)
        if self._processes.starts_over(process, None):
            return Effect(f"{label}, and starts over", journal, exchange, 0)
        if self._is_recorded(local, call, process):
            (effect,) = self.effects(journal, exchange, process)
            return attrs.evolve(effect, label=f"{label}; {effect.label}")
        return Effect(label, journal, exchange, process)

    def _is_recorded(self, local: Local, call: str, process: int) -> bool:
        """Return whether the next call records an outcome that nobody else can know of before."""
        calls = call, self._processes.call_of(process).name
        if local.operation[0] != "drive" or calls not in _RECORDED:
            return False
        return call == "answer" or local.has_written

    def _is_read_at_once(self, local: Local, call: str, process: int) -> bool:
        after = self._processes.call_of(process).name
        return after in _READABLE and self._is_merged(local, call, after)

    def _read_on(self, journal: int, exchange: int, process: int, call: str) -> tuple[int, int, Ended | None]:
        """Return the journal and the operation after all calls that belong to the same step."""
        key = journal, exchange, process, call
        known = self._chains.get(key)
        if known is None:
            known = self._chains[key] = self._chain(journal, exchange, process, call)
        return known

    def _chain(self, journal: int, exchange: int, process: int, call: str) -> tuple[int, int, Ended | None]:
        local = self._processes.local(process)
        upbit: Exchange = self._values.value(exchange)
        before, after = call, journal

        def respond(next_one: Call) -> Any:
            nonlocal before, after
            if next_one.name not in _READABLE or not self._is_merged(local, before, next_one.name):
                return NO_REPLY
            before = next_one.name
            if before == "list":
                if not self._may_list(local, upbit):
                    return NO_REPLY
                return self._kept(self._page(upbit, next_one))
            outcome = self._outcome(after, next_one)
            after = self._values.number(outcome.state)
            return self._kept(outcome.result if outcome.error is None else Raised(outcome.error))

        process, ended = self._processes.continued(process, respond)
        return after, process, ended

    def _kept(self, reply: Any) -> Any:
        """Return the one object that stands for all equal replies."""
        return self._values.value(self._values.number(reply))

    def _is_merged(self, local: Local, before: str, after: str) -> bool:
        """Return whether a call follows another one in the same step."""
        if self._setup.reads_at_once or local.options.name == PERSON:
            return not (after == "get" and local.has_written)
        if local.operation[0] == "drive":
            return (before, after) in _MERGED
        if after == "position":
            return before != "reconcile"  # only a departure compares positions
        return (before, after) in _MERGED


def departure_age(journal: JournalState, local: Local) -> int:
    """Return the number of steps since the newest copy of an operation's payout was recorded."""
    row = journal.row(local.operation[1])
    if row is None or row.sent_request is None:
        return 0
    (_, seconds), *_ = row.sent_request.left_at.readings
    return round(-seconds / STEP)


def _answer(request: Request, upbit: Exchange) -> tuple[Any, str]:
    error: Exception
    match request.reply:
        case reply if reply == NONCE_USED:
            error = _unknown("the nonce was used", "nonce_used")
        case reply if reply == DECLINED:
            error = ValidationError("declined", status=400, name="declined")
        case reply if reply == THROTTLED:
            error = RateLimited("throttled", status=429, name="", retry_after=0.0)
        case uuid:
            return upbit.shown(uuid), uuid
    return Raised(error), request.reply


def _unknown(text: str, name: str) -> OutcomeUnknown:
    return OutcomeUnknown(text, intent=_NO_INTENT, name=name)


def _end(ended: Ended) -> str:
    if ended.error is not None:
        return f"ends with {type(ended.error).__name__}"
    result = ended.result
    return f"ends: {result.key} is {result.state}" if isinstance(result, Payout) else "ends"


def _text(call: Call, outcome: Outcome) -> str:
    """Return what a call to the journal does, as text."""
    if call.name != "compare_and_swap":
        return _TEXTS.get(call.name, f"calls {call.name} of the journal")
    new = call.arguments[1]
    if outcome.error is not None:
        return f"can't write {new.key} as {new.state} ({type(outcome.error).__name__})"
    return f"writes {new.key} as {new.state}"


_TEXTS: Final = {
    "get": "reads the payout",
    "position": "reads the journal's position and mark",
    "related": "reads what the journal knows of the list",
    "reconcile": "stores unowned withdrawals, and moves the mark",
}
