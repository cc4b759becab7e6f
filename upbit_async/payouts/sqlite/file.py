"""The journal's SQLite file: this process's connection to it, transactions, and forks."""

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
    "SQLITE_BUSY": "is locked by another program: find it, and end its transaction",
    "SQLITE_LOCKED": "is locked by another program: find it, and end its transaction",
    "SQLITE_READONLY": "can't be written to: check its permissions, and those of its folder",
    "SQLITE_FULL": "can't grow, because the disk is full: make room",
    "SQLITE_IOERR": "can't be written: the disk is full or fails",
    "SQLITE_CORRUPT": "is damaged: stop, copy it with its -wal file, and settle the open payouts by hand",
    "SQLITE_NOTADB": "is no database: give another path",
    "SQLITE_CANTOPEN": "can't be opened: check that its folder exists, and that this program may write there",
}
_UNKNOWN: Final = "can't be used"
_WAL_POLL: Final = 0.01
_LOCK_POLL: Final = 0.001


class File:
    """Database file that is opened when it is needed, and used by one thread at a time.

    Its connection is closed before the process forks, and parent and child open their own: a SQLite connection must
    not be used across a fork.

    Args:
        path: Path of the file, which is created if it is missing, as are SQLite's two files next to it.
        busy_timeout: Time to wait for another process that writes, in seconds.
        group_shared: Whether to trust the group of the files as well as their owner; see `FileChecks`.
    """

    def __init__(self, path: str, busy_timeout: float, *, group_shared: bool = False) -> None:
        self.path = path
        self._rules = FileChecks(group_shared)
        # Reentrant, because a signal handler may fork while its own thread is in a transaction.
        self.lock = threading.RLock()
        self._busy_timeout = busy_timeout
        self._open: sqlite3.Connection | None = None
        self._batch: sqlite3.Connection | None = None
        self._parts: tuple[Path, ...] = ()
        self._paths: tuple[Path, ...] = ()
        self._checked_schema: int | None = None
        self._expected: tuple[tuple[int, int], ...] = ()
        with _registering:
            _files.add(self)

    @contextlib.contextmanager
    def transaction(self, begin: str) -> Generator[sqlite3.Connection]:
        """Run a block in a transaction. When the block has ended, all of its writes are on the disk.

        If this raises, all of them may have been written, or none: the identity of the file is checked once more after
        the commit. Within a `batch`, the transaction is a part of it, and on the disk when the batch has ended.

        Args:
            begin: Statement that begins the transaction.

        Raises:
            JournalError: The file can't be used, is no longer the one that was opened, can be changed by other
                users, or contains what this library did not write.
        """
        with self.lock, self._translated_errors():
            if self._batch is not None:
                with _savepoint(self._batch):
                    yield self._batch
                return
            connection = self._connection()
            self._begin(connection, begin)
            try:
                self._check_identity()
                self._check_paths()
                self._check_schema(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(
                    sqlite3.Error
                ):  # after a full disk SQLite has rolled it back already
                    connection.execute("ROLLBACK")
                raise
            self._check_identity()

    @contextlib.contextmanager
    def batch(self, begin: str) -> Generator[sqlite3.Connection]:
        """Run a block in one transaction, of which each `transaction` in the block is a part.

        A part that fails is undone alone. If SQLite has undone the whole transaction with it, as it may on a full
        disk, `sqlite3.Connection.in_transaction` is False, and the block must raise.

        Args:
            begin: Statement that begins the transaction.

        Raises:
            JournalError: As `transaction`; then nothing of the batch is known to be written.
        """
        with self.transaction(begin) as connection:
            self._batch = connection
            try:
                yield connection
            finally:
                self._batch = None

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        with self.lock, self._translated_errors():
            self.disconnect()
            self._expected = ()

    def disconnect(self) -> None:
        """Close the connection; the next one must be to the same file. The caller holds the lock."""
        connection, self._open = self._open, None
        self._checked_schema = None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        """Close the file now: its connection is in a reference cycle, and a fork might come before its collection."""
        if self._open is not None:
            with contextlib.suppress(Exception):
                self.disconnect()
            warnings.warn(f"unclosed journal {self.path}", ResourceWarning, source=self, stacklevel=2)

    def _begin(self, connection: sqlite3.Connection, begin: str) -> None:
        """Begin a transaction, which may have to wait for another process.

        SQLite itself would ask for the lock at ever longer intervals, up to 0.1 s, and hardly ever get it from a
        process that writes all the time.
        """
        until = time.monotonic() + self._busy_timeout
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    connection.execute(begin)
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                        raise
                else:
                    return
                time.sleep(_LOCK_POLL)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout * 1000)}")

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            if self._expected and _file_id(self._parts[0]) != self._expected[0]:
                raise self._replaced()  # by another program, since this process forked
            self._open = connection = self._connect()
            try:
                self._set_up(connection)
                self._check_paths()  # SQLite's two files exist now
            except BaseException:
                self.disconnect()
                raise
            self._expected = self._identity()
            return connection
        return self._open

    def _connect(self) -> sqlite3.Connection:
        """Create the file if it is missing, and connect to it.

        When a process closes a file, it loses all of its locks on that file, also those of its other connections. So
        only SQLite, which accounts for that, opens a file that exists. A missing file is created while no thread
        connects.
        """
        # SQLite follows links, and creates its other files next to the real one.
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
                f"the journal {self.path} can't be kept safe there (SQLite's journal mode is {mode}, not wal): move it "
                "to a local disk"
            )
        connection.execute("PRAGMA synchronous = FULL")
        # From the first read in this mode until it closes, SQLite holds a lock that keeps the log from being removed.
        connection.execute("PRAGMA schema_version").fetchone()

    def _write_ahead(self, connection: sqlite3.Connection) -> str:
        """Switch to the write-ahead log. SQLite itself does not wait for a process that is doing the same."""
        until = time.monotonic() + self._busy_timeout
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_WAL_POLL)

    def _check_paths(self) -> None:
        """Raise if other users can read or change a file; called before SQLite opens it, and during use."""
        for path in self._paths:
            self._rules.check(path)

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        """Raise if another program has changed the schema, whose version SQLite counts; within a transaction."""
        version: int = connection.execute("PRAGMA schema_version").fetchone()[0]
        if version != self._checked_schema:
            check_schema(connection, self.path)
            self._checked_schema = version

    def _check_identity(self) -> None:
        """Raise if the path leads to another file than the one that is open, or to another log.

        The log is replaced when this process has lost its locks. Another process that closes the file then considers
        itself the last user and removes the log, and what this process writes to the removed log is lost.
        """
        if self._identity() != self._expected:
            raise self._replaced()

    def _replaced(self) -> JournalError:
        return JournalError(
            f"the journal {self.path} (or its -wal file) was replaced while it was in use: stop, and find out by which "
            "program; what was recorded in the former file is missing from the present one"
        )

    def _identity(self) -> tuple[tuple[int, int], ...]:
        """Return device and inode of the database and its log."""
        return tuple(_file_id(part) for part in self._parts)

    @contextlib.contextmanager
    def _translated_errors(self) -> Generator[None]:
        """Raise a `JournalError` in place of an error of SQLite or the operating system, without keeping it."""
        try:
            yield
        except OSError as error:
            kind = "SQLITE_READONLY" if isinstance(error, PermissionError) else "SQLITE_CANTOPEN"
            detail = f"{error.strerror}"
        except UnicodeDecodeError as error:  # by Python's sqlite3, about SQLite's message
            kind, detail = "SQLITE_CORRUPT", f"its schema is no text: {error.reason}"
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or type(error).__name__
            kind = next((kind for kind in _ADVICE if name.startswith(kind)), "")
            detail = (
                f"{name}: {escaped(str(error).partition(' with text ')[0])}"  # the rest is a row's content
            )
        else:
            return
        raise_alone(JournalError(f"the journal {self.path} {_ADVICE.get(kind, _UNKNOWN)} ({detail})"))


@contextlib.contextmanager
def _savepoint(connection: sqlite3.Connection) -> Generator[None]:
    """Run a block whose writes are undone if it raises."""
    connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        raise
    connection.execute("RELEASE part")


def _file_id(path: Path) -> tuple[int, int]:
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
    """Locks that the forking thread holds."""

    def __init__(self) -> None:
        self.locks = contextlib.ExitStack()


_held: Final = _Held()


def _before_fork() -> None:
    """Close every file, and keep every thread from opening one until the fork is over.

    A fork copies SQLite's record of this process's file locks, but not the locks, so a child would rely on locks that
    it does not have. And a lock of this module that another thread holds would stay locked in the child for ever.

    Only a fork takes the locks of several files, and only one fork at a time, so their order does not matter.
    """
    _held.locks.enter_context(_registering)
    for file in list(_files):
        _held.locks.enter_context(file.lock)
        with contextlib.suppress(Exception):  # nothing that happens here can stop the fork
            file.disconnect()


def _after_fork() -> None:
    """Release the locks, in the parent and in the child, so that files can be opened again."""
    _held.locks.close()


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
