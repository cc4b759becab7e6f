"""The journal's SQLite file and this process's connection to it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upbit_async.errors import JournalError, raise_alone
from upbit_async.payouts.sqlite.file_checks import FileChecks, escaped
from upbit_async.payouts.sqlite.schema import check_schema, harden, prepare

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["File"]

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
_UNKNOWN: Final = "can't be used"
_A_MOMENT: Final = 0.01


class File:
    """A database file that is opened when it is needed, and used by one thread at a time.

    Its connection is closed before the process forks, and parent and child open their own: SQLite must not be carried
    across a fork.

    Args:
        path: The file; it is made if it is missing, and so are SQLite's own two beside it.
        busy_timeout: How long to wait for another process that writes, in seconds.
        group_shared: Whether the group of the files is trusted as their owner is; see `FileChecks`.
    """

    def __init__(self, path: str, busy_timeout: float, *, group_shared: bool = False) -> None:
        self.path = path
        self._rules = FileChecks(group_shared)
        # Reentrant, for a signal's handler may fork while its own thread is in a transaction.
        self.lock = threading.RLock()
        self._busy_timeout = busy_timeout
        self._open: sqlite3.Connection | None = None
        self._parts: tuple[Path, ...] = ()
        self._paths: tuple[Path, ...] = ()
        self._inspected: int | None = None
        self._opened: tuple[tuple[int, int], ...] = ()
        with _registering:
            _files.add(self)

    @contextlib.contextmanager
    def transaction(self, begin: str) -> Generator[sqlite3.Connection]:
        """Give out the connection; after the block all is on the disk where others see it, or nothing.

        Args:
            begin: The statement that begins the transaction.

        Raises:
            JournalError: The file can't be used, is no longer the one that was opened, can be changed by other
                users, or holds what this library did not put there.
        """
        with self.lock, self._told_plainly():
            connection = self._connection()
            connection.execute(begin)  # which may have to wait
            try:
                self._check_it_is_the_same()
                self._check_paths()
                self._check_schema(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back already
                    connection.execute("ROLLBACK")
                raise
            self._check_it_is_the_same()

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        with self.lock, self._told_plainly():
            self.let_go()
            self._opened = ()

    def let_go(self) -> None:
        """Close the connection; the caller holds the lock; the next one must be to the same file."""
        connection, self._open = self._open, None
        self._inspected = None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        """Close the file now: its connection is part of a cycle, and a fork might come before that is collected."""
        if self._open is not None:
            with contextlib.suppress(Exception):
                self.let_go()
            warnings.warn(f"unclosed journal {self.path}", ResourceWarning, source=self, stacklevel=2)

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            if self._opened and _which(self._parts[0]) != self._opened[0]:
                raise self._replaced()  # since a fork: it must not be created again either
            self._open = connection = self._connect()
            try:
                self._set_up(connection)
                self._check_paths()  # SQLite's own two are there now
            except BaseException:
                self.let_go()
                raise
            self._opened = self._identity()
            return connection
        return self._open

    def _connect(self) -> sqlite3.Connection:
        """Make the file if it is missing, and connect to it.

        When a process closes a file, it loses all locks that it has on it, even those of others that have it open.
        So what is there is left to SQLite, which knows of that; and what is not is made while nobody connects.
        """
        # SQLite follows links, and puts its own files beside the real one.
        real = self._rules.resolve(self.path)
        self._paths = tuple(Path(f"{real}{suffix}") for suffix in ("", "-wal", "-shm", "-journal"))
        with _connecting:
            with contextlib.suppress(FileExistsError):
                self._rules.create(real)  # SQLite gives its own files the same mode
            self._check_paths()
            connection = sqlite3.connect(
                real, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
            )
        self._parts = Path(self.path), self._paths[1]
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        harden(connection)
        prepare(connection, self.path)
        mode = self._write_ahead(connection)
        if mode != "wal":
            raise JournalError(
                f"the journal {self.path} can't be kept safe where it lies (SQLite's mode is {mode}, not wal): "
                "put it on a disk of this machine"
            )
        connection.execute("PRAGMA synchronous = FULL")
        # From its first reading in this mode until it is closed SQLite holds a lock that keeps the log in its place.
        connection.execute("PRAGMA schema_version").fetchone()

    def _write_ahead(self, connection: sqlite3.Connection) -> str:
        """Switch to the write-ahead log; SQLite itself does not wait for others who are just doing the same."""
        until = time.monotonic() + self._busy_timeout
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_A_MOMENT)

    def _check_paths(self) -> None:
        """Refuse files that other users can read or change, whether before SQLite opens them or during use."""
        for path in self._paths:
            self._rules.check(path)

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        """Refuse a schema that another program has changed, which SQLite counts; called within a transaction."""
        version: int = connection.execute("PRAGMA schema_version").fetchone()[0]
        if version != self._inspected:
            check_schema(connection, self.path)
            self._inspected = version

    def _check_it_is_the_same(self) -> None:
        """Refuse to go on when others find another file at this place, or another log.

        The latter happens when this process has lost its locks: a process that closes the file then takes itself for
        the last and removes the log, and what is written to it afterwards is lost.
        """
        if self._identity() != self._opened:
            raise self._replaced()

    def _replaced(self) -> JournalError:
        return JournalError(
            f"the journal {self.path} (or the -wal file beside it) was replaced while it was in use: stop, and "
            "find out by whom, since what was noted in the former is not in the present one"
        )

    def _identity(self) -> tuple[tuple[int, int], ...]:
        """Return which files they are, the database and its log."""
        return tuple(_which(part) for part in self._parts)

    @contextlib.contextmanager
    def _told_plainly(self) -> Generator[None]:
        """Turn the errors of SQLite and of the operating system into ours, which keep none of them."""
        try:
            yield
        except OSError as error:
            kind = "SQLITE_READONLY" if isinstance(error, PermissionError) else "SQLITE_CANTOPEN"
            words = f"{error.strerror}"
        except UnicodeDecodeError as error:  # by Python's sqlite3, about SQLite's own words
            kind, words = "SQLITE_CORRUPT", f"its schema is no text: {error.reason}"
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or type(error).__name__
            kind = next((kind for kind in _ADVICE if name.startswith(kind)), "")
            words = f"{name}: {escaped(str(error).partition(' with text ')[0])}"  # what follows is a row's
        else:
            return
        raise_alone(JournalError(f"the journal {self.path} {_ADVICE.get(kind, _UNKNOWN)} ({words})"))


def _which(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


# -- forks -----------------------------------------------------------------------------------------

_files: Final[weakref.WeakSet[File]] = weakref.WeakSet()
_registering: Final = threading.RLock()
_connecting: Final = threading.Lock()


class _Held(threading.local):
    """What the thread that forks has locked."""

    def __init__(self) -> None:
        self.locks = contextlib.ExitStack()


_held: Final = _Held()


def _before_fork() -> None:
    """Close every file, and let nobody open one until the fork is over.

    SQLite's book of the locks that this process has would be copied, but not the locks: a child would rely on what it
    has not got. And a lock of ours that another thread holds would stay locked in the child for ever.

    Only a fork takes the locks of several files, and one at a time does so: their order is all one.
    """
    _held.locks.enter_context(_registering)
    for file in list(_files):
        _held.locks.enter_context(file.lock)
        with contextlib.suppress(Exception):  # the fork comes, whatever happens here
            file.let_go()


def _after_fork() -> None:
    """Let files be opened again, in the parent as in the child."""
    _held.locks.close()


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
