"""Decoding of answers into models: documented, unusual and invalid ones."""

from __future__ import annotations

import copy
import json
import pickle
import typing
from decimal import Decimal
from typing import Any

import pytest
from documented_answers import EXPECTED, HASH, at, documented_row
from examples import example, example_bytes
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.errors import RAW_CAP, DecodeError
from upbit_async.models import (
    Account,
    Deposit,
    WalletStatus,
    Withdrawal,
    WithdrawalChance,
    WithdrawalState,
)
from upbit_async.protocol.decode import decode, decode_untyped
from upbit_async.protocol.endpoints import ENDPOINTS

if typing.TYPE_CHECKING:
    import datetime as dt

ASKED = "GET /v1/withdraws"
KINDS: list[Any] = [
    *{repr(endpoint.returns): endpoint.returns for endpoint in ENDPOINTS.values()}.values(),
    list[Account],
    Account,
    object,
]


def _rows(name: str, answer: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = answer if typing.get_origin(EXPECTED[name][0]) is list else [answer]
    return rows


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def _refusal(kind: Any, body: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(kind, body, asked=ASKED)
    return caught.value


@pytest.mark.parametrize("name", EXPECTED)
def test_documented_answer_decodes_to_its_exact_values(name: str) -> None:
    kind, expected = EXPECTED[name]
    assert decode(kind, example_bytes(name), asked=ASKED) == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_null_and_absent_read_alike(name: str) -> None:
    kind, expected = EXPECTED[name]

    def without_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in pairs if value is not None}

    bare: Any = json.loads(example_bytes(name), object_pairs_hook=without_nulls)
    assert decode(kind, _bytes(bare), asked=ASKED) == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_unknown_members_are_ignored(name: str) -> None:
    kind, expected = EXPECTED[name]
    answer = example(name)
    for row in _rows(name, answer):
        row["younger"] = {"than": ["this", 1e400, None]}
    assert decode(kind, _bytes(answer).replace(b"Infinity", b"1e400"), asked=ASKED) == expected


def test_amounts_keep_every_digit() -> None:
    exact = "0.123456789012345678901234567890"
    body = _bytes(documented_row(amount=exact)).replace(b'"fee": "0.0"', b'"fee": 0.100000000000000000000001')
    found = decode(Withdrawal, body, asked=ASKED)
    assert str(found.amount) == exact
    assert found.fee == Decimal("0.100000000000000000000001")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"10.00"', "10.00"),
        ("10", "10"),
        ("0.00000001", "0.00000001"),
        ("1e-8", "0.00000001"),
        ('"-0.5"', "-0.5"),
        ('"1E+3"', "1000"),
        ('"0"', "0"),
    ],
)
def test_amount_can_be_text_or_a_number(text: str, value: str) -> None:
    body = _bytes(documented_row(amount="AMOUNT")).replace(b'"AMOUNT"', text.encode())
    assert decode(Withdrawal, body, asked=ASKED).amount == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        '"NaN"',
        '"sNaN"',
        '"Infinity"',
        '"-inf"',
        '"1_0"',
        '" 1"',
        '"1 "',
        '"１"',
        '"١"',
        '"+1"',
        '".5"',
        '"5."',
        '"1,5"',
        '"withdraws_get_legacy_2018"',
        '""',
        '"1e999"',
        "1e999",
        '"' + "9" * 49 + '"',
        "9" * 49 + ".5",
        "true",
        "null",
        "[]",
        "{}",
    ],
)
def test_invalid_decimal_is_refused_with_its_path(text: str) -> None:
    rows = [
        documented_row(),
        documented_row(),
        documented_row(),
        documented_row(amount="AMOUNT", fee="AMOUNT"),
    ]
    body = _bytes(rows).replace(b'"AMOUNT"', text.encode())

    assert _refusal(list[Withdrawal], body).path == "$[3].amount"
    assert _refusal(Withdrawal, _bytes(rows[3]).replace(b'"AMOUNT"', text.encode())).path == "$.amount"
    optional = body.replace(b'"amount": ' + text.encode(), b'"amount": 1')
    assert decode(list[Withdrawal], optional, asked=ASKED)[3].fee is None


@pytest.mark.parametrize(
    "number", ["1e99999999999999999999", "-1e99999999999999999999", "1e-99999999999999999999"]
)
@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_exponent_out_of_range_is_a_decode_error(kind: Any, number: str) -> None:
    bodies = [number, f"[{number}]"]
    if kind in {Withdrawal, Deposit, object}:
        bodies.append(json.dumps(documented_row(amount=0)).replace('"amount": 0', f'"amount": {number}'))
    for body in bodies:
        assert _refusal(kind, body.encode()).raw == body


def test_exponent_within_range_is_read() -> None:
    assert decode_untyped(b"1e-99", asked=ASKED) == Decimal("1e-99")


@pytest.mark.parametrize("digits", ["1" * 5_000, "1" * 1_000_000, "1." + "1" * 1_000_000])
def test_endless_numbers_are_refused_quickly(digits: str) -> None:
    body = _bytes(documented_row(amount="AMOUNT")).replace(b'"AMOUNT"', digits.encode())
    _refusal(Withdrawal, body)


def test_numeric_txid_is_read_as_text() -> None:
    found = decode(
        list[Withdrawal],
        _bytes([documented_row(txid="TXID"), documented_row()]).replace(b'"TXID"', b"123456789"),
        asked=ASKED,
    )
    assert [row.txid for row in found] == ["123456789", f"{HASH}0001"]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T00:00:000+00:00",
        "",
        "yesterday",
        "2025-13-01T00:00:00Z",
        1735689600,
        1.5,
        True,
        [],
        {},
        "0",
    ],
    ids=repr,
)
def test_invalid_time_is_none_and_affects_nothing_else(text: object) -> None:
    good = decode(list[Withdrawal], _bytes([documented_row()]), asked=ASKED)[0]
    found = decode(
        list[Withdrawal],
        _bytes([documented_row(), documented_row(created_at=text), documented_row()]),
        asked=ASKED,
    )

    assert [row.created_at for row in found] == [good.created_at, None, good.created_at]
    assert {(row.uuid, row.amount, row.state, row.done_at) for row in found} == {
        (good.uuid, good.amount, good.state, good.done_at)
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-07-04T15:00:00", at(2025, 7, 4, 15, 0, 0)),
        ("2023-12-12T04:58:41Z", at(2023, 12, 12, 4, 58, 41)),
        ("2025-07-17T13:53:31+09:00", at(2025, 7, 17, 4, 53, 31)),
        ("2025-07-22T03:51:06.958+00:00", at(2025, 7, 22, 3, 51, 6, 958000)),
        ("2025-07-22T03:51:06.958123", at(2025, 7, 22, 3, 51, 6, 958123)),
        ("2025-07-22T03:51:06-07:30", at(2025, 7, 22, 11, 21, 6)),
    ],
)
def test_every_time_format_of_upbit_is_read_with_its_zone(text: str, expected: dt.datetime) -> None:
    fast = decode(Withdrawal, _bytes(documented_row(created_at=text)), asked=ASKED)
    mended = decode(Withdrawal, _bytes(documented_row(created_at=text, txid=1)), asked=ASKED)
    for found in (fast, mended):
        assert found.created_at == expected
        assert found.created_at is not None
        assert found.created_at.tzinfo is not None


def test_whole_numbers_as_text_are_read() -> None:
    row = {**example("status_wallet_get")[0], "block_elapsed_minutes": "3", "block_height": "-1"}
    found = decode(list[WalletStatus], _bytes([row]), asked=ASKED)[0]
    assert (found.block_elapsed_minutes, found.block_height) == (3, -1)


@pytest.mark.parametrize("text", ["3.5", "", "٣", "1" * 19, "three"])
def test_text_that_is_no_whole_number_is_none(text: str) -> None:
    row = {**example("status_wallet_get")[0], "block_height": text}
    assert decode(list[WalletStatus], _bytes([row]), asked=ASKED)[0].block_height is None


@pytest.mark.parametrize("member", ["uuid", "currency", "amount", "state"])
def test_withdrawal_without_a_required_field_is_refused(member: str) -> None:
    bare = {name: value for name, value in documented_row().items() if name != member}
    assert f"`{member}`" in str(_refusal(Withdrawal, _bytes(bare)))
    assert _refusal(list[Withdrawal], _bytes([documented_row(), bare])).path == "$[1]"
    assert _refusal(Withdrawal, _bytes(documented_row(**{member: None}))).path == f"$.{member}"


def test_empty_uuid_is_refused() -> None:
    assert (
        _refusal(list[Withdrawal], _bytes([documented_row(), documented_row(), documented_row(uuid="")])).path
        == "$[2]"
    )
    assert "without a uuid" in str(_refusal(Withdrawal, _bytes(documented_row(uuid=""))))


def test_error_path_of_a_nested_field_is_named() -> None:
    chance = example("withdraws_chance_get")
    wrong = copy.deepcopy(chance)
    wrong["currency"]["withdraw_fee"] = "NaN"
    assert _refusal(WithdrawalChance, _bytes(wrong)).path == "$.currency.withdraw_fee"
    wrong = copy.deepcopy(chance)
    del wrong["member_level"]["locked"]
    assert _refusal(WithdrawalChance, _bytes(wrong)).path == "$.member_level"
    wrong = copy.deepcopy(chance)
    wrong["currency"]["wallet_support"] = None
    assert _refusal(WithdrawalChance, _bytes(wrong)).path == "$.currency.wallet_support"


def test_nested_fields_are_repaired() -> None:
    odd = example("withdraws_chance_get")
    odd["withdraw_limit"]["fixed"] = "8"
    odd["currency"]["code"] = 7
    found = decode(WithdrawalChance, _bytes(odd), asked=ASKED)
    assert (found.withdraw_limit.fixed, found.currency.code) == (8, "7")


@pytest.mark.parametrize(
    ("kind", "body", "path"),
    [
        (list[Withdrawal], b"null", "$"),
        (list[Withdrawal], b"{}", "$"),
        (list[Withdrawal], b"[null]", "$[0]"),
        (list[Withdrawal], b"[[]]", "$[0]"),
        (Withdrawal, b"null", "$"),
        (Withdrawal, b"[]", "$"),
        (Withdrawal, b'"text"', "$"),
        (WithdrawalChance, b"{}", "$"),
    ],
)
def test_answer_of_another_shape_is_refused(kind: Any, body: bytes, path: str) -> None:
    assert _refusal(kind, body).path == path


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"\xff",
        b'"\xff"',
        b'{"uuid":"\xed\xa0\x80"}',
        b'["\\ud800"]',
        b"\xef\xbb\xbf[]",
        b"\x00",
        b"<html><body>Service Unavailable</body></html>",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[{}",
        b"[] []",
        b"NaN",
        b"Infinity",
        b"'x'",
    ],
    ids=lambda body: repr(body[:20]),
)
@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_invalid_json_is_refused(kind: Any, body: bytes) -> None:
    assert _refusal(kind, body).path == "$"


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_truncated_answer_is_refused(cut: int) -> None:
    _refusal(list[Withdrawal], example_bytes("withdraws_get").rstrip()[:-cut])


def test_bad_row_among_many_is_named() -> None:
    rows = [documented_row(uuid=f"u{number}") for number in range(300)]
    rows[250]["state"] = 7
    assert _refusal(list[Withdrawal], _bytes(rows)).path == "$[250].state"


def test_unknown_state_is_accepted() -> None:
    found = decode(
        Withdrawal, _bytes(documented_row(state="ON_HOLD", transaction_type="express")), asked=ASKED
    )
    assert (found.state, found.state.known, found.state.is_final) == ("ON_HOLD", False, False)
    assert (found.transaction_type, found.transaction_type and found.transaction_type.known) == (
        "express",
        False,
    )


@pytest.mark.parametrize("spelling", ["done", "Done", "DONE"])
def test_state_in_another_case_is_the_known_state(spelling: str) -> None:
    assert (
        decode(Withdrawal, _bytes(documented_row(state=spelling)), asked=ASKED).state is WithdrawalState.DONE
    )


def test_untyped_answers_keep_fractions_exact() -> None:
    assert decode(object, b'{"a": [0.1, 1, "x", null, true]}', asked=ASKED) == {
        "a": [Decimal("0.1"), 1, "x", None, True]
    }


def test_decode_error_names_the_request_and_hides_the_answer() -> None:
    error = _refusal(Withdrawal, b'{"uuid":"CANARY","amount":"CANARY"}')
    assert str(error).startswith(f"{ASKED}: the answer is not what Upbit documents")
    assert error.raw == '{"uuid":"CANARY","amount":"CANARY"}'
    assert error.__cause__ is None
    assert not error.may_have_executed
    for shown in (str(error), repr(error), repr(error.args)):
        assert "CANARY" not in shown
    assert b"CANARY" not in pickle.dumps(error)


def test_raw_is_capped_text_for_any_bytes() -> None:
    error = _refusal(Withdrawal, b"\xff" * (RAW_CAP + 1000))
    assert error.raw == "\ufffd" * RAW_CAP


def test_unsupported_type_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="complex"):
        decode(set[complex], b"[1]", asked=ASKED)


@given(rows=st.lists(st.sampled_from(["plain", "number", "time"]), min_size=1, max_size=6))
def test_lenient_pass_reads_valid_rows_like_the_fast_one(rows: list[str]) -> None:
    odd: dict[str, dict[str, Any]] = {"plain": {}, "number": {"txid": 5}, "time": {"done_at": "?"}}
    good = EXPECTED["withdraws_get"][1][0]
    found = decode(list[Withdrawal], _bytes([documented_row(**odd[row]) for row in rows]), asked=ASKED)
    assert [row == good for row in found] == [row == "plain" for row in rows]
