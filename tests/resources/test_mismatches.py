"""Answers about something else: a withdrawal is then unknown, and a check fails."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from clients import CREATE_PATH
from withdrawals import answer_with

from upbit_async import errors
from upbit_async.models import Withdrawal
from upbit_async.protocol.echoed_fields import mismatch
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

CHANCE = "/v1/withdraws/chance"
UUID = "33333333-0000-4000-8000-000000000003"
USUAL: dict[str, Any] = {
    "type": "withdraw",
    "uuid": UUID,
    "currency": "USDT",
    "net_type": "TRX",
    "txid": None,
    "state": "WAITING",
    "created_at": "2025-07-17T13:53:31",
    "done_at": None,
    "amount": "13.0",
    "fee": "1.0",
    "transaction_type": "default",
    "is_cancelable": False,
}
OTHERS: dict[str, dict[str, Any]] = {
    "currency": {"currency": "BTC"},
    "network": {"net_type": "ETH"},
    "type": {"transaction_type": "internal"},
    "unknown type": {"transaction_type": "express"},
    "larger": {"amount": "99"},
    "smaller": {"amount": "0.13"},
    "less than the fee off": {"amount": "12.5"},
    "more than the fee off": {"amount": "11.999999"},
    "off, and no fee": {"amount": "12", "fee": "0"},
    "off, and an unreadable fee": {"amount": "12", "fee": "abc"},
    "zero": {"amount": "0"},
    "negative": {"amount": "-13"},
}
ALIKE: dict[str, dict[str, Any]] = {
    "the same": {},
    "other zeros": {"amount": "13.000000"},
    "without the fee": {"amount": "12.0"},
    "with the fee": {"amount": "14"},
    "no network": {"net_type": None},
    "no type": {"transaction_type": None},
    "another case": {"currency": "usdt", "net_type": "trx", "transaction_type": "DEFAULT"},
    "an unreadable fee": {"fee": "abc"},
}

METHODS: dict[str, Callable[[UpbitClient, dict[str, Any]], Awaitable[object]]] = {
    "create": lambda client, asked: client.withdraws.create(**asked),
    "send": lambda client, asked: client.withdraws.send(**asked),
    "check": lambda client, asked: client.withdraws.check(**asked),
    "chance": lambda client, asked: client.withdraws.chance(asked["currency"], asked["net_type"]),
    "request": lambda client, asked: client.request(
        "POST", CREATE_PATH, json={**asked, "transaction_type": "default"}
    ),
}


@pytest.mark.parametrize("odd", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("how", ["create", "send", "request"])
async def test_answer_about_another_withdrawal_is_unknown(
    client: UpbitClient,
    sandbox: Sandbox,
    tron: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    how: str,
    odd: dict[str, Any],
) -> None:
    body = json.dumps({**USUAL, **odd}).encode()
    answer_with(sandbox, "POST", CREATE_PATH, body)
    with caplog.at_level(logging.ERROR, "upbit_async"), pytest.raises(errors.OutcomeUnknown) as caught:
        await METHODS[how](client, tron)
    error = caught.value
    assert (error.uuid, error.raw, error.status) == (UUID, body.decode(), 200)
    assert error.may_have_executed
    assert UUID in str(error)
    assert "do not send it again" in str(error)
    assert UUID in caplog.text
    assert len(sandbox.requests.of("POST")) == 1


@pytest.mark.parametrize("same", ALIKE.values(), ids=ALIKE)
async def test_equivalent_answer_is_accepted(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], same: dict[str, Any]
) -> None:
    answer_with(sandbox, "POST", CREATE_PATH, {**USUAL, **same})
    assert (await client.withdraws.create(**tron)).uuid == UUID


async def test_unreadable_answer_keeps_its_uuid_if_readable(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    answer_with(sandbox, "POST", CREATE_PATH, {**USUAL, "amount": "NaN"})
    with caplog.at_level(logging.ERROR, "upbit_async"), pytest.raises(errors.OutcomeUnknown) as caught:
        await client.withdraws.create(**tron)
    assert caught.value.uuid == UUID
    assert UUID in caplog.text
    for odd in (
        {**USUAL, "uuid": 5, "amount": "NaN"},
        {**USUAL, "uuid": "x" * 1000, "amount": "NaN"},
        [USUAL],
        b"{",
    ):
        answer_with(sandbox, "POST", CREATE_PATH, odd)
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.withdraws.create(**tron)
        assert caught.value.uuid is None


async def test_uuid_in_an_error_answer_is_not_reported(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(502, "POST", CREATE_PATH, body=json.dumps(USUAL).encode()))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        await client.withdraws.create(**tron)
    assert caught.value.uuid is None


async def test_mismatched_uuid_stays_a_candidate_in_reconcile(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    made = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    answer_with(sandbox, "POST", CREATE_PATH, {**USUAL, "uuid": made.uuid, "amount": "99"})
    with pytest.raises(errors.OutcomeUnknown) as caught:
        await client.withdraws.create(**tron)
    assert (await client.withdraws.reconcile(caught.value)).status in {"found", "ambiguous"}


def test_amounts_are_compared_exactly() -> None:
    long = "0.1234567890123456789012345678901234567890"
    record = attrs.evolve(_record(), amount=Decimal(long), fee=Decimal("1E-40"))
    names = CREATE_WITHDRAWAL.echoed_fields
    for amount, agrees in ((long, True), (long[:-1] + "1", True), (long[:-1] + "2", False)):
        assert (mismatch(names, {"amount": amount}, record) is None) is agrees


@pytest.mark.parametrize("amount", ["", "x", "NaN", "sNaN", "Infinity"])
def test_invalid_amount_matches_nothing(amount: str) -> None:
    assert mismatch(("amount",), {"amount": amount}, _record())


def _record() -> Withdrawal:
    from upbit_async.protocol.decode import decode  # noqa: PLC0415

    return decode(Withdrawal, json.dumps(USUAL).encode(), asked="")


# -- chance ----------------------------------------------------------------------------------------


def _about(chance: dict[str, Any], where: str, value: str) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(chance))
    *parts, last = where.split(".")
    inner = changed
    for part in parts:
        inner = inner[part]
    inner[last] = value
    return changed


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("currency.code", "BTC"),
        ("account.currency", "BTC"),
        ("withdraw_limit.currency", "BTC"),
        ("net_type", "ETH"),
        ("currency.net_type", "ETH"),
    ],
)
@pytest.mark.parametrize("how", ["chance", "check", "send"])
async def test_limits_of_another_currency_or_network_prevent_sending(
    client: UpbitClient,
    sandbox: Sandbox,
    tron: dict[str, Any],
    how: str,
    where: str,
    value: str,
) -> None:
    good = await client.request("GET", CHANCE, params={"currency": "USDT", "net_type": "TRX"})
    good = json.loads(json.dumps(good, default=str))
    answer_with(sandbox, "GET", CHANCE, _about(good, where, value))
    with pytest.raises(errors.DecodeError, match="and Upbit answered with another") as caught:
        await METHODS[how](client, tron)
    assert not caught.value.may_have_executed
    assert not sandbox.requests.of("POST")


async def test_limits_wholly_of_another_currency_prevent_sending(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    bitcoins = await client.request("GET", CHANCE, params={"currency": "BTC", "net_type": "BTC"})
    answer_with(sandbox, "GET", CHANCE, json.dumps(bitcoins, default=str).encode())
    with pytest.raises(errors.DecodeError, match="asked for currency USDT"):
        await client.withdraws.send(**tron)
    assert not sandbox.requests.of("POST")


async def test_limits_in_another_case_are_accepted(client: UpbitClient, sandbox: Sandbox) -> None:
    good = await client.request("GET", CHANCE, params={"currency": "USDT", "net_type": "TRX"})
    good = json.loads(json.dumps(good, default=str))
    answer_with(sandbox, "GET", CHANCE, {**_about(good, "currency.code", "usdt"), "net_type": "TRX"})
    assert (await client.withdraws.chance("USDT", "TRX")).net_type == "TRX"
