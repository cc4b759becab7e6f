"""Answers about something else than was asked: a withdrawal is then unknown, and a check does not pass."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from upbit_async import errors
from upbit_async.models import Withdrawal
from upbit_async.protocol.echoed_fields import mismatch
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

COIN = "/v1/withdraws/coin"
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

WAYS: dict[str, Callable[[UpbitClient, dict[str, Any]], Awaitable[object]]] = {
    "create": lambda client, asked: client.withdraws.create(**asked),
    "send": lambda client, asked: client.withdraws.send(**asked),
    "check": lambda client, asked: client.withdraws.check(**asked),
    "chance": lambda client, asked: client.withdraws.chance(asked["currency"], asked["net_type"]),
    "request": lambda client, asked: client.request(
        "POST", COIN, json={**asked, "transaction_type": "default"}
    ),
}


@pytest.mark.parametrize("odd", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("how", ["create", "send", "request"])
async def test_an_accepted_withdrawal_of_something_else_is_unknown(
    client: UpbitClient,
    sandbox: Sandbox,
    says: Callable[..., None],
    tron: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    how: str,
    odd: dict[str, Any],
) -> None:
    body = json.dumps({**USUAL, **odd}).encode()
    says("POST", COIN, body)
    with caplog.at_level(logging.ERROR, "upbit_async"), pytest.raises(errors.OutcomeUnknown) as caught:
        await WAYS[how](client, tron)
    error = caught.value
    assert (error.uuid, error.raw, error.status) == (UUID, body.decode(), 200)
    assert error.may_have_executed
    assert UUID in str(error)
    assert "do not send it again" in str(error)
    assert UUID in caplog.text
    assert len(sandbox.requests.of("POST")) == 1


@pytest.mark.parametrize("same", ALIKE.values(), ids=ALIKE)
async def test_what_can_be_told_apart_by_nothing_is_taken(
    client: UpbitClient, says: Callable[..., None], tron: dict[str, Any], same: dict[str, Any]
) -> None:
    says("POST", COIN, {**USUAL, **same})
    assert (await client.withdraws.create(**tron)).uuid == UUID


async def test_an_answer_that_can_not_be_read_tells_its_uuid_if_that_can(
    client: UpbitClient, says: Callable[..., None], tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    says("POST", COIN, {**USUAL, "amount": "NaN"})
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
        says("POST", COIN, odd)
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.withdraws.create(**tron)
        assert caught.value.uuid is None


async def test_a_uuid_that_is_no_acceptance_is_not_told(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(502, "POST", COIN, body=json.dumps(USUAL).encode()))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        await client.withdraws.create(**tron)
    assert caught.value.uuid is None


async def test_a_mismatch_does_not_claim_the_withdrawal_it_names(
    client: UpbitClient, sandbox: Sandbox, says: Callable[..., None], tron: dict[str, Any]
) -> None:
    made = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    says("POST", COIN, {**USUAL, "uuid": made.uuid, "amount": "99"})
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
def test_an_amount_that_is_none_agrees_with_nothing(amount: str) -> None:
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
async def test_limits_of_something_else_are_refused_and_no_money_moves(
    client: UpbitClient,
    sandbox: Sandbox,
    says: Callable[..., None],
    tron: dict[str, Any],
    how: str,
    where: str,
    value: str,
) -> None:
    good = await client.request("GET", CHANCE, params={"currency": "USDT", "net_type": "TRX"})
    good = json.loads(json.dumps(good, default=str))
    says("GET", CHANCE, _about(good, where, value))
    with pytest.raises(errors.DecodeError, match="and Upbit answered with another") as caught:
        await WAYS[how](client, tron)
    assert not caught.value.may_have_executed
    assert not sandbox.requests.of("POST")


async def test_limits_of_all_of_another_currency_do_not_pass_a_check(
    client: UpbitClient, sandbox: Sandbox, says: Callable[..., None], tron: dict[str, Any]
) -> None:
    bitcoins = await client.request("GET", CHANCE, params={"currency": "BTC", "net_type": "BTC"})
    says("GET", CHANCE, json.dumps(bitcoins, default=str).encode())
    with pytest.raises(errors.DecodeError, match="asked for currency USDT"):
        await client.withdraws.send(**tron)
    assert not sandbox.requests.of("POST")


async def test_limits_in_another_case_and_with_the_network_are_taken(
    client: UpbitClient, says: Callable[..., None]
) -> None:
    good = await client.request("GET", CHANCE, params={"currency": "USDT", "net_type": "TRX"})
    good = json.loads(json.dumps(good, default=str))
    says("GET", CHANCE, {**_about(good, "currency.code", "usdt"), "net_type": "TRX"})
    assert (await client.withdraws.chance("USDT", "TRX")).net_type == "TRX"
