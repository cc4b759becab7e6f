"""The journal as a value. Its methods are those of the library's `MemoryJournal`, in a journal with that content.

A `MemoryJournal` numbers revisions and positions without end. Here both are relative, so that states repeat:

- the newest revision of a payout is 0, and each other one that a process still holds is `STALE`;
- a position is the set of the payouts that have changed since, as a number with one bit for each.

Histories are left out: no decision depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from internals import known_unowned, memory_table, memory_unowned, pause_of, set_changed_at

from explorer.service import EPOCH
from upbit_async.errors import PayoutBlocked
from upbit_async.models import Withdrawal
from upbit_async.payouts import ManualDecision, MemoryJournal, Payout, Related
from upbit_async.payouts.departure import DepartureConditions

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["READS", "STALE", "JournalState", "Outcome", "bit_of", "execute"]

READS: Final = frozenset({"get", "mark", "position", "recent_answered", "related", "select", "unowned"})
"""Methods that change nothing."""
STALE: Final = -2
"""Revision of a payout that has changed since."""
_PAUSED: Final = ManualDecision(note="paused")


@attrs.frozen
class JournalState:
    """Content of a journal.

    Attributes:
        rows: The payouts, in the order of their keys, without histories.
        unowned: The withdrawals that belong to no payout: id, record, and whether it is acknowledged.
        marks: Reconciliation marks by currency.
        is_paused: Whether nothing may depart.
    """

    rows: tuple[Payout, ...] = ()
    unowned: tuple[tuple[str, Withdrawal | None, bool], ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    is_paused: bool = False

    def row(self, key: str) -> Payout | None:
        """Return the payout of a key."""
        return next((row for row in self.rows if row.key == key), None)


@attrs.frozen
class Outcome:
    """Outcome of a call to the journal.

    Attributes:
        state: The content after it.
        result: What it has returned; None if it has raised.
        error: What it has raised.
        written: Keys of the payouts that were written.
        appended: Those of them whose histories became longer.
    """

    state: JournalState
    result: Any = None
    error: Exception | None = None
    written: tuple[str, ...] = ()
    appended: tuple[str, ...] = ()


def bit_of(key: str) -> int:
    """Return the bit of a payout in a position."""
    return 1 << (ord(key) - ord("a"))


def execute(state: JournalState, name: str, arguments: tuple[Any, ...]) -> Outcome:
    """Call a method of a `MemoryJournal` with a content."""
    position = 0
    if name == "compare_and_swap":
        old, new, conditions = arguments
        position = conditions.baseline_position or 0
        baseline_position = None if conditions.baseline_position is None else 0
        relative = DepartureConditions(
            baseline_position=baseline_position, amount_limits=conditions.amount_limits
        )
        arguments = (old, new, relative)
    journal = _opened(state, changed=position)
    before = dict(memory_table(journal).payouts)
    try:
        result = _completed(_started(journal, name, arguments))
    except Exception as error:  # noqa: BLE001 - the caller handles it
        return Outcome(state, error=error)
    return Outcome(state, _reply(result)) if name in READS else _outcome(before, journal, result)


def _started(journal: MemoryJournal, name: str, arguments: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
    match name:
        case "reconcile":
            currency, unowned, old_mark, new_mark = arguments
            return journal.reconcile(currency, unowned, old_mark=old_mark, new_mark=new_mark, at=EPOCH)
        case _:
            coroutine: Coroutine[Any, Any, Any] = getattr(journal, name)(*arguments)
            return coroutine


def _completed(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a journal in memory waits for nothing")


def _opened(state: JournalState, *, changed: int) -> MemoryJournal:
    """Return a journal with a content, in which some payouts have changed after position 0."""
    journal = MemoryJournal()
    table, withdrawals = memory_table(journal), memory_unowned(journal)
    for row in state.rows:
        table.store(row, ())
        set_changed_at(table, row.key, int(bool(changed & bit_of(row.key))))
    for uuid, record, is_acknowledged in state.unowned:
        if record is not None:
            withdrawals.store([record], EPOCH)
        if is_acknowledged:
            withdrawals.acknowledge(uuid, EPOCH)
    withdrawals.marks |= dict(state.marks)
    if state.is_paused:
        _completed(journal.pause(_PAUSED, EPOCH))
    return journal


def _outcome(before: dict[str, Payout], journal: MemoryJournal, result: Any) -> Outcome:
    table, withdrawals = memory_table(journal), memory_unowned(journal)
    written = tuple(key for key, row in table.payouts.items() if row is not before.get(key))
    appended = tuple(key for key in written if table.payouts[key].history)
    rows = {key: _normal(row) if key in written else before[key] for key, row in table.payouts.items()}
    unowned = (
        (uuid, record, is_acknowledged)
        for uuid, (record, is_acknowledged) in sorted(known_unowned(withdrawals).items())
    )
    state = JournalState(
        rows=tuple(rows[key] for key in sorted(rows)),
        unowned=tuple(unowned),
        marks=tuple(sorted(withdrawals.marks.items())),
        is_paused=pause_of(journal) is not None,
    )
    return Outcome(state, _reply(result), written=written, appended=appended)


def _normal(row: Payout) -> Payout:
    """Return a payout as its newest revision, without its history and without an error that no decision reads."""
    error = row.error if isinstance(row.error, PayoutBlocked) else None
    return attrs.evolve(row, history=(), revision=0, error=error)


def _reply(result: Any) -> Any:
    """Return a reply; nothing is written by a payout that is known from a query only, so its revision is `STALE`."""
    if isinstance(result, Payout):
        return _normal(result)
    if isinstance(result, Related):
        return attrs.evolve(
            result,
            payouts=[attrs.evolve(each, revision=STALE) for each in result.payouts],
            matched=[attrs.evolve(each, revision=STALE) for each in result.matched],
        )
    return result
