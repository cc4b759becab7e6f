"""Foreign exceptions, which may hold a token, a key or a file's content, are kept in no error."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from upbit_async import Credentials, UpbitClient, errors
from upbit_async.payouts import Payouts, SqliteJournal
from upbit_async.polling.resume import check_id, read_token
from upbit_async.protocol.decode import decode, decode_untyped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEYS = Credentials("made-up-access-key", "made-up-secret-key")


def assert_alone(error: BaseException) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None


def _damaged(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def _a_folder(path: Path) -> None:
    path.mkdir()


def _of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE x (y)")
    connection.close()


@pytest.mark.parametrize("spoil", [_damaged, _a_folder, _of_another_program])
async def test_unusable_journal_error_drops_the_sqlite_exception(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "payouts.db"
    spoil(path)
    async with UpbitClient("sg", credentials=KEYS) as client:
        with pytest.raises(errors.JournalError) as caught:
            async with Payouts(client, SqliteJournal(path), check=False):
                pass
    assert_alone(caught.value)


@pytest.mark.parametrize("body", [b"x", b"[" * 100_000, b"\xff", b'{"a":1e99999999999999999999}'])
def test_decode_error_drops_the_decoder_exception(body: bytes) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: decode_untyped(body, asked=""),
        lambda: decode(list[int], body, asked=""),
    ]
    for attempt in attempts:
        with pytest.raises(errors.DecodeError) as caught:
            attempt()
        assert_alone(caught.value)


def test_argument_error_drops_the_inner_exception() -> None:
    region = UpbitClient("sg").region
    attempts: list[Callable[[], object]] = [
        lambda: check_id("uuid", "\udcff"),
        lambda: read_token("x", kind="withdrawal", region=region, host="h"),
        lambda: UpbitClient("sg", base_url="https://[::1"),
        lambda: UpbitClient("sg", base_url="https://upbit.example:secret"),
        lambda: UpbitClient("us"),
    ]
    for attempt in attempts:
        with pytest.raises((ValueError, errors.ConfigurationError)) as caught:
            attempt()
        assert_alone(caught.value)


@pytest.mark.parametrize("name", ["UPBIT_SG_ACCESS_KEY", "UPBIT_SG_SECRET_KEY"])
def test_configuration_error_drops_the_inner_exception(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("UPBIT_SG_ACCESS_KEY", "a" * 40)
    monkeypatch.setenv("UPBIT_SG_SECRET_KEY", "s" * 40)
    monkeypatch.setenv(name, "\udcff")
    with pytest.raises(errors.ConfigurationError) as caught:
        UpbitClient("sg")
    assert_alone(caught.value)
