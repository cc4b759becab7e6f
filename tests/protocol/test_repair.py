"""Repair of invalid fields: an optional one becomes None, a required one makes its record unreadable."""

from __future__ import annotations

import json
import pickle
import typing
from typing import Any, cast

import attrs
import pytest
from examples import example, examples_of

from upbit_async.errors import DecodeError
from upbit_async.models import (
    Deposit,
    DepositAddress,
    DepositAddressRequest,
    TransactionType,
    WalletStatus,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalChance,
)
from upbit_async.models._base import is_never_ignored
from upbit_async.protocol.decode import decode
from upbit_async.protocol.endpoints import ENDPOINTS
from upbit_async.protocol.rows import ReadableRows

ASKED = "GET /v1/withdraws"


def _rows(name: str) -> list[dict[str, Any]]:
    answer: Any = example(name)
    return cast("list[dict[str, Any]]", answer) if isinstance(answer, list) else [answer]


def _samples() -> dict[type[Any], dict[str, Any]]:
    """Return for each model of an answer the example row with the most members."""
    rows: dict[type[Any], list[dict[str, Any]]] = {}
    for endpoint in ENDPOINTS.values():
        (model,) = typing.get_args(endpoint.returns) or (endpoint.returns,)
        for name in examples_of(endpoint.method, endpoint.path):
            rows.setdefault(model, []).append(_rows(name)[0])
    return {model: max(found, key=len) for model, found in rows.items()}


SAMPLES = _samples()
ODD = ({"odd": 1}, ["odd"], True, 1.5, "odd\nvalue")
NEVER_IGNORED = {
    (WithdrawalAddress, "secondary_address"),
    (DepositAddress, "secondary_address"),
    (DepositAddressRequest, "secondary_address"),
}


def _sample(kind: type[Any]) -> dict[str, Any]:
    return dict(SAMPLES[kind])


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def _read(kind: Any, value: object) -> tuple[Any, list[str]]:
    ignored: list[str] = []
    return decode(kind, _bytes(value), asked=ASKED, ignored=ignored.append), ignored


def _fields(*, optional: bool) -> list[Any]:
    return [
        pytest.param(kind, field.name, id=f"{kind.__name__}.{field.name}")
        for kind in SAMPLES
        for field in attrs.fields(kind)
        if (field.default is not attrs.NOTHING) is optional
    ]


def test_every_answer_model_has_a_sample() -> None:
    kinds: set[Any] = set()
    for endpoint in ENDPOINTS.values():
        kinds |= set(typing.get_args(endpoint.returns)) or {endpoint.returns}
    assert kinds == set(SAMPLES)


@pytest.mark.parametrize(("kind", "name"), _fields(optional=True))
def test_null_and_absent_read_alike_in_every_optional_field(kind: Any, name: str) -> None:
    row = _sample(kind)
    absent = {key: value for key, value in row.items() if key != name}
    if kind is DepositAddressRequest and name == "currency":
        absent["success"] = True
    expected, _ = _read(kind, absent)
    assert _read(kind, {**absent, name: None}) == (expected, [])
    assert _read(list[kind], [row, {**absent, name: None}])[0][1] == expected


@pytest.mark.parametrize(("kind", "name"), _fields(optional=False))
def test_required_field_that_is_null_or_absent_is_named(kind: Any, name: str) -> None:
    row = _sample(kind)
    absent = {key: value for key, value in row.items() if key != name}
    for odd in (absent, {**absent, name: None}):
        with pytest.raises(DecodeError, match=name) as caught:
            decode(list[kind], _bytes([row, odd]), asked=ASKED)
        assert caught.value.path.startswith("$[1]")


@pytest.mark.parametrize(("kind", "name"), _fields(optional=True))
def test_invalid_value_in_an_optional_field_becomes_none(kind: Any, name: str) -> None:
    row = _sample(kind)
    if kind is DepositAddressRequest and name == "currency":
        row = {**row, "success": True}
    absent = decode(kind, _bytes({key: value for key, value in row.items() if key != name}), asked=ASKED)
    found_odd = 0
    for value in ODD:
        found, ignored = _read(ReadableRows[kind], [row, {**row, name: value}, row])
        if (kind, name) in NEVER_IGNORED:
            found_odd += len(found.unreadable)
            assert all(error.path == f"$[1].{name}" for error in found.unreadable)
            continue
        assert (len(found.rows), found.unreadable) == (3, ())
        if ignored:
            found_odd += 1
            assert ignored == [name]
            assert found.rows[1] == absent
    assert found_odd


def test_only_fields_that_could_lose_money_are_never_ignored() -> None:
    found = {
        (kind, field.name) for kind in SAMPLES for field in attrs.fields(kind) if is_never_ignored(field)
    }
    assert found == NEVER_IGNORED


@pytest.mark.parametrize("kind", [WithdrawalAddress, DepositAddress])
def test_address_with_an_unreadable_memo_is_refused(kind: Any) -> None:
    row = _sample(kind)
    assert decode(kind, _bytes({**row, "secondary_address": 5}), asked=ASKED).secondary_address == "5"
    assert decode(kind, _bytes({**row, "secondary_address": None}), asked=ASKED).secondary_address is None
    with pytest.raises(DecodeError, match="secondary_address"):
        decode(list[kind], _bytes([row, {**row, "secondary_address": ["5"]}]), asked=ASKED)


@pytest.mark.parametrize(
    "odd",
    [{"is_cancelable": "maybe"}, {"fee": "abc"}, {"transaction_type": 5}, {"txid": {}}, {"done_at": "?"}],
)
def test_reported_invalid_fields_do_not_fail_the_list(odd: dict[str, Any]) -> None:
    (name,) = odd
    row = _sample(Withdrawal)
    found, ignored = _read(list[Withdrawal], [row, {**row, **odd}])
    assert getattr(found[1], name) is None
    assert found[0] == attrs.evolve(found[1], **{name: getattr(found[0], name)})
    assert ignored == [name]


def test_nested_invalid_field_is_reported_with_its_path() -> None:
    chance = _sample(WithdrawalChance)
    chance["withdraw_limit"] |= {"fixed": "many", "minimum": "NaN"}
    chance["member_level"]["fee_level"] = {}
    found, ignored = _read(WithdrawalChance, chance)
    assert (found.withdraw_limit.fixed, found.withdraw_limit.minimum) == (None, None)
    assert found.member_level.fee_level is None
    assert sorted(ignored) == ["member_level.fee_level", "withdraw_limit.fixed", "withdraw_limit.minimum"]


def test_reformatted_field_is_not_reported_as_ignored() -> None:
    row = _sample(Withdrawal)
    found, ignored = _read(list[Withdrawal], [{**row, "txid": 5, "transaction_type": "express"}])
    assert (found[0].txid, found[0].transaction_type) == ("5", TransactionType("express"))
    assert ignored == []


def test_fields_of_an_unreadable_record_are_not_reported() -> None:
    ignored: list[str] = []
    with pytest.raises(DecodeError):
        decode(Withdrawal, _bytes({"fee": "abc"}), asked=ASKED, ignored=ignored.append)
    assert ignored == []


@pytest.mark.parametrize("kind", [Withdrawal, Deposit])
def test_null_type_is_the_usual_one(kind: Any) -> None:
    row = _sample(kind)
    assert decode(list[kind], _bytes([{**row, "type": None}]), asked=ASKED)[0].type == row["type"]


def test_wallet_without_a_network_is_read() -> None:
    row = {key: value for key, value in _sample(WalletStatus).items() if key != "net_type"}
    assert decode(list[WalletStatus], _bytes([row]), asked=ASKED)[0].net_type is None


def test_readable_and_unreadable_rows_are_separated() -> None:
    row = _sample(Withdrawal)
    answer = [
        row,
        {**row, "uuid": "bad-1", "amount": "abc"},
        {**row, "uuid": "odd", "fee": "abc"},
        {**row, "uuid": 5, "state": None},
        "no row",
        {**row, "uuid": ""},
        {**row, "uuid": "last"},
    ]
    found, ignored = _read(ReadableRows[Withdrawal], answer)
    assert [each.uuid for each in found.rows] == [row["uuid"], "odd", "last"]
    assert [(error.path, error.uuid) for error in found.unreadable] == [
        ("$[1].amount", "bad-1"),
        ("$[3].state", None),
        ("$[4]", None),
        ("$[5]", None),
    ]
    assert ignored == ["fee"]
    for error in found.unreadable:
        assert str(error).startswith(f"{ASKED}: a record can't be read (")
        assert error.path in str(error)
        assert pickle.loads(pickle.dumps(error)).uuid == error.uuid  # noqa: S301 - our own


def test_valid_list_has_only_readable_rows() -> None:
    rows = [_sample(Withdrawal)] * 3
    found, _ = _read(ReadableRows[Withdrawal], rows)
    assert (found.rows, found.unreadable) == (decode(list[Withdrawal], _bytes(rows), asked=ASKED), ())


@pytest.mark.parametrize("body", [b"null", b"{}", b"[{}", b"", b"\xff", b"[" * 100_000])
def test_answer_that_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(ReadableRows[Withdrawal], body, asked=ASKED)
