"""The schema of a journal's file: only the library's own is accepted, and no trigger runs."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from internals import reading, writing
from payout_samples import INTENT, PLANNED

from upbit_async import errors
from upbit_async.payouts import transitions
from upbit_async.payouts.sqlite import schema
from upbit_async.payouts.sqlite.migrations import MIGRATIONS
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upbit_async.payouts import Payout

TRIGGER = "CREATE TRIGGER evil AFTER INSERT ON payouts BEGIN UPDATE payouts SET amount = '99' WHERE key = new.key; END"
FOREIGN = {
    TRIGGER: "trigger 'evil' is not this library's",
    "CREATE TRIGGER evil BEFORE UPDATE ON payouts BEGIN SELECT 1; END": "trigger 'evil'",
    "CREATE TRIGGER evil AFTER DELETE ON history BEGIN SELECT 1; END": "trigger 'evil'",
    "CREATE VIEW mine AS SELECT * FROM payouts": "view 'mine' is not this library's",
    "CREATE TRIGGER evil AFTER INSERT ON sqlite_stat1 BEGIN SELECT 1; END": "",  # SQLite refuses it itself
    "CREATE TABLE mine (x)": "table 'mine' is not this library's",
    "CREATE TABLE mine (x PRIMARY KEY) WITHOUT ROWID": "table 'mine'",
    "CREATE VIRTUAL TABLE mine USING fts4(x)": "table 'mine",
    "CREATE INDEX mine ON payouts (lower(key))": "index 'mine' is not this library's",
    "CREATE UNIQUE INDEX mine ON payouts (currency)": "index 'mine'",
    "DROP INDEX one_owner": "index 'one_owner' is missing",
    "DROP INDEX one_unsettled": "index 'one_unsettled' is missing",
    "DROP TABLE history": "table 'history' is missing",
    "ALTER TABLE payouts ADD COLUMN mine TEXT": "table 'payouts' is changed",
    "ALTER TABLE payouts ADD COLUMN mine TEXT AS (key || 'x')": "table 'payouts' is changed",
    "ALTER TABLE payouts RENAME COLUMN uuid TO id": "table 'payouts' is changed",
    "ALTER TABLE history RENAME TO past": "table 'past' is not this library's",
}
BY_HAND = {
    "UPDATE sqlite_schema SET sql = replace(sql, 'amount TEXT NOT NULL', 'amount TEXT NOT NULL CHECK (1)') "
    "WHERE name = 'payouts'": "table 'payouts' is changed",
    "UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE INDEX', 'INDEX') WHERE name = 'one_unsettled'": (
        "index 'one_unsettled' is changed"
    ),
    "UPDATE sqlite_schema SET sql = replace(sql, 'COLLATE NOCASE', '') WHERE name = 'one_owner'": (
        "index 'one_owner' is changed"
    ),
    "UPDATE sqlite_schema SET sql = replace(sql, '''sending''', '''never''') WHERE name = 'one_unsettled'": (
        "index 'one_unsettled' is changed"
    ),
    "INSERT INTO sqlite_schema VALUES ('trigger', 'evil', 'payouts', 0, "
    "'CREATE TRIGGER evil AFTER INSERT ON payouts BEGIN SELECT 1; END')": "trigger 'evil'",
    "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema WHERE name = 'sqlite_autoindex_payouts_1'": (
        "index 'sqlite_autoindex_payouts_1'"
    ),
}


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(str(path), 0.2)
    store.bind("h", "sg")
    store.add(PLANNED)
    yield store
    with contextlib.suppress(errors.JournalError):
        store.close()


def planned(key: str) -> Payout:
    return transitions.planned(key, INTENT)


def change(path: Path, *statements: str) -> None:
    """Change the file as another program could."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA legacy_alter_table = ON")
            try:
                connection.execute(statement).fetchall()
            except sqlite3.OperationalError as error:
                if "may not be modified" in str(error):
                    pytest.skip("this build of SQLite lets nobody edit a schema")
                raise


def change_version(path: Path) -> None:
    """Change SQLite's schema version in the file's header, as another program would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA schema_version = 4711")


def refused(path: Path) -> str:
    store = Store(str(path), 0.2)
    with pytest.raises(errors.JournalError) as caught:
        store.get("k")
    store.close()
    return str(caught.value)


def rows(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT key, amount FROM payouts ORDER BY key").fetchall()


@pytest.mark.parametrize(("statement", "words"), [each for each in FOREIGN.items() if each[1]])
def test_changed_schema_is_refused_when_opening(store: Store, path: Path, statement: str, words: str) -> None:
    store.close()
    change(path, statement)
    text = refused(path)
    assert words in text
    assert f"another program has changed the schema of the journal {path}" in text


@pytest.mark.parametrize(("statement", "words"), [each for each in FOREIGN.items() if each[1]])
def test_schema_changed_during_use_is_an_error(store: Store, path: Path, statement: str, words: str) -> None:
    change(path, statement)
    for _ in range(2):
        with pytest.raises(errors.JournalError, match=words):
            store.add(planned("another"))
        with pytest.raises(errors.JournalError, match=words):
            store.get("k")
    assert rows(path) == [("k", "13")]


def test_dropped_trigger_is_accepted_again(store: Store, path: Path) -> None:
    change(path, TRIGGER)
    with pytest.raises(errors.JournalError, match="trigger 'evil'"):
        store.add(planned("another"))
    change(path, "DROP TRIGGER evil")
    store.add(planned("another"))
    assert rows(path) == [("another", "13"), ("k", "13")]


@pytest.mark.parametrize(("statement", "words"), BY_HAND.items())
def test_schema_edited_by_hand_is_refused(store: Store, path: Path, statement: str, words: str) -> None:
    store.close()
    change(path, "PRAGMA writable_schema = ON", statement)
    text = refused(path)
    assert words in text or "is damaged" in text, text


def test_trigger_hidden_from_the_schema_version_does_not_run(store: Store, path: Path) -> None:
    with reading(store) as connection:
        version = connection.execute("PRAGMA schema_version").fetchone()[0]
    change(path, TRIGGER, f"PRAGMA schema_version = {version}")
    store.add(planned("another"))
    assert rows(path) == [("another", "13"), ("k", "13")]
    store.close()
    with pytest.raises(errors.JournalError, match="trigger 'evil'"):
        store.get("k")


def test_no_trigger_runs_on_the_journals_connection(store: Store) -> None:
    def insert() -> None:
        with writing(store) as connection:
            connection.execute("CREATE TEMP TRIGGER late AFTER UPDATE ON payouts BEGIN SELECT 1; END")
            connection.execute("UPDATE payouts SET amount = '14'")
            if sys.version_info >= (3, 12):
                raise errors.JournalError("it did not run at all: too many levels of trigger recursion")

    with pytest.raises(errors.JournalError, match="too many levels of trigger recursion"):
        insert()
    kept = store.get("k")
    assert kept is not None
    assert kept.criteria.amount == 13


def test_trigger_does_not_run_during_a_migration(store: Store, path: Path) -> None:
    store.close()
    change(path, TRIGGER)
    steps = [*MIGRATIONS, "INSERT INTO binding VALUES ('h', 'id')"]
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
        pytest.raises(errors.JournalError, match="trigger 'evil'"),
    ):
        schema.prepare(connection, str(path), migrations=steps)
    change(path, "DROP TRIGGER evil", "PRAGMA user_version = 0")
    assert "is not this library's" in refused(path)


def test_format_that_was_set_back_is_an_error(store: Store, path: Path) -> None:
    change(path, "PRAGMA user_version = -1", "CREATE TABLE t (x)", "DROP TABLE t")
    with pytest.raises(errors.JournalError, match="its format is -1 and was 2"):
        store.get("k")
    store.close()
    assert "its format is -1 and was 2" in refused(path)


@pytest.mark.parametrize(
    "statements",
    [
        ("ANALYZE",),
        ("PRAGMA optimize(0x10002)",),
        ("VACUUM",),
        ("REINDEX",),
        ("CREATE TABLE t (n INTEGER PRIMARY KEY AUTOINCREMENT)", "DROP TABLE t"),
        ("CREATE TABLE t (n)", "DROP TABLE t"),
        ("ATTACH ':memory:' AS other", "CREATE TABLE other.t (n)"),
        ("CREATE TEMP TRIGGER theirs AFTER INSERT ON payouts BEGIN SELECT 1; END",),
    ],
)
def test_harmless_changes_are_accepted(store: Store, path: Path, statements: tuple[str, ...]) -> None:
    change(path, *statements)
    store.add(planned("during use"))
    store.close()
    store.add(planned("opened again"))
    assert len(rows(path)) == 3


def test_changed_statistics_table_is_refused(store: Store, path: Path) -> None:
    change(path, "ANALYZE")
    store.close()
    change(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE sqlite_stat1(tbl,idx,stat,x)' WHERE name = 'sqlite_stat1'",
    )
    assert "table 'sqlite_stat1' is not this library's" in refused(path)


def test_migration_by_a_newer_version_during_use_is_an_error(store: Store, path: Path) -> None:
    steps = [*MIGRATIONS, "CREATE TABLE more (x)"]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.prepare(connection, str(path), migrations=steps)
    with pytest.raises(errors.JournalError, match="newer version of upbit_async"):
        store.add(planned("another"))


def test_foreign_names_are_escaped_and_shortened(store: Store, path: Path) -> None:
    store.close()
    change(path, *(f'CREATE TABLE "\x1b[31m\n{number}" (x)' for number in range(9)))
    text = refused(path)
    assert text.isprintable()
    assert "and 6 more" in text


@pytest.mark.parametrize(
    "values",
    [
        "x'ff', x'ff', x'ff', 0, null",
        "'table', cast(x'ff41' as text), 'z', 0, 'create table z(x)'",
        "'x', 'a' || char(10, 27, 8238) || 'b', 'z', 0, 'w'",
        "null, null, null, null, null",
    ],
)
@pytest.mark.parametrize("during_use", [True, False])
def test_schema_that_is_not_text_is_refused(store: Store, path: Path, values: str, during_use: bool) -> None:
    if not during_use:
        store.close()
    with contextlib.suppress(sqlite3.Error):
        change(path, "PRAGMA writable_schema = ON", f"INSERT INTO sqlite_schema VALUES ({values})")  # noqa: S608
    if during_use:
        change_version(path)
    with pytest.raises(errors.JournalError) as caught:
        store.get("k")
    assert str(caught.value).isprintable()


def test_row_that_is_not_text_is_an_error_without_its_content(store: Store, path: Path) -> None:
    change(path, "UPDATE payouts SET record = cast(x'534543524554ff' AS text)")
    with pytest.raises(errors.JournalError) as caught:
        store.get("k")
    assert "Could not decode to UTF-8 column 'record'" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_damaged_file_is_reported_on_one_line(store: Store, path: Path) -> None:
    store.close()
    change(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'history') "
        "WHERE name = 'payouts'",
    )
    text = refused(path)
    assert "is damaged" in text
    assert text.isprintable()


def test_value_that_is_too_long_is_not_loaded(store: Store, path: Path) -> None:
    store.close()
    change(path, "UPDATE payouts SET record = zeroblob(20000000)")
    assert str(path) in refused(path)


def test_connection_is_hardened(store: Store) -> None:
    with reading(store) as connection:
        values = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("trusted_schema", "cell_size_check", "mmap_size")
        }
        assert values == {"trusted_schema": 0, "cell_size_check": 1, "mmap_size": 0}
        assert connection.getlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH) == 0
        if sys.version_info >= (3, 12):
            assert connection.getconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE)
            assert not connection.getconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER)
            assert not connection.getconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW)
