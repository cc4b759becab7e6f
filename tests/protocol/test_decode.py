"""Answers into models: the documented ones, odd ones and hostile ones."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import json
import pickle
import typing
from decimal import Decimal
from typing import Any

import pytest
from examples import example, example_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from upbit_async.errors import RAW_CAP, DecodeError
from upbit_async.models import (
    Account,
    BlockState,
    Deposit,
    MemberLevel,
    TransactionType,
    WalletState,
    WalletStatus,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalChance,
    WithdrawalCurrency,
    WithdrawalLimit,
    WithdrawalState,
)
from upbit_async.protocol.decode import decode, decode_untyped
from upbit_async.protocol.endpoints import ENDPOINTS

ASKED = "GET /v1/withdraws"
KINDS: list[Any] = [
    *{repr(endpoint.returns): endpoint.returns for endpoint in ENDPOINTS.values()}.values(),
    list[Account],
    Account,
    object,
]


def _at(*parts: int, zone: float = 0) -> dt.datetime:
    year, month, day, hour, minute, second, micro, *_ = (*parts, 0)
    offset = dt.timezone(dt.timedelta(hours=zone))
    return dt.datetime(year, month, day, hour, minute, second, micro, tzinfo=offset)


def _but(usual: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**usual, **others}


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


BTC_WITHDRAWAL: dict[str, Any] = {
    "currency": "BTC",
    "net_type": "BTC",
    "created_at": _at(2025, 7, 4, 15, 0, 0),
    "amount": Decimal("0.01"),
    "fee": Decimal(0),
    "transaction_type": TransactionType.DEFAULT,
}
TUTORIAL: dict[str, Any] = {
    "uuid": _uuid(3),
    "currency": "USDT",
    "net_type": "TRX",
    "created_at": _at(2025, 7, 17, 13, 53, 31, zone=9),
    "amount": Decimal(13),
    "fee": Decimal(0),
    "transaction_type": TransactionType.DEFAULT,
    "is_cancelable": False,
}
HASH = "f" * 60
EXPECTED: dict[str, tuple[Any, Any]] = {
    "withdraw_get": (
        Withdrawal,
        Withdrawal(
            **_but(BTC_WITHDRAWAL, net_type=None),
            uuid=_uuid(2),
            state=WithdrawalState.PROCESSING,
            is_cancelable=False,
        ),
    ),
    "withdraw_get_tutorial_done": (
        Withdrawal,
        Withdrawal(
            **TUTORIAL,
            txid=f"{HASH}0003",
            state=WithdrawalState.DONE,
            done_at=_at(2025, 7, 17, 13, 56, 0, zone=9),
        ),
    ),
    "withdraws_coin_post_tutorial_waiting": (
        Withdrawal,
        Withdrawal(**TUTORIAL, state=WithdrawalState.WAITING),
    ),
    "withdraws_coin_post": (
        Withdrawal,
        Withdrawal(
            **BTC_WITHDRAWAL,
            uuid=_uuid(4),
            txid="00000000-0000-4000-8000-0000000000aa",
            state=WithdrawalState.PROCESSING,
            is_cancelable=False,
        ),
    ),
    "withdraws_coin_delete": (
        Withdrawal,
        Withdrawal(**BTC_WITHDRAWAL, uuid=_uuid(5), state=WithdrawalState.CANCELLED, is_cancelable=True),
    ),
    "withdraws_coin_delete_kr_2026": (
        Withdrawal,
        Withdrawal(
            **_but(BTC_WITHDRAWAL, created_at=_at(2025, 7, 1, 15, 0, 0, zone=9)),
            uuid=_uuid(5),
            state=WithdrawalState.CANCELLED,
            is_cancelable=True,
        ),
    ),
    "withdraws_krw_post_kr": (
        Withdrawal,
        Withdrawal(
            uuid=_uuid(7),
            currency="KRW",
            txid="BKW-2000-01-01-fakefakefakefakefakefake00",
            state=WithdrawalState.PROCESSING,
            created_at=_at(2025, 7, 4, 15, 0, 0, zone=9),
            amount=Decimal(10000),
            fee=Decimal(0),
            transaction_type=TransactionType.DEFAULT,
            is_cancelable=False,
        ),
    ),
    "withdraws_get": (
        list[Withdrawal],
        [
            Withdrawal(
                uuid=_uuid(1),
                currency="XRP",
                net_type="XRP",
                txid=f"{HASH}0001",
                state=WithdrawalState.DONE,
                created_at=_at(2025, 7, 4, 15, 0, 0),
                done_at=_at(2025, 7, 4, 15, 0, 20),
                amount=Decimal(10),
                fee=Decimal(0),
                transaction_type=TransactionType.DEFAULT,
                is_cancelable=False,
            )
        ],
    ),
    "withdraws_get_legacy_2018": (
        list[Withdrawal],
        [
            Withdrawal(
                uuid=_uuid(6),
                currency="BTC",
                state=WithdrawalState.PROCESSING,
                created_at=_at(2018, 4, 13, 11, 24, 1, zone=9),
                amount=Decimal("0.01"),
                fee=Decimal(0),
            )
        ],
    ),
    "withdraws_chance_get": (
        WithdrawalChance,
        WithdrawalChance(
            member_level=MemberLevel(
                security_level=4,
                fee_level=0,
                email_verified=True,
                identity_auth_verified=True,
                bank_account_verified=True,
                locked=False,
                wallet_locked=False,
            ),
            currency=WithdrawalCurrency(
                code="BTC",
                withdraw_fee=Decimal("0.0008"),
                is_coin=True,
                wallet_state=WalletState.WORKING,
                wallet_support=("deposit", "withdraw"),
            ),
            account=Account(
                currency="BTC",
                balance=Decimal(0),
                locked=Decimal(0),
                avg_buy_price=Decimal(145115000),
                avg_buy_price_modified=False,
                unit_currency="SGD",
            ),
            withdraw_limit=WithdrawalLimit(
                currency="BTC",
                onetime=Decimal(50),
                daily=None,
                remaining_daily=Decimal(0),
                remaining_daily_fiat=Decimal(1000000),
                fiat_currency="SGD",
                minimum=Decimal("0.00001"),
                fixed=8,
                withdraw_delayed_fiat=Decimal(227),
                can_withdraw=True,
            ),
        ),
    ),
    "withdraws_coin_addresses_get": (
        list[WithdrawalAddress],
        [
            WithdrawalAddress(
                currency="BTC",
                net_type="BTC",
                network_name="Bitcoin",
                withdraw_address="1FakeBtcWithdrawAddressFakeFakeFak",
                beneficiary_name="John",
                beneficiary_type="individual",
                exchange_name="Binance",
            ),
            WithdrawalAddress(
                currency="ETH",
                net_type="ETH",
                network_name="Ethereum",
                withdraw_address="0x2222222222222222222222222222222222222222",
                beneficiary_name="John",
                wallet_type="MetaMask",
            ),
        ],
    ),
    "withdraws_coin_addresses_get_id_th": (
        list[WithdrawalAddress],
        [
            WithdrawalAddress(
                currency="XRP",
                net_type="XRP",
                network_name="XRP Ledger",
                withdraw_address="rFakeXrpWithdrawAddressFakeFakeFak",
                secondary_address="123456789",
            )
        ],
    ),
    "status_wallet_get": (
        list[WalletStatus],
        [
            WalletStatus(
                currency=currency,
                net_type=net_type,
                network_name=network,
                wallet_state=WalletState.WORKING,
                block_state=BlockState.NORMAL,
                block_height=height,
                block_updated_at=updated,
                block_elapsed_minutes=minutes,
            )
            for currency, net_type, network, height, updated, minutes in (
                ("BTC", "BTC", "Bitcoin", 907974, _at(2025, 7, 31, 16, 12, 40, 584000), 15),
                ("ETH", "ETH", "Ethereum", 23040230, _at(2025, 7, 31, 16, 19, 28, 10000), 2),
                ("USDT", "TRX", "Tron", 74636780, _at(2025, 8, 7, 12, 21, 51, 663000), 0),
            )
        ],
    ),
    "status_wallet_get_null_block": (
        list[WalletStatus],
        [
            WalletStatus(
                currency="XYZ",
                net_type="XYZ",
                network_name="Example Network",
                wallet_state=WalletState.PAUSED,
            )
        ],
    ),
    "accounts_get": (
        list[Account],
        [
            Account(
                currency=currency,
                balance=Decimal(balance),
                locked=Decimal(0),
                avg_buy_price=Decimal(price),
                avg_buy_price_modified=False,
                unit_currency="SGD",
            )
            for currency, balance, price in (("SGD", 1000000, 0), ("BTC", 2, 101000))
        ],
    ),
    "accounts_get_kr_observed": (
        list[Account],
        [
            Account(
                currency="KRW",
                balance=Decimal("50000.47088291"),
                locked=Decimal(0),
                avg_buy_price=Decimal(0),
                avg_buy_price_modified=True,
                unit_currency="KRW",
            )
        ],
    ),
}


def _row(**members: object) -> dict[str, Any]:
    return {**example("withdraws_get")[0], **members}


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
def test_a_documented_answer_decodes_to_its_exact_values(name: str) -> None:
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
def test_members_that_are_younger_than_this_library_are_ignored(name: str) -> None:
    kind, expected = EXPECTED[name]
    answer = example(name)
    for row in _rows(name, answer):
        row["younger"] = {"than": ["this", 1e400, None]}
    assert decode(kind, _bytes(answer).replace(b"Infinity", b"1e400"), asked=ASKED) == expected


def test_amounts_keep_every_digit() -> None:
    exact = "0.123456789012345678901234567890"
    body = _bytes(_row(amount=exact)).replace(b'"fee": "0.0"', b'"fee": 0.100000000000000000000001')
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
def test_an_amount_may_be_text_or_a_number(text: str, value: str) -> None:
    body = _bytes(_row(amount="AMOUNT")).replace(b'"AMOUNT"', text.encode())
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
        '"0x1"',
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
def test_what_is_no_plain_decimal_is_refused_with_its_place(text: str) -> None:
    rows = [_row(), _row(), _row(), _row(amount="AMOUNT", fee="AMOUNT")]
    body = _bytes(rows).replace(b'"AMOUNT"', text.encode())

    assert _refusal(list[Withdrawal], body).path == "$[3].amount"
    assert _refusal(Withdrawal, _bytes(rows[3]).replace(b'"AMOUNT"', text.encode())).path == "$.amount"
    optional = body.replace(b'"amount": ' + text.encode(), b'"amount": 1')
    assert decode(list[Withdrawal], optional, asked=ASKED)[3].fee is None


@pytest.mark.parametrize(
    "number", ["1e99999999999999999999", "-1e99999999999999999999", "1e-99999999999999999999"]
)
@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_an_exponent_beyond_all_bounds_is_a_decode_error(kind: Any, number: str) -> None:
    bodies = [number, f"[{number}]"]
    if kind in {Withdrawal, Deposit, object}:
        bodies.append(json.dumps(_row(amount=0)).replace('"amount": 0', f'"amount": {number}'))
    for body in bodies:
        assert _refusal(kind, body.encode()).raw == body


def test_an_exponent_at_the_edge_of_what_decimals_hold_is_read() -> None:
    assert decode_untyped(b"1e-99", asked=ASKED) == Decimal("1e-99")


@pytest.mark.parametrize("digits", ["1" * 5_000, "1" * 1_000_000, "1." + "1" * 1_000_000])
def test_numbers_without_end_are_a_decode_error_and_not_a_long_wait(digits: str) -> None:
    body = _bytes(_row(amount="AMOUNT")).replace(b'"AMOUNT"', digits.encode())
    _refusal(Withdrawal, body)


def test_a_txid_that_is_a_number_is_read_as_text() -> None:
    found = decode(
        list[Withdrawal], _bytes([_row(txid="TXID"), _row()]).replace(b'"TXID"', b"123456789"), asked=ASKED
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
def test_a_time_that_is_none_costs_only_itself(text: object) -> None:
    good = decode(list[Withdrawal], _bytes([_row()]), asked=ASKED)[0]
    found = decode(list[Withdrawal], _bytes([_row(), _row(created_at=text), _row()]), asked=ASKED)

    assert [row.created_at for row in found] == [good.created_at, None, good.created_at]
    assert {(row.uuid, row.amount, row.state, row.done_at) for row in found} == {
        (good.uuid, good.amount, good.state, good.done_at)
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-07-04T15:00:00", _at(2025, 7, 4, 15, 0, 0)),
        ("2023-12-12T04:58:41Z", _at(2023, 12, 12, 4, 58, 41)),
        ("2025-07-17T13:53:31+09:00", _at(2025, 7, 17, 4, 53, 31)),
        ("2025-07-22T03:51:06.958+00:00", _at(2025, 7, 22, 3, 51, 6, 958000)),
        ("2025-07-22T03:51:06.958123", _at(2025, 7, 22, 3, 51, 6, 958123)),
        ("2025-07-22T03:51:06-07:30", _at(2025, 7, 22, 11, 21, 6)),
    ],
)
def test_each_form_of_time_that_upbit_uses_is_aware(text: str, expected: dt.datetime) -> None:
    fast = decode(Withdrawal, _bytes(_row(created_at=text)), asked=ASKED)
    mended = decode(Withdrawal, _bytes(_row(created_at=text, txid=1)), asked=ASKED)
    for found in (fast, mended):
        assert found.created_at == expected
        assert found.created_at is not None
        assert found.created_at.tzinfo is not None


def test_whole_numbers_that_come_as_text_are_read() -> None:
    row = {**example("status_wallet_get")[0], "block_elapsed_minutes": "3", "block_height": "-1"}
    found = decode(list[WalletStatus], _bytes([row]), asked=ASKED)[0]
    assert (found.block_elapsed_minutes, found.block_height) == (3, -1)


@pytest.mark.parametrize("text", ["3.5", "", "٣", "1" * 19, "three"])
def test_text_that_is_no_whole_number_is_none(text: str) -> None:
    row = {**example("status_wallet_get")[0], "block_height": text}
    assert decode(list[WalletStatus], _bytes([row]), asked=ASKED)[0].block_height is None


@pytest.mark.parametrize("member", ["uuid", "currency", "amount", "state"])
def test_a_withdrawal_without_its_essentials_is_refused(member: str) -> None:
    bare = {name: value for name, value in _row().items() if name != member}
    assert f"`{member}`" in str(_refusal(Withdrawal, _bytes(bare)))
    assert _refusal(list[Withdrawal], _bytes([_row(), bare])).path == "$[1]"
    assert _refusal(Withdrawal, _bytes(_row(**{member: None}))).path == f"$.{member}"


def test_an_empty_uuid_is_refused() -> None:
    assert _refusal(list[Withdrawal], _bytes([_row(), _row(), _row(uuid="")])).path == "$[2]"
    assert "without a uuid" in str(_refusal(Withdrawal, _bytes(_row(uuid=""))))


def test_a_place_deep_in_an_answer_is_named() -> None:
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


def test_oddities_are_mended_inside_an_answer_too() -> None:
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
def test_an_answer_of_another_shape_is_refused(kind: Any, body: bytes, path: str) -> None:
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
def test_what_is_no_json_is_refused(kind: Any, body: bytes) -> None:
    assert _refusal(kind, body).path == "$"


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_truncated_answer_is_refused(cut: int) -> None:
    _refusal(list[Withdrawal], example_bytes("withdraws_get").rstrip()[:-cut])


def test_one_bad_row_among_many_is_named_and_no_other() -> None:
    rows = [_row(uuid=f"u{number}") for number in range(300)]
    rows[250]["state"] = 7
    assert _refusal(list[Withdrawal], _bytes(rows)).path == "$[250].state"


def test_an_unknown_state_does_not_disturb() -> None:
    found = decode(Withdrawal, _bytes(_row(state="ON_HOLD", transaction_type="express")), asked=ASKED)
    assert (found.state, found.state.known, found.state.is_final) == ("ON_HOLD", False, False)
    assert (found.transaction_type, found.transaction_type and found.transaction_type.known) == (
        "express",
        False,
    )


@pytest.mark.parametrize("spelling", ["done", "Done", "DONE"])
def test_a_state_in_other_case_is_the_known_state(spelling: str) -> None:
    assert decode(Withdrawal, _bytes(_row(state=spelling)), asked=ASKED).state is WithdrawalState.DONE


def test_untyped_answers_keep_fractions_exact() -> None:
    assert decode(object, b'{"a": [0.1, 1, "x", null, true]}', asked=ASKED) == {
        "a": [Decimal("0.1"), 1, "x", None, True]
    }


def test_the_error_says_what_was_asked_and_keeps_the_answer_to_itself() -> None:
    error = _refusal(Withdrawal, b'{"uuid":"CANARY","amount":"CANARY"}')
    assert str(error).startswith(f"{ASKED}: the answer is not what Upbit documents")
    assert error.raw == '{"uuid":"CANARY","amount":"CANARY"}'
    assert error.__cause__ is None
    assert not error.may_have_executed
    for shown in (str(error), repr(error), repr(error.args)):
        assert "CANARY" not in shown
    assert b"CANARY" not in pickle.dumps(error)


def test_raw_is_capped_and_is_text_whatever_came() -> None:
    error = _refusal(Withdrawal, b"\xff" * (RAW_CAP + 1000))
    assert error.raw == "\ufffd" * RAW_CAP


def test_a_type_that_nobody_taught_the_decoder_is_an_error_of_ours() -> None:
    with pytest.raises(NotImplementedError, match="complex"):
        decode(set[complex], b"[1]", asked=ASKED)


_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["DONE", "0.1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*_row(), "account", "withdraw_limit"]) | st.text(max_size=3), inner
        )
    ),
    max_leaves=10,
)


def _never_raises_anything_else(kind: Any, body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(kind, body, asked=ASKED)


@given(body=st.binary(max_size=60), kind=st.sampled_from(KINDS))
def test_arbitrary_bytes_raise_nothing_but_decode_errors(body: bytes, kind: Any) -> None:
    _never_raises_anything_else(kind, body)


@given(value=_json, kind=st.sampled_from(KINDS))
def test_arbitrary_json_raises_nothing_but_decode_errors(value: Any, kind: Any) -> None:
    _never_raises_anything_else(kind, json.dumps(value).encode())


@settings(max_examples=300)
@given(data=st.data())
def test_documented_answers_with_one_arbitrary_member_raise_nothing_but_decode_errors(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(sorted(EXPECTED)))
    answer = example(name)
    row = _rows(name, answer)[0]
    parts: list[dict[str, Any]] = [row, *(row[part] for part in ("account", "withdraw_limit") if part in row)]
    inner = data.draw(st.sampled_from(parts))
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(_json)
    _never_raises_anything_else(EXPECTED[name][0], json.dumps(answer).encode())


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_answers_raise_nothing_but_decode_errors(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EXPECTED)))
    body = example_bytes(name)
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, min(len(body), begin + 20)))
    number = st.from_regex(rb"-?[0-9]{1,25}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,25})?", fullmatch=True)
    _never_raises_anything_else(
        EXPECTED[name][0], body[:begin] + data.draw(number | st.binary(max_size=8)) + body[end:]
    )


@given(rows=st.lists(st.sampled_from(["plain", "number", "time"]), min_size=1, max_size=6))
def test_the_lenient_pass_reads_ordinary_rows_like_the_fast_one(rows: list[str]) -> None:
    odd: dict[str, dict[str, Any]] = {"plain": {}, "number": {"txid": 5}, "time": {"done_at": "?"}}
    good = EXPECTED["withdraws_get"][1][0]
    found = decode(list[Withdrawal], _bytes([_row(**odd[row]) for row in rows]), asked=ASKED)
    assert [row == good for row in found] == [row == "plain" for row in rows]
