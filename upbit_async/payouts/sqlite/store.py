"""Store of a journal in SQLite: each method of `Journal` as one transaction, synchronous, for one thread at a time.

The rules between payouts are unique indexes of the schema and one check (`_check_reviews`). A write that breaks one of
them is a `ConflictingPayout` with the key of the other payout.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.errors import JournalError, raise_alone
from upbit_async.payouts.journal import RECENT_ANSWERS, ConflictingPayout, Related, StaleRevision
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.sqlite.file import File
from upbit_async.payouts.sqlite.rows import (
    COLUMNS,
    entry_of,
    entry_row,
    payout_of,
    record_of,
    record_text,
    row_of,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from upbit_async.models import Withdrawal
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.payout import Payout

__all__ = ["Store"]


def _listed(states: Iterable[PayoutState]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


_MAY_HAVE_UNKNOWN_WITHDRAWAL: Final = _listed(
    state for state in PayoutState if state.may_have_unknown_withdrawal
)
# One query for each index: an OR over several would read the whole table.
_MAY_OWN: Final = (
    f"SELECT * FROM payouts WHERE state IN ({_MAY_HAVE_UNKNOWN_WITHDRAWAL}) AND currency = ? "  # noqa: S608 - our own words
    "UNION ALL SELECT * FROM payouts WHERE may_be_unseen AND currency = ?"
)
_OPEN: Final = (
    "SELECT number, key FROM payouts WHERE is_open "
    "UNION SELECT number, key FROM payouts WHERE may_be_unseen AND state = 'abandoned' ORDER BY number"
)
_ALIKE: Final = "currency = :currency AND net_type = :net_type AND amount = :amount"
_MOST_VARIABLES: Final = 500


def _chunks(uuids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(uuids), _MOST_VARIABLES):
        yield uuids[start : start + _MOST_VARIABLES]


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

    def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key exists; see `Journal.add`."""
        with self._writing() as connection:
            known = self._read(connection, payout.key)
            if known is not None:
                return known
            values = ", ".join(f":{column}" for column in COLUMNS)
            connection.execute(
                f"INSERT INTO payouts ({', '.join(COLUMNS)}) VALUES ({values})",  # noqa: S608 - our own names
                row_of(payout),
            )
            self._write_history(connection, payout, 0)
            return payout

    def get(self, key: str) -> Payout | None:
        """Return a payout; see `Journal.get`."""
        with self._reading() as connection:
            return self._read(connection, key)

    def compare_and_swap(self, old: Payout, new: Payout) -> Payout:
        """Replace a payout by its next revision; see `Journal.compare_and_swap`."""
        changed = attrs.evolve(new, revision=old.revision + 1)
        assignments = ", ".join(f"{column} = :{column}" for column in COLUMNS)
        statement = f"UPDATE payouts SET {assignments} WHERE key = :key AND revision = :known"  # noqa: S608 - our own names
        row = row_of(changed)
        with self._writing() as connection:
            if changed.state is PayoutState.SENDING:
                self._check_reviews(connection, row)
            try:
                changes = connection.execute(statement, row | {"known": old.revision}).rowcount
            except sqlite3.IntegrityError:
                raise_alone(ConflictingPayout(self._conflicting_key(connection, row)))
            if changes != 1:
                raise StaleRevision
            self._write_history(connection, changed, len(old.history))
            return changed

    def open_keys(self) -> list[str]:
        """Return the keys of all open payouts; see `Journal.open_keys`."""
        with self._reading() as connection:
            return [row["key"] for row in connection.execute(_OPEN).fetchall()]

    def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known about withdrawals; see `Journal.related`."""
        with self._reading() as connection:
            rows = connection.execute(_MAY_OWN, (currency, currency)).fetchall()
            acknowledged: set[str] = set()
            for chunk in _chunks(sorted(uuids)):
                marks = ", ".join("?" * len(chunk))
                rows += connection.execute(
                    f"SELECT * FROM payouts WHERE uuid COLLATE NOCASE IN ({marks})",  # noqa: S608
                    chunk,
                ).fetchall()
                known = connection.execute(
                    f"SELECT uuid FROM unowned WHERE is_acknowledged AND uuid IN ({marks})",  # noqa: S608
                    chunk,
                ).fetchall()
                acknowledged |= {row["uuid"] for row in known}
            unowned = connection.execute(
                "SELECT record FROM unowned WHERE NOT is_acknowledged AND currency = ?", (currency,)
            ).fetchall()
            return Related(
                payouts=self._payouts(rows),
                acknowledged=acknowledged,
                unowned=[record_of(row["record"]) for row in unowned],
            )

    def mark(self, currency: str) -> str | None:
        """Return a currency's reconciliation mark; see `Journal.mark`."""
        with self._reading() as connection:
            row = connection.execute("SELECT uuid FROM marks WHERE currency = ?", (currency,)).fetchone()
            return None if row is None else row["uuid"]

    def reconcile(
        self, currency: str, unowned: Sequence[Withdrawal], old_mark: str | None, new_mark: str | None
    ) -> None:
        """Store unowned withdrawals and move the mark; see `Journal.reconcile`."""
        with self._writing() as connection:
            for record in unowned:
                uuid = record.uuid.casefold()
                if self._owner_of(connection, uuid) is None:
                    connection.execute(
                        "INSERT INTO unowned (uuid, currency, is_acknowledged, record) VALUES (?, ?, 0, ?) "
                        "ON CONFLICT DO NOTHING",
                        (uuid, currency, record_text(record)),
                    )
            if new_mark is None or new_mark == old_mark:
                return
            if old_mark is None:
                connection.execute(
                    "INSERT INTO marks VALUES (?, ?) ON CONFLICT DO NOTHING", (currency, new_mark)
                )
            else:
                connection.execute(
                    "UPDATE marks SET uuid = ? WHERE currency = ? AND uuid = ?",
                    (new_mark, currency, old_mark),
                )

    def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout; see `Journal.acknowledge`."""
        with self._writing() as connection:
            if (by_key := self._owner_of(connection, uuid)) is not None:
                raise ConflictingPayout(by_key)
            connection.execute(
                "INSERT INTO unowned (uuid, currency, is_acknowledged, at, note, actor) VALUES (?, ?, 1, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET is_acknowledged = 1, at = excluded.at, note = excluded.note, "
                "actor = excluded.actor",
                (uuid, currency, at.isoformat(), decision.note, decision.actor),
            )

    def recent_answered(self) -> list[Payout]:
        """Return the newest payouts that Upbit's answers named; see `Journal.recent_answered`."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT * FROM payouts WHERE evidence = 'answer' AND uuid IS NOT NULL ORDER BY number DESC LIMIT ?",
                (RECENT_ANSWERS,),
            ).fetchall()
            return self._payouts(rows)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    # -- transactions ------------------------------------------------------------------------------

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Begin a transaction in which all reads are of one moment."""
        return self._file.transaction("BEGIN")

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Begin a transaction whose writes are all on the disk after the block, or none of them."""
        return self._file.transaction("BEGIN IMMEDIATE")

    # -- rows --------------------------------------------------------------------------------------

    def _read(self, connection: sqlite3.Connection, key: str) -> Payout | None:
        row = connection.execute("SELECT * FROM payouts WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        # All rows at once: an open cursor in an error's traceback would keep the file open.
        entries = connection.execute(
            "SELECT at, state, note, actor FROM history WHERE key = ? ORDER BY number", (key,)
        ).fetchall()
        return payout_of(row, map(entry_of, entries))

    def _payouts(self, rows: Iterable[Any]) -> list[Payout]:
        """Return each payout of the rows once, without its history."""
        return list({row["key"]: payout_of(row, ()) for row in rows}.values())

    def _write_history(self, connection: sqlite3.Connection, payout: Payout, known: int) -> None:
        rows = [entry_row(payout, number) for number in range(known, len(payout.history))]
        connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _owner_of(self, connection: sqlite3.Connection, uuid: str) -> str | None:
        found = connection.execute(
            "SELECT key FROM payouts WHERE uuid = ? COLLATE NOCASE", (uuid,)
        ).fetchone()
        return None if found is None else str(found["key"])

    def _check_reviews(self, connection: sqlite3.Connection, row: Mapping[str, Any]) -> None:
        """Raise if a payout with the same criteria needs a review that holds this one up."""
        by_key = self._another(connection, f"state = 'needs_review' AND holds_up_equals AND {_ALIKE}", row)
        if by_key is not None:
            raise ConflictingPayout(by_key)

    def _conflicting_key(self, connection: sqlite3.Connection, row: Mapping[str, Any]) -> str:
        """Return the key of the payout whose row violates a unique index together with this one."""
        for condition in ("uuid = :uuid COLLATE NOCASE", f"state IN ('sending', 'unknown') AND {_ALIKE}"):
            by_key = self._another(connection, condition, row)
            if by_key is not None:
                return by_key
        raise AssertionError("no payout conflicts")  # pragma: no cover

    def _another(self, connection: sqlite3.Connection, condition: str, row: Mapping[str, Any]) -> str | None:
        """Return the key of another payout for which a condition holds, or None."""
        statement = f"SELECT key FROM payouts WHERE {condition} AND key <> :key"  # noqa: S608 - our own words
        found = connection.execute(statement, row).fetchone()
        return None if found is None else str(found["key"])
