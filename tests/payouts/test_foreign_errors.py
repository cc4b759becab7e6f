"""Foreign exceptions, which may hold a row, a journal key or a file's content, are kept in no error."""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from clients import CREATE
from internals import repository_of
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import ConflictingPayout, Payouts, PayoutState, SqliteJournal, recording
from upbit_async.payouts.arguments import journal_keys_from
from upbit_async.payouts.manual import ManualDecision
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

SECRET = "a journal key that must appear nowhere"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its chain of causes and contexts."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def assert_no_foreign(error: BaseException) -> None:
    """Check that the chain of an error contains errors of this library only."""
    foreign = [each for each in list(chain(error))[1:] if not type(each).__module__.startswith("upbit_async")]
    assert foreign == []


def change(path: Path, statement: str, *values: Any) -> None:
    """Change the journal as another program could."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement, values)
    connection.close()


# -- sqlite/store ----------------------------------------------------------------------------------


async def test_conflict_drops_the_sqlite_exception(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    first = await payouts.get("k")
    other = await elsewhere.send("other", **dict(tron, amount="40"))
    assert first is not None
    with pytest.raises(ConflictingPayout) as caught:
        await repository_of(payouts).journal.compare_and_swap(first, attrs.evolve(first, uuid=other.uuid))
    assert caught.value.by_key == "other"
    assert caught.value.__cause__ is caught.value.__context__ is None


# -- sqlite/rows -----------------------------------------------------------------------------------

DAMAGES: list[tuple[str, Callable[[str], Any]]] = [
    ("intent", lambda text: text.replace('"13"', '"thirteen"')),
    ("intent", lambda text: text.replace('"13"', '"1e999999999"')),
    ("intent", lambda text: text.replace('"13"', '"NaN"')),
    ("intent", lambda text: text.replace('"13"', '"-Infinity"')),
    ("intent", lambda text: text.replace('"13"', "13")),
    ("intent", lambda text: json.dumps(json.loads(text) | {"members": "ab"})),
    ("intent", lambda text: json.dumps(json.loads(text) | {"started_at": 7})),
    ("amount", lambda _: "thirteen"),
    ("record", lambda _: '{"uuid":7}'),
    ("record", lambda _: "[" * 100_000),
    ("record", lambda _: b"\xff"),
    ("uuid", lambda _: b"\xff"),
    ("mac", lambda _: b"\xff"),
    ("revision", lambda _: "one"),
    ("sent_request", lambda _: "[]"),
    ("sent_request", lambda text: json.dumps(json.loads(text) | {"left_at": "x"})),
    ("sent_request", lambda text: json.dumps(json.loads(text) | {"left_at": {"readings": [7]}})),
    ("sent_request", lambda text: json.dumps(json.loads(text) | {"left_utc": "yesterday"})),
    ("sent_request", lambda text: json.dumps(json.loads(text) | {"previous_state": "nowhere"})),
    ("sent_request", lambda text: json.dumps(json.loads(text) | {"signing": {"x": 1}})),
    ("error", lambda _: '{"kind":"JournalError"}'),
    (
        "error",
        lambda _: '{"kind":7,"about":{},"text":"","may_have_executed":false,"until":null,"reasons":[]}',
    ),
    ("evidence", lambda _: "hearsay"),
    ("state", lambda _: "lost"),
]


@pytest.mark.parametrize(("column", "damage"), DAMAGES)
async def test_damaged_row_is_a_journal_error_without_a_cause(
    payouts: Payouts, path: Path, tron: dict[str, Any], column: str, damage: Callable[[str], Any]
) -> None:
    await payouts.send("k", **tron)
    connection = sqlite3.connect(path)
    (text,) = connection.execute(f"SELECT {column} FROM payouts").fetchone()  # noqa: S608 - a name of this file
    connection.close()
    change(path, f"UPDATE payouts SET {column} = ?", damage(text))  # noqa: S608 - likewise
    with pytest.raises(errors.JournalError, match="changed by something else") as caught:
        await payouts.get("k")
    assert_no_foreign(caught.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "yesterday"), ("at", b"\xff"), ("state", "lost"), ("note", b"\xff"), ("actor", b"\xff")],
)
async def test_damaged_history_is_a_journal_error_without_a_cause(
    payouts: Payouts, path: Path, tron: dict[str, Any], column: str, value: Any
) -> None:
    await payouts.send("k", **tron)
    change(path, f"UPDATE history SET {column} = ?", value)  # noqa: S608 - a name of this file
    with pytest.raises(errors.JournalError, match="changed by something else") as caught:
        await payouts.get("k")
    assert_no_foreign(caught.value)


@pytest.mark.parametrize("damage", ["{", b"\xff", None])
async def test_damaged_unowned_withdrawal_drops_the_decoder_exception(
    payouts: Payouts,
    sandbox: Sandbox,
    path: Path,
    tron: dict[str, Any],
    damage: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    with pytest.raises(errors.PayoutBlocked):
        await payouts.send("k", **tron)
    change(path, "UPDATE unowned SET record = ?", damage)
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("k", **tron)
    assert caught.value.__cause__ is caught.value.__context__ is None
    (line,) = [line for line in caplog.records if line.levelno == logging.ERROR]
    assert "which belongs to no payout, can't be read" in line.getMessage()
    assert line.exc_info is None


# -- sqlite/file, sqlite/trust and sqlite/schema ---------------------------------------------------


async def test_missing_folder_drops_the_os_exception(client: UpbitClient, path: Path) -> None:
    with pytest.raises(errors.JournalError) as caught:
        await Payouts(client, SqliteJournal(path / "missing" / "payouts.db"), check=False).get("k")
    assert caught.value.__cause__ is caught.value.__context__ is None


async def test_changed_schema_drops_the_sqlite_exception(client: UpbitClient, path: Path) -> None:
    journal = InlineJournal(path)
    async with Payouts(client, journal=journal, check=False):
        pass
    change(path, "DROP TABLE history")
    with pytest.raises(errors.JournalError) as caught:
        await Payouts(client, journal=journal, check=False).get("k")
    assert caught.value.__cause__ is caught.value.__context__ is None
    await journal.aclose()


# -- repository -----------------------------------------------------------------------------------------


class EngineError(Exception):
    """An error of another library."""


def fails(error: Callable[[], Exception]) -> Callable[[str], None]:
    """Return a hook that fails every change but the first, with a foreign exception as the cause."""
    swaps = 0

    def before(work: str) -> None:
        nonlocal swaps
        swaps += work == "compare_and_swap"
        if work == "compare_and_swap" and swaps > 1:
            failure = error()
            failure.__cause__ = failure.__context__ = EngineError("the row was:\n{…}")
            raise failure

    return before


@pytest.mark.parametrize("error", [lambda: errors.JournalError("full"), lambda: RuntimeError("full")])
async def test_failed_write_drops_the_engine_exception(
    client: UpbitClient,
    path: Path,
    tron: dict[str, Any],
    error: Callable[[], Exception],
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = InlineJournal(path)
    async with Payouts(client, journal=journal, check=False) as payouts:
        journal.before = fails(error)
        sent = await payouts.send("k", **tron, until="accepted")
        found = await payouts.get("k")
        assert found is not None
        for payout in (sent, found):
            assert isinstance(payout.error, errors.JournalError)
            assert "full" in str(payout.error)
            assert payout.error.__cause__ is payout.error.__context__ is None
        journal.before = None
    assert not any("EngineError" in str(line.exc_info) for line in caplog.records)


async def test_journal_errors_are_escaped_in_the_log(
    client: UpbitClient, path: Path, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    journal = InlineJournal(path)
    payouts = Payouts(client, journal=journal, check=False)
    journal.before = fails(lambda: RuntimeError("full\nERROR forged"))
    await payouts.send("k", **tron, until="accepted")
    await payouts.aclose()
    lines = [line.getMessage() for line in caplog.records if line.levelno == logging.ERROR]
    assert len(lines) == 2
    assert all("full" in line and "\n" not in line for line in lines)


@pytest.mark.parametrize("value", [SECRET[:15], SECRET + "\udcff"])
def test_refused_journal_key_is_kept_nowhere(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("UPBIT_PAYOUTS_KEY", value)
    with pytest.raises(errors.ConfigurationError, match="UPBIT_PAYOUTS_KEY") as caught:
        journal_keys_from(())
    assert caught.value.__cause__ is caught.value.__context__ is None
    traceback = caught.value.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if "upbit_async" in frame.f_code.co_filename and "tests" not in frame.f_code.co_filename:
            assert SECRET[:15] not in repr(frame.f_locals)
        traceback = traceback.tb_next


# -- resolving -------------------------------------------------------------------------------------


async def test_conflict_of_decisions_has_no_cause(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    paid = await payouts.send("paid", **tron)
    with pytest.raises(errors.PayoutConflict) as caught:
        await payouts.acknowledge(str(paid.uuid))
    assert caught.value.__cause__ is caught.value.__context__ is None
    sandbox.faults.add(Fault.reset_before(*CREATE))
    before = await payouts.send("k", **tron)
    await elsewhere.retry("k")
    with pytest.raises(errors.PayoutConflict, match="changed just now") as caught:
        await recording.retry(repository_of(payouts), before, ManualDecision(), new_nonce=False)
    assert caught.value.__cause__ is caught.value.__context__ is None


# -- sending ---------------------------------------------------------------------------------------


async def test_blocked_payout_keeps_library_errors_only(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    sandbox.faults.add(Fault.lose_answer("GET", "/v1/withdraws", times=None, skip=1))  # after the baseline
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("alike", **tron)
    assert caught.value.by_key == "k"
    assert_no_foreign(caught.value)
    await payouts.enqueue("alike", **tron)
    await payouts.run_once(timeout=0)
    alike = await payouts.get("alike")
    assert alike is not None
    assert alike.state is PayoutState.QUEUED
