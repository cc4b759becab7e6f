"""Processes: the operation of each, as far as it has come, and its next call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from explorer.ages import NOW, aged, are_recent, stay_apart, times_in
from explorer.journal_state import STALE
from explorer.normal_form import holds_baseline, normal
from explorer.replay import NO_REPLY, Call, Ended, Judged, Raised, next_call
from explorer.service import EPOCH, Process, ServiceOptions
from explorer.values import Interned, rewritten
from upbit_async.errors import UpbitError
from upbit_async.payouts import DepartureConditions, HistoryEntry, Payout, SentRequest
from upbit_async.payouts.baseline import Baseline
from upbit_async.payouts.settling import SettleFirst

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["LEFT", "PERSON", "Local", "Processes"]

PERSON: Final = "P"
"""Name of the process in which people decide."""
LEFT: Final = "left"
"""Name of all senders that have no operation any more."""
_EXPECTED: Final = UpbitError, ValueError, SettleFirst
"""Exceptions by which an operation ends."""


@attrs.frozen
class Local:
    """Operation of a process, as far as it has come.

    Attributes:
        options: Options of the process.
        operation: The operation: name and arguments.
        record: Numbers of the replies that it has received.
        has_written: Whether it has recorded a copy. Otherwise a crash leaves nothing behind.
    """

    options: ServiceOptions
    operation: tuple[str, ...]
    record: tuple[int, ...] = ()
    has_written: bool = False


@attrs.frozen
class _Stale:
    """Reason to rewrite an operation: payouts were written, and the histories of some became longer."""

    written: frozenset[str]
    appended: int


class Processes:
    """Operations of processes, by their numbers.

    Args:
        values: Numbers of all values.
    """

    def __init__(self, values: Interned) -> None:
        self._values = values
        self._calls: dict[int, Call] = {}
        self._advanced: dict[Local, tuple[int, Ended | None]] = {}
        self._moved: dict[tuple[Hashable, int], int] = {}
        self._pauses: dict[int, bool] = {}
        self._times_in: dict[int, frozenset[float]] = {}
        self._services: dict[ServiceOptions, Process] = {}

    def local(self, number: int) -> Local:
        """Return an operation by its number."""
        local: Local = self._values.value(number)
        return local

    def call_of(self, number: int) -> Call:
        """Return the next call of an operation."""
        return self._calls[number]

    # -- running -----------------------------------------------------------------------------------

    def begun(self, options: ServiceOptions, operation: tuple[str, ...]) -> int:
        """Return a new operation at its first call."""
        number, ended = self._advance(Local(options, operation))
        assert ended is None
        return number

    def replied(self, local: Local, reply: Any) -> tuple[int, Ended | None]:
        """Return an operation after the reply to its call: its number, or 0 and how it has ended."""
        return self._advance(attrs.evolve(local, record=(*local.record, self._values.number(reply))))

    def continued(self, number: int, respond: Callable[[Call], Any]) -> tuple[int, Ended | None]:
        """Return an operation after further calls.

        Args:
            number: The operation.
            respond: Function that returns the reply to a call, or `NO_REPLY` for the call at which it stops.
        """

        def respond_with_time(call: Call) -> Any:
            return NOW if call.name == "now" else respond(call)

        return self._run(self.local(number), respond_with_time)

    def _advance(self, local: Local) -> tuple[int, Ended | None]:
        known = self._advanced.get(local)
        if known is None:
            known = self._advanced[local] = self._run(local, _at_once)
        return known

    def _run(self, local: Local, respond: Callable[[Call], Any]) -> tuple[int, Ended | None]:
        replies = tuple(map(self._values.value, local.record))
        found, record = next_call(lambda: self._service(local).start(*local.operation), replies, respond)
        if isinstance(found, Ended):
            if found.error is not None and not isinstance(found.error, _EXPECTED):
                raise found.error
            return 0, found
        return self._reached(local, record, found), None

    def _service(self, local: Local) -> Process:
        """Return what runs an operation. It keeps nothing in memory from one operation to the next."""
        if local.operation[0] == "reconcile":
            return Process(local.options)  # it remembers its last conclusions otherwise
        if local.options not in self._services:
            self._services[local.options] = Process(local.options)
        return self._services[local.options]

    def _reached(self, local: Local, record: tuple[Any, ...], call: Call) -> int:
        record = normal(local.operation[0], local.options.name, record)
        number = self._values.number(attrs.evolve(local, record=tuple(map(self._values.number, record))))
        self._calls.setdefault(number, call)
        return number

    def starts_over(self, number: int, reply: Any) -> bool:
        """Return whether a check has refused an operation that has written nothing, so that it begins again.

        It is in the same state then as if it had not begun.
        """
        local = self.local(number)
        if local.has_written or local.options.name == PERSON or self._waiting_since(local):
            return False
        if isinstance(reply, Raised):
            return self.call_of(number).name != "withdrawal"
        return self.call_of(number).name == "position" and any(
            holds_baseline(self._values.value(each)) for each in local.record
        )

    def is_reproducible(self, number: int) -> bool:
        """Return whether a replay of an operation leads to its next call: rewriting has changed no decision."""
        local = self.local(number)
        replies = tuple(map(self._values.value, local.record))
        found, _ = next_call(lambda: self._service(local).start(*local.operation), replies, _at_once)
        calls = (rewritten(each, _without_note) for each in (found, self.call_of(number)))
        return len(set(map(self._values.number, calls))) == 1

    # -- what others do ----------------------------------------------------------------------------

    def aged(self, number: int) -> int:
        """Return an operation one step later."""
        return self._rewritten(number, "aged", aged)

    def may_pause(self, number: int) -> bool:
        """Return whether time may pass before the next call of an operation.

        It may not if times of its record could not be distinguished any more: its decisions would not be the same.
        Before it began to wait for others, it has compared no times that it compares again.
        """
        known = self._pauses.get(number)
        if known is None:
            local = self.local(number)
            since = self._waiting_since(local)
            times = frozenset[float]().union(*map(self._times, local.record[since:]))
            known = self._pauses[number] = stay_apart(times) and (not since or are_recent(times))
        return known

    def _waiting_since(self, local: Local) -> int:
        """Return the length of an operation's record when it began to wait for other payouts; 0 if it does not.

        The payout itself, which may be read then, belongs to it.
        """
        since, key = 0, ""
        for number, each in enumerate(map(self._values.value, local.record), 1):
            if isinstance(each, Judged) and each.waits:
                since, key = number, each.key
            elif since == number - 1 > 0 and isinstance(each, Payout) and each.key == key:
                since = number
        return since

    def _times(self, reply: int) -> frozenset[float]:
        known = self._times_in.get(reply)
        if known is None:
            known = self._times_in[reply] = times_in(self._values.value(reply))
        return known

    def stale(self, number: int, written: frozenset[str], appended: int) -> int:
        """Return an operation after others have written payouts.

        Args:
            number: The operation.
            written: Keys of the payouts.
            appended: Those of them whose histories became longer, as a position.
        """
        return self._rewritten(number, _Stale(written, appended), _staleness(written, appended))

    def stale_record(self, local: Local, written: frozenset[str], appended: int) -> Local:
        """Return an operation after it has written payouts itself."""
        reason, rewrite = _Stale(written, appended), _staleness(written, appended)
        record = tuple(self._rewritten_reply(each, reason, rewrite) for each in local.record)
        return attrs.evolve(local, record=record)

    def left(self, number: int, name: str) -> int:
        """Return an operation after another process has ended its own, and so holds no lease any more."""
        return self._rewritten(number, ("left", name), left_by(name))

    def _rewritten(self, number: int, reason: Hashable, rewrite: Callable[[Any], Any]) -> int:
        """Return an operation with its record and its next call rewritten.

        This saves a replay: the rewritten record leads to the rewritten call.
        """
        known = self._moved.get((reason, number))
        if known is None:
            local = self.local(number)
            record = [self._rewritten_reply(each, reason, rewrite) for each in local.record]
            call = self._values.rewritten_value(self.call_of(number), reason, rewrite)
            known = self._reached(local, tuple(map(self._values.value, record)), call)
            self._moved[reason, number] = known
        return known

    def _rewritten_reply(self, number: int, reason: Hashable, rewrite: Callable[[Any], Any]) -> int:
        reply = self._values.value(number)
        if type(reply) is int and isinstance(reason, _Stale):
            return self._values.number(reply | reason.appended)
        return self._values.rewritten(number, reason, rewrite)


def left_by(name: str) -> Callable[[Any], Any]:
    """Return a function that rewrites the owner of leases that a process has left."""

    def rewrite(part: Any) -> Any:
        if isinstance(part, SentRequest) and part.owner.startswith(f"{name} of"):
            return attrs.evolve(part, owner=LEFT)
        return part

    return rewrite


def _without_note(part: Any) -> Any:
    """Rewrite the history, on which no decision depends: its notes name senders and are written with the time."""
    return attrs.evolve(part, at=EPOCH, note="") if isinstance(part, HistoryEntry) and part.note else part


def _staleness(written: frozenset[str], appended: int) -> Callable[[Any], Any]:
    def rewrite(part: Any) -> Any:
        match part:
            case Payout() | Judged() if part.key in written and part.revision == 0:
                return attrs.evolve(part, revision=STALE)
            case Baseline():
                return attrs.evolve(part, position=part.position | appended)
            case DepartureConditions() if part.baseline_position is not None:
                return attrs.evolve(part, baseline_position=part.baseline_position | appended)
            case _:
                return part

    return rewrite


def _at_once(call: Call) -> Any:
    return NOW if call.name == "now" else NO_REPLY
