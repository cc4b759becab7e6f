"""Schema of a journal's file, and verification that the file has no other.

The file declares in SQLite's own fields what it is (``application_id``) and its version (``user_version``).

Its schema is not trusted. A trigger, a view or a changed column could turn a payout into another than the one that was
written. So the schema must be, word for word, what the migrations of its version make of an empty database.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from upbit_async.errors import JournalError
from upbit_async.payouts.sqlite.file_checks import escaped
from upbit_async.payouts.sqlite.migrations import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["check_schema", "harden", "prepare"]

_Schema: TypeAlias = "frozenset[tuple[object, ...]]"
"""Type, name, table and SQL text of each object in a database, and how often it occurs."""

_APPLICATION: Final = 0x55504A31
_LONGEST_VALUE: Final = 16 * 2**20
_MOST_NAMED: Final = 3
_INTERNAL: Final[_Schema] = frozenset(
    [
        ("table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)", 1),
        (
            "table",
            "sqlite_stat4",
            "sqlite_stat4",
            "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
            1,
        ),
        ("table", "sqlite_sequence", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)", 1),
    ]
)
"""SQLite's internal tables: statistics that ANALYZE writes, and one that can't be dropped."""


def harden(connection: sqlite3.Connection) -> None:
    """Disable what a foreign schema could use: no trigger runs and no view is read, since a journal has neither."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)


def prepare(connection: sqlite3.Connection, path: str, *, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Check that a file is a journal of the newest version; an empty file becomes one.

    Raises:
        JournalError: It is something else, or newer than this library, or damaged, or another program has changed
            its schema.
    """
    if 0 <= _version(connection) < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _migrate(connection, path, migrations)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    check_schema(connection, path, migrations=migrations)
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise JournalError(
            f"the journal {path} is damaged ({escaped(problem)}): stop, copy it with its -wal file, and settle the "
            "open payouts by hand; do not pay from a restored backup, which lacks what was paid since"
        )


def check_schema(
    connection: sqlite3.Connection, path: str, *, migrations: Sequence[str] = MIGRATIONS
) -> None:
    """Check that a file is a journal of the newest version, and holds nothing else.

    Raises:
        JournalError: It is something else, or newer than this library, or another program has changed its schema.
    """
    _check_application(connection, path)
    version = _version(connection)
    if version > len(migrations):
        raise JournalError(
            f"the journal {path} was written by a newer version of upbit_async (format {version}, this version reads "
            f"{len(migrations)}): update upbit_async"
        )
    if version < len(migrations):
        raise _changed(path, f"its format is {version} and was {len(migrations)}")
    _check_schema_is_ours(connection, path, migrations)


def _migrate(connection: sqlite3.Connection, path: str, migrations: Sequence[str]) -> None:
    version = _version(connection)
    if _schema(connection):
        _check_application(connection, path)
    _check_schema_is_ours(connection, path, migrations[:version])
    _apply(connection, migrations[version:])
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {max(version, len(migrations))}")


def _apply(connection: sqlite3.Connection, steps: Iterable[str]) -> None:
    for step in steps:
        for statement in filter(str.strip, step.split(";\n")):
            connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _check_application(connection: sqlite3.Connection, path: str) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise JournalError(f"the file {path} is a database, but no journal of payouts: give another path")


def _check_schema_is_ours(connection: sqlite3.Connection, path: str, migrations: Sequence[str]) -> None:
    found, ours = _schema(connection), _schema_of(tuple(migrations))
    if found - _INTERNAL == ours - _INTERNAL:
        return
    names = {_named(each) for each in found ^ ours if each not in _INTERNAL}
    tables_first = sorted(names, key=lambda name: (not name.startswith("table"), name))
    problems = [f"{name} is {_difference(name, found, ours)}" for name in tables_first]
    more = f" and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
    raise _changed(path, f"{', '.join(problems[:_MOST_NAMED])}{more}")


def _changed(path: str, problem: str) -> JournalError:
    return JournalError(
        f"another program has changed the schema of the journal {path} ({problem}), so its payouts can't be trusted: "
        "stop, copy it with its -wal file, and find out who changed it and which payouts; anyone who can change the "
        "schema can change what is paid"
    )


def _difference(name: str, found: _Schema, ours: _Schema) -> str:
    if name not in {_named(each) for each in ours}:
        return "not this library's"
    return "changed" if name in {_named(each) for each in found} else "missing"


def _named(each: tuple[object, ...]) -> str:
    """Return the kind and name of an object of a schema. The name may be any text, so it is escaped."""
    kind, name, *_ = each
    return f"{kind} {name!r}" if kind in {"table", "index", "trigger", "view"} else f"{kind!r} {name!r}"


def _schema(connection: sqlite3.Connection) -> _Schema:
    rows: list[Iterable[object]] = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema"
    ).fetchall()
    return frozenset((*row, times) for row, times in Counter(map(tuple, rows)).items())


@functools.cache
def _schema_of(migrations: tuple[str, ...]) -> _Schema:
    """Return the schema that these migrations make of an empty database."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _apply(connection, migrations)
        return _schema(connection)
