"""Lists decoded row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.errors import DecodeError
from upbit_async.models import Withdrawal
from upbit_async.protocol.decode import decode
from upbit_async.protocol.rows import ReadableRows

ASKED = "GET /v1/withdraws"


def row(uuid: Any, **members: Any) -> dict[str, Any]:
    return {"uuid": uuid, "currency": "USDT", "amount": "13", "state": "DONE", **members}


def read(rows: Any) -> ReadableRows[Withdrawal]:
    return decode(ReadableRows[Withdrawal], json.dumps(rows).encode(), asked=ASKED)


def test_list_without_invalid_rows_is_read_as_usual() -> None:
    rows = [row("a"), row("b", txid=5)]
    assert read(rows).rows == decode(list[Withdrawal], json.dumps(rows).encode(), asked=ASKED)
    assert read(rows).unreadable == ()
    assert read([]) == ReadableRows(rows=[])


def test_invalid_row_is_reported_with_its_uuid() -> None:
    rows = read([row("a"), row("b", amount="SECRET"), row("c"), row(None), row(""), 5, None, []])
    assert [each.uuid for each in rows.rows] == ["a", "c"]
    assert [each.uuid for each in rows.unreadable] == ["b", None, None, None, None, None]
    first, second = rows.unreadable[:2]
    assert first.path == "$[1].amount"
    assert "GET /v1/withdraws" in str(first)
    assert second.path == "$[3].uuid"
    assert not any("SECRET" in str(each) + each.raw for each in rows.unreadable)


@pytest.mark.parametrize("body", [b"5", b"null", b"{}", b'"text"', b"[", b"\xff", b"", b"[" * 100_000])
def test_answer_that_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(ReadableRows[Withdrawal], body, asked=ASKED)
    assert not caught.value.path.startswith("$[")


def test_too_many_invalid_rows_are_refused_as_a_whole() -> None:
    assert len(read([{}] * 5_000).unreadable) == 5_000
    with pytest.raises(DecodeError):
        read([{}] * 5_001)


_CHANGES: list[dict[str, Any]] = [{}, {"amount": "x"}, {"currency": None}, {"state": 5}, {"amount": [0]}]


@given(st.lists(st.sampled_from(_CHANGES), max_size=60))
def test_every_row_is_readable_or_unreadable_in_order(changes: list[dict[str, Any]]) -> None:
    rows = read([row(f"u{number}", **change) for number, change in enumerate(changes)])
    good = [f"u{number}" for number, change in enumerate(changes) if not change]
    bad = [f"u{number}" for number, change in enumerate(changes) if change]
    assert [each.uuid for each in rows.rows] == good
    assert [each.uuid for each in rows.unreadable] == bad
