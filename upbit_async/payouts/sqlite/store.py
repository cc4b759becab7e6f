"""Store of a journal in SQLite: each method of `Journal` as one transaction, synchronous, for one thread at a time.

Within a `Store.batch`, all methods share one transaction, and each can still fail alone. The rules between payouts are
checked before a write. The unique indexes of the schema state the strictest of them once more.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import JournalError
from upbit_async.payouts.departure import UNCONDITIONAL, DepartureConditions, is_departure
from upbit_async.payouts.failure_log import FailureLog
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision, given_up
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.sqlite import (
    claims,
    compaction,
    departures,
    health,
    queries,
    related,
    status,
    withdrawals,
)
from upbit_async.payouts.sqlite.file import File
from upbit_async.payouts.sqlite.rows import COLUMNS, entry_row, row_of, time_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence
    from contextlib import AbstractContextManager

    from upbit_async.models import Withdrawal
    from upbit_async.payouts.changes import PayoutChange
    from upbit_async.payouts.health import PayoutsHealth
    from upbit_async.payouts.journal import Related
    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.payout import HistoryEntry, Payout
    from upbit_async.payouts.payout_query import PayoutQuery

__all__ = ["READING", "Store"]

READING: Final = frozenset(
    {
        "changes",
        "get",
        "health",
        "mark",
        "open_keys",
        "position",
        "recent_answered",
        "related",
        "select",
        "unowned",
    }
)
"""The methods that only read."""

_INSERT: Final = (
    f"INSERT INTO payouts ({', '.join(COLUMNS)}, updated_at, position) "  # noqa: S608 - our own names
    f"VALUES ({', '.join(f':{column}' for column in COLUMNS)}, :updated_at, :position)"
)
_UPDATE: Final = (
    f"UPDATE payouts SET {', '.join(f'{column} = :{column}' for column in COLUMNS)}, "  # noqa: S608 - our own names
    "updated_at = coalesce(:updated_at, updated_at), position = coalesce(:position, position), "
    "claimed_by = CASE WHEN :is_open THEN claimed_by END WHERE number = :number"
)
_NOT_STORED: Final = -1


class Store:
    """Payouts in one database file.

    Args:
        path: Path of the file, which is created if it is missing.
        busy_timeout: Time to wait for another process that writes, in seconds.
        group_shared: Whether to trust the group of the files as well as their owner.
    """

    def __init__(self, path: str, busy_timeout: float, *, group_shared: bool = False) -> None:
        self.path = path
        self._file = File(path, busy_timeout, group_shared=group_shared)
        self._damages = FailureLog(time.monotonic)

    def bind(self, host: str, region: str) -> None:
        """Bind the file to one host and region; see `Journal.bind`."""
        with self._writing() as connection:
            binding = connection.execute("SELECT host, region FROM binding").fetchone()
            if binding is None:
                connection.execute("INSERT INTO binding VALUES (?, ?)", (host, region))
            elif tuple(binding) != (host, region):
                raise JournalError(
                    f"the journal {self.path} belongs to {binding['host']} ({binding['region']}), and this client "
                    f"talks to {host} ({region}): give each host and region its own journal"
                )

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    def batch(self, *, writes: bool) -> AbstractContextManager[sqlite3.Connection]:
        """Begin a transaction that all calls within the block share; see `File.batch`."""
        return self._file.batch("BEGIN IMMEDIATE" if writes else "BEGIN")

    # -- payouts -----------------------------------------------------------------------------------

    def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key exists; see `Journal.add`."""
        with self._writing() as connection:
            known = queries.find(connection, payout.key)
            if known is not None:
                return known
            added = payout if payout.revision != _NOT_STORED else attrs.evolve(payout, revision=0)
            _insert(connection, added)
            return added

    def get(self, key: str) -> Payout | None:
        """Return a payout; see `Journal.get`."""
        with self._reading() as connection:
            return queries.find(connection, key)

    def compare_and_swap(
        self, old: Payout, new: Payout, conditions: DepartureConditions = UNCONDITIONAL
    ) -> Payout:
        """Replace a payout by its next revision; see `Journal.compare_and_swap`."""
        changed = attrs.evolve(new, revision=old.revision + 1)
        with self._writing() as connection:
            known = connection.execute(
                "SELECT number, revision, state FROM payouts WHERE key = ?", (old.key,)
            ).fetchone()
            if known is None:
                _check_not_compacted(connection, old)
            if (_NOT_STORED if known is None else known["revision"]) != old.revision:
                raise StaleRevision
            row, number = row_of(changed), 0 if known is None else int(known["number"])
            departs = is_departure(old, changed)
            if departs:
                departures.check_pause(connection)
            _check_owner(connection, changed)
            if changed.state.is_under_way:
                departures.check_equals(connection, row, departs=departs)
            if departs:
                departures.check_conditions(connection, changed, row, number, conditions)
            if known is None:
                _insert(connection, changed)
            else:
                entries = changed.history[len(old.history) :]
                newest = _write_history(connection, changed.key, entries, PayoutState(known["state"]))
                connection.execute(_UPDATE, row | newest | {"number": number})
                if (record := given_up(old, changed)) is not None:
                    withdrawals.store(connection, [record], changed.updated_at)
            return changed

    # -- queries -----------------------------------------------------------------------------------

    def open_keys(self) -> list[str]:
        """Return the keys of all open payouts, and of abandoned ones of which a copy was recorded."""
        with self._reading() as connection:
            return queries.open_keys(connection, self._left_out)

    def select(self, query: PayoutQuery) -> Sequence[Payout]:
        """Return the payouts of a selection; see `Journal.select`."""
        with self._reading() as connection:
            return queries.select(connection, query, self._left_out)

    def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known about withdrawals; see `Journal.related`."""
        with self._reading() as connection:
            return related.related(connection, currency, uuids, self._left_out)

    def recent_answered(self) -> Sequence[Payout]:
        """Return the newest payouts that Upbit's answers named; see `Journal.recent_answered`."""
        with self._reading() as connection:
            return queries.recent_answered(connection, self._left_out)

    def position(self) -> int:
        """Return the position of the newest change; see `Journal.position`."""
        with self._reading() as connection:
            return queries.position(connection)

    def changes(self, after: int, limit: int) -> Sequence[PayoutChange]:
        """Return the changes after a position; see `Journal.changes`."""
        with self._reading() as connection:
            return queries.changes(connection, after, limit)

    def health(self) -> PayoutsHealth:
        """Return the state of all payouts; see `Journal.health`."""
        with self._reading() as connection:
            return health.health(connection)

    # -- claims ------------------------------------------------------------------------------------

    def claim(
        self,
        runner: str,
        lease: float,
        limit: int,
        states: Collection[PayoutState],
        released: Collection[str],
        now: Now,
    ) -> Sequence[Payout]:
        """Claim open payouts for a runner; see `Journal.claim`."""
        with self._writing() as connection:
            claims.renew(connection, runner, lease, now.journal, self._left_out)
            status.set_time(connection, status.RUNNER_SEEN_AT, now.utc)
            rows = claims.claim(connection, runner, limit, states, released)
            return queries.without_histories(rows, self._left_out)

    def retire(self, runner: str) -> None:
        """Release all claims of a runner; see `Journal.retire`."""
        with self._writing() as connection:
            claims.retire(connection, runner)

    # -- withdrawals -------------------------------------------------------------------------------

    def mark(self, currency: str) -> str | None:
        """Return a currency's reconciliation mark; see `Journal.mark`."""
        with self._reading() as connection:
            return withdrawals.mark(connection, currency)

    def reconcile(
        self,
        currency: str,
        unowned: Sequence[Withdrawal],
        old_mark: str | None,
        new_mark: str | None,
        at: dt.datetime,
        is_complete: bool = False,  # noqa: FBT001, FBT002 - a worker thread takes positional arguments
    ) -> None:
        """Store unowned withdrawals and move the mark; see `Journal.reconcile`."""
        with self._writing() as connection:
            withdrawals.store(connection, unowned, at)
            withdrawals.move_mark(connection, currency, old_mark, new_mark)
            if is_complete:
                status.set_time(connection, status.RECONCILED_AT, at)

    def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout; see `Journal.acknowledge`."""
        with self._writing() as connection:
            withdrawals.acknowledge(connection, uuid, currency, decision, at)

    def unowned(self) -> Sequence[Withdrawal]:
        """Return all withdrawals that belong to no payout; see `Journal.unowned`."""
        with self._reading() as connection:
            return withdrawals.unowned(connection, self._left_out)

    def unreported(self, now: dt.datetime, settling_time: float) -> Sequence[Withdrawal]:
        """Return the unowned withdrawals that were not reported yet; see `Journal.unreported`."""
        with self._writing() as connection:
            before = now - dt.timedelta(seconds=settling_time)
            return withdrawals.unreported(connection, before, self._left_out)

    # -- operation ---------------------------------------------------------------------------------

    def pause(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let nothing depart from now on; see `Journal.pause`."""
        with self._writing() as connection:
            departures.pause(connection, decision, at, is_paused=True)

    def resume(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let payouts depart again; see `Journal.resume`."""
        with self._writing() as connection:
            departures.pause(connection, decision, at, is_paused=False)

    def compact(self, before: dt.datetime, now: Now, limit: int) -> int:
        """Compact some of the final payouts, and return how many there were; see `Journal.compact`."""
        with self._writing() as connection:
            return compaction.compact(connection, before, now, limit, self._left_out)

    def _left_out(self, damage: JournalError) -> None:
        """Report a damaged row that a reader has left out."""
        self._damages.report("a damaged row is left out, the others are used", damage, level=logging.ERROR)

    # -- transactions ------------------------------------------------------------------------------

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Begin a transaction in which all reads are of one moment."""
        return self._file.transaction("BEGIN")

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Begin a transaction whose writes are all on the disk after the block, or none of them."""
        return self._file.transaction("BEGIN IMMEDIATE")


def _check_not_compacted(connection: sqlite3.Connection, old: Payout) -> None:
    """Raise if a payout is compacted.

    Raises:
        JournalError: It is, and the caller knows that.
        StaleRevision: It is, and has been since the caller read it.
    """
    found = queries.find(connection, old.key)
    if found is None:
        return
    if old.revision != found.revision:
        raise StaleRevision
    raise JournalError(f"{found} is compacted, so it can't change any more")


def _check_owner(connection: sqlite3.Connection, changed: Payout) -> None:
    """Raise if another payout has the withdrawal that a changed payout has."""
    owner = None if changed.uuid is None else withdrawals.owner_of(connection, changed.uuid)
    if owner is not None and owner != changed.key:
        raise ConflictingPayout(owner)


def _insert(connection: sqlite3.Connection, payout: Payout) -> None:
    newest = _write_history(connection, payout.key, payout.history, None)
    values = row_of(payout) | newest
    values["updated_at"] = values["updated_at"] or values["created_at"]
    values["position"] = values["position"] or 0
    connection.execute(_INSERT, values)


def _write_history(
    connection: sqlite3.Connection, key: str, entries: Sequence[HistoryEntry], previous: PayoutState | None
) -> dict[str, str | int | None]:
    """Add entries to a payout's history, and return the columns of its row that describe the newest of them."""
    newest: dict[str, str | int | None] = {"updated_at": None, "position": None}
    for entry in entries:
        cursor = connection.execute(
            "INSERT INTO history (key, previous, state, at, note, actor) VALUES (?, ?, ?, ?, ?, ?)",
            entry_row(entry, key, previous),
        )
        newest = {"updated_at": time_text(entry.at), "position": cursor.lastrowid}
        previous = entry.state
    return newest
