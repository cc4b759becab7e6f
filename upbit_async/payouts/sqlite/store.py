"""The journal's database, called from one thread at a time. Whatever it commits is on the disk."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.errors import JournalError
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.sqlite.rows import COLUMNS, payout_of, row_of, step_of, step_row
from upbit_async.payouts.sqlite.schema import prepare

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping

    from upbit_async.payouts.payout import Payout

__all__ = ["Store"]

_ADVICE: Final = {
    "SQLITE_BUSY": "is locked by another program; who holds it?",
    "SQLITE_LOCKED": "is locked by another program; who holds it?",
    "SQLITE_READONLY": "can't be written to: check its permissions, and those of its folder",
    "SQLITE_FULL": "can't grow, because the disk is full: make room",
    "SQLITE_IOERR": "can't be written: the disk is full or fails",
    "SQLITE_CORRUPT": "is damaged: take a copy aside, and settle what is open by hand",
    "SQLITE_NOTADB": "is no database: give another path",
    "SQLITE_CANTOPEN": "can't be opened: does its folder exist, and may this program write there?",
}


def _listed(states: Iterable[PayoutState]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


_OPEN: Final = _listed(state for state in PayoutState if not state.is_final)
_LOOKED_FOR: Final = _listed(
    state for state in PayoutState if state.is_unsettled or state is PayoutState.NOT_SENT
)
_ALIKE: Final = "currency = :currency AND net_type = :net_type AND amount = :amount"
_ANSWERS_KEPT: Final = 20
_A_MOMENT: Final = 0.01
_MOST_VARIABLES: Final = 500


_parents: Final[list[sqlite3.Connection]] = []


class Store:
    """One database file.

    Args:
        path: The file; it is made if it is missing, and so are SQLite's own two beside it.
        patience: How long to wait for another process that writes, in seconds.
    """

    def __init__(self, path: str, patience: float) -> None:
        self.path = path
        self._patience = patience
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] = (0, 0, 0)

    def bind(self, host: str, region: str) -> None:
        """Belong to one host and region; see `Journal.bind`."""
        with self._writing() as connection:
            place = connection.execute("SELECT host, region FROM place").fetchone()
            if place is None:
                connection.execute("INSERT INTO place VALUES (?, ?)", (host, region))
            elif tuple(place) != (host, region):
                raise JournalError(
                    f"the journal {self.path} belongs to {place['host']} ({place['region']}), and this client talks "
                    f"to {host} ({region}): give each host a journal of its own"
                )

    def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key is taken; see `Journal.add`."""
        with self._writing() as connection:
            known = self._read(connection, payout.key)
            if known is not None:
                return known
            places = ", ".join(f":{column}" for column in COLUMNS)
            connection.execute(
                f"INSERT INTO payouts ({', '.join(COLUMNS)}) VALUES ({places})",  # noqa: S608 - our own names
                row_of(payout),
            )
            self._write_history(connection, payout, 0)
            return payout

    def get(self, key: str) -> Payout | None:
        """Return a payout; see `Journal.get`."""
        with self._reading() as connection:
            return self._read(connection, key)

    def swap(self, old: Payout, new: Payout) -> Payout:
        """Put a payout in another's place; see `Journal.swap`."""
        changed = attrs.evolve(new, revision=old.revision + 1)
        assignments = ", ".join(f"{column} = :{column}" for column in COLUMNS)
        statement = f"UPDATE payouts SET {assignments} WHERE key = :key AND revision = :known"  # noqa: S608 - likewise
        row = row_of(changed)
        with self._writing() as connection:
            if changed.state is PayoutState.SENDING:
                self._check_persons(connection, row)
            try:
                done = connection.execute(statement, row | {"known": old.revision})
            except sqlite3.IntegrityError:
                raise Taken(self._who_stands_in_the_way(connection, row)) from None
            if done.rowcount != 1:
                raise Outdated
            self._write_history(connection, changed, len(old.history))
            return changed

    def open_keys(self) -> list[str]:
        """Return the keys of what is not final; see `Journal.open_keys`."""
        with self._reading() as connection:
            rows = connection.execute(f"SELECT key FROM payouts WHERE state IN ({_OPEN}) ORDER BY number")  # noqa: S608
            return [row["key"] for row in rows]

    def beside(self, payout: Payout, uuids: Collection[str]) -> list[Payout]:
        """Return what may explain withdrawals; see `Journal.beside`."""
        wanted = sorted(uuids)
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM payouts WHERE state IN ({_LOOKED_FOR}) AND currency = ? AND key <> ?",  # noqa: S608
                (payout.intent.currency, payout.key),
            ).fetchall()
            for start in range(0, len(wanted), _MOST_VARIABLES):
                part = wanted[start : start + _MOST_VARIABLES]
                marks = ", ".join("?" * len(part))
                rows += connection.execute(
                    f"SELECT * FROM payouts WHERE uuid COLLATE NOCASE IN ({marks}) AND key <> ?",  # noqa: S608
                    (*part, payout.key),
                )
            return self._payouts(rows)

    def examples(self) -> list[Payout]:
        """Return the newest that were told by answers; see `Journal.examples`."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT * FROM payouts WHERE evidence = 'answer' AND uuid IS NOT NULL ORDER BY number DESC LIMIT ?",
                (_ANSWERS_KEPT,),
            )
            return self._payouts(rows)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock, self._told_plainly():
            if self._open is not None:
                connection, self._open = self._open, None
                connection.close()

    # -- rows --------------------------------------------------------------------------------------

    def _read(self, connection: sqlite3.Connection, key: str) -> Payout | None:
        row = connection.execute("SELECT * FROM payouts WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        steps = connection.execute(
            "SELECT at, state, note FROM history WHERE key = ? ORDER BY number", (key,)
        )
        return payout_of(row, map(step_of, steps))

    def _payouts(self, rows: Iterable[Any]) -> list[Payout]:
        """Read payouts without their history, each once."""
        return list({row["key"]: payout_of(row, ()) for row in rows}.values())

    def _write_history(self, connection: sqlite3.Connection, payout: Payout, known: int) -> None:
        rows = [step_row(payout, number) for number in range(known, len(payout.history))]
        connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?)", rows)

    def _check_persons(self, connection: sqlite3.Connection, row: Mapping[str, Any]) -> None:
        """Let nothing leave whose like needs a person."""
        by_key = self._another(connection, f"state = 'needs_person' AND {_ALIKE}", row)
        if by_key is not None:
            raise Taken(by_key)

    def _who_stands_in_the_way(self, connection: sqlite3.Connection, row: Mapping[str, Any]) -> str:
        for reason in ("uuid = :uuid COLLATE NOCASE", f"state IN ('sending', 'unknown') AND {_ALIKE}"):
            by_key = self._another(connection, reason, row)
            if by_key is not None:
                return by_key
        raise AssertionError("nobody stands in the way")  # pragma: no cover

    def _another(self, connection: sqlite3.Connection, reason: str, row: Mapping[str, Any]) -> str | None:
        """Return the key of another payout that a condition holds for, if there is one."""
        statement = f"SELECT key FROM payouts WHERE {reason} AND key <> :key"  # noqa: S608 - our own words
        found = connection.execute(statement, row).fetchone()
        return None if found is None else str(found["key"])

    # -- the file ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        """Give out the connection; all that is read within the block is of one moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """Give out the connection; all that is written within the block is on the disk after it, or nothing."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Generator[sqlite3.Connection]:
        with self._lock, self._told_plainly():
            connection = self._connection()
            if self._identity() != self._opened:
                raise JournalError(
                    f"the journal {self.path} was replaced while it was in use: stop, and find out by whom, since what "
                    "was noted in the former is not in the present one"
                )
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back already
                    connection.execute("ROLLBACK")
                raise

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and self._opened[0] != os.getpid():
            _parents.append(self._open)  # it is our parent's, and must be neither used nor closed here
            self._open = None
        if self._open is None:
            # It holds addresses, so it is for its owner's eyes; SQLite gives its two files the same permissions.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(
                self.path, timeout=self._patience, isolation_level=None, check_same_thread=False
            )
            try:
                self._set_up(connection)
            except BaseException:
                connection.close()
                raise
            self._open, self._opened = connection, self._identity()
        return self._open

    def _identity(self) -> tuple[int, int, int]:
        """Return which file it is, and in which process."""
        try:
            found = Path(self.path).stat()
        except OSError:
            return os.getpid(), 0, 0
        return os.getpid(), found.st_dev, found.st_ino

    def _set_up(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        prepare(connection, self.path)
        mode = self._write_ahead(connection)
        if mode != "wal":
            raise JournalError(
                f"the journal {self.path} can't be kept safe where it lies (SQLite's mode is {mode}, not wal): "
                "put it on a disk of this machine"
            )
        connection.execute("PRAGMA synchronous = FULL")

    def _write_ahead(self, connection: sqlite3.Connection) -> str:
        """Switch to the write-ahead log; SQLite itself does not wait for others who are just doing the same."""
        until = time.monotonic() + self._patience
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_A_MOMENT)

    @contextlib.contextmanager
    def _told_plainly(self) -> Generator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except OSError as error:
            kind = "SQLITE_READONLY" if isinstance(error, PermissionError) else "SQLITE_CANTOPEN"
            raise JournalError(f"the journal {self.path} {_ADVICE[kind]} ({error.strerror})") from error
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or ""
            kind = next((kind for kind in _ADVICE if name.startswith(kind)), "")
            advice = _ADVICE.get(kind, "can't be used")
            raise JournalError(f"the journal {self.path} {advice} ({error})") from error
