"""What a journal's file looks like, and whether a file is one.

The file says in SQLite's own places what it is (``application_id``) and in which version (``user_version``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.errors import JournalError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["MIGRATIONS", "prepare"]

_APPLICATION: Final = 0x55504A31

MIGRATIONS: Final[Sequence[str]] = (
    """
    CREATE TABLE place (host TEXT NOT NULL, region TEXT NOT NULL);

    CREATE TABLE payouts (
        number INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        state TEXT NOT NULL,
        currency TEXT NOT NULL,
        net_type TEXT NOT NULL,
        amount TEXT NOT NULL,
        intent TEXT NOT NULL,
        uuid TEXT,
        evidence TEXT,
        record TEXT,
        error TEXT,
        departure TEXT
    );
    -- Of payouts of one amount, currency and network, one at a time may have a withdrawal that nobody knows by its id.
    CREATE UNIQUE INDEX one_unsettled ON payouts (currency, net_type, amount)
        WHERE state IN ('sending', 'unknown');
    CREATE UNIQUE INDEX one_owner ON payouts (uuid COLLATE NOCASE);
    CREATE INDEX by_state ON payouts (state, currency);
    CREATE INDEX told_by_answers ON payouts (number) WHERE evidence = 'answer' AND uuid IS NOT NULL;

    CREATE TABLE history (
        key TEXT NOT NULL,
        number INTEGER NOT NULL,
        at TEXT NOT NULL,
        state TEXT NOT NULL,
        note TEXT NOT NULL,
        PRIMARY KEY (key, number)
    ) WITHOUT ROWID;
    """,
)
"""The steps from an empty file to the newest version, of which each is taken once. They are never changed."""


def prepare(connection: sqlite3.Connection, path: str, *, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Make sure that a file is a journal of the newest version; an empty file becomes one.

    Raises:
        JournalError: It is something else, or newer than this library, or damaged.
    """
    if connection.execute("PRAGMA user_version").fetchone()[0] < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _migrate(connection, path, migrations)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    _inspect(connection, path, len(migrations))


def _migrate(connection: sqlite3.Connection, path: str, migrations: Sequence[str]) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        _check_application(connection, path)
    for step in migrations[version:]:
        for statement in filter(str.strip, step.split(";\n")):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {max(version, len(migrations))}")


def _inspect(connection: sqlite3.Connection, path: str, newest: int) -> None:
    _check_application(connection, path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest:
        raise JournalError(
            f"the journal {path} was written by a newer version of upbit_async (format {version}, this one knows "
            f"{newest}): update"
        )
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise JournalError(
            f"the journal {path} is damaged ({problem}): take a copy of it and its -wal file aside, and settle what "
            "is open by hand; do not pay from a restored backup, which has forgotten what was paid since"
        )


def _check_application(connection: sqlite3.Connection, path: str) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise JournalError(f"{path} is a database, but no journal of payouts: give another path")
