"""`client.withdraws.create` and `cancel`: requests, outcomes and lost answers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from clients import CREATE_PATH
from withdrawals import answer_with, withdrawal_row

from upbit_async.errors import (
    APIError,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TransportError,
    ValidationError,
)
from upbit_async.events import RetryPlanned
from upbit_async.models import TransactionType, WithdrawalState
from upbit_async.sandbox import Fault, Knobs, Sandbox

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.events import Event

MEMO = "123456789"
BENEFICIARY = {
    "beneficiary_name": "Siti Nurhaliza & Söhne",
    "beneficiary_residential_country_code": "ID",
    "beneficiary_residential_address": "Jl. Jend. Sudirman 1+2, 100% Jakarta",
}

# -- create ----------------------------------------------------------------------------------------


async def test_create_sends_its_members_in_order_without_nulls(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    record = await client.withdraws.create(**tron)
    assert sandbox.requests.of("POST")[0].body == (
        '{"currency":"USDT","net_type":"TRX","amount":"13",'
        '"address":"TFakeTronWithdrawAddressFakeFakeFa","transaction_type":"default"}'
    )
    assert (record.state, record.amount) == (WithdrawalState.WAITING, Decimal(13))
    assert record.transaction_type is TransactionType.DEFAULT
    assert sandbox.withdrawals[record.uuid].amount == 13


async def test_create_sends_memo_and_transaction_type(client: UpbitClient, sandbox: Sandbox) -> None:
    record = await client.withdraws.create(
        currency="XRP",
        net_type="XRP",
        amount=Decimal("20.50"),
        address="rFakeXrpWithdrawAddressFakeFakeFak",
        secondary_address=MEMO,
        transaction_type="INTERNAL",
    )
    body = sandbox.requests.of("POST")[0].body
    assert list(json.loads(body).items()) == [
        ("currency", "XRP"),
        ("net_type", "XRP"),
        ("amount", "20.50"),
        ("address", "rFakeXrpWithdrawAddressFakeFakeFak"),
        ("secondary_address", MEMO),
        ("transaction_type", "internal"),
    ]
    assert record.fee == 0
    assert record.transaction_type is TransactionType.INTERNAL


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("13.2410", "13.2410"),
        (7, "7"),
        (Decimal("1E+1"), "10"),
        (Decimal("0.00001E+6"), "10"),
        (Decimal("12.500"), "12.500"),
    ],
)
async def test_amounts_are_sent_in_plain_decimals(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], amount: Any, written: str
) -> None:
    await client.withdraws.create(**{**tron, "amount": amount})
    assert json.loads(sandbox.requests.of("POST")[0].body)["amount"] == written


@pytest.mark.parametrize("amount", [Decimal("1E-8"), "0.00000001"])
async def test_smallest_amounts_keep_their_digits(client: UpbitClient, sandbox: Sandbox, amount: Any) -> None:
    sandbox.wallets["BTC", "BTC"].minimum = Decimal(0)
    await client.withdraws.create(
        currency="BTC", net_type="BTC", amount=amount, address="1FakeBtcWithdrawAddressFakeFakeFak"
    )
    assert json.loads(sandbox.requests.of("POST")[0].body)["amount"] == "0.00000001"


@pytest.mark.parametrize("space", ["space", "plus"])
async def test_extra_members_are_sent_after_the_others(tron: dict[str, Any], space: Any) -> None:
    knobs = Knobs(beneficiary_required=True, space=space)
    async with Sandbox("id", knobs=knobs) as sandbox:
        client = sandbox.client(hash_space_as_plus=space == "plus")
        with pytest.raises(ValidationError, match="beneficiary_name is missing"):
            await client.withdraws.create(**tron)
        await client.withdraws.create(**tron, extra={**BENEFICIARY, "left_out": None})
        sent = json.loads(sandbox.requests.of("POST")[-1].body)
        assert list(sent.items())[-4:] == [("transaction_type", "default"), *BENEFICIARY.items()]
        poller = await client.withdraws.send(**tron, extra=BENEFICIARY)
        assert poller.uuid in sandbox.withdrawals
        assert json.loads(sandbox.requests.of("POST")[-1].body) == sent


async def test_extra_members_are_sent_as_text(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await client.withdraws.create(
        **tron, extra={"a": 1, "b": True, "c": Decimal("1E-3"), "d": ["x", "y"], "e": False}
    )
    sent = json.loads(sandbox.requests.of("POST")[0].body)
    assert list(sent.items())[-5:] == [
        ("a", "1"),
        ("b", "true"),
        ("c", "0.001"),
        ("d", ["x", "y"]),
        ("e", "false"),
    ]


@pytest.mark.parametrize("name", ["currency", "amount", "address", "secondary_address", "transaction_type"])
@pytest.mark.parametrize("method", ["create", "send"])
async def test_extra_member_cannot_replace_a_parameter(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], method: str, name: str
) -> None:
    with pytest.raises(ValueError, match=f"extra must not hold '{name}'"):
        await getattr(client.withdraws, method)(**tron, extra={name: "other"})
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("change", "kind", "name"),
    [
        ({"address": "TAnother"}, ValidationError, "withdraw_address_not_registered"),
        ({"amount": "1"}, ValidationError, "withdraw_amount_below_minimum"),
        ({"amount": "99999"}, ValidationError, "withdraw_insufficient_balance"),
        ({"net_type": "NOPE"}, ValidationError, "invalid_parameter"),
    ],
)
async def test_named_refusals_are_certain(
    client: UpbitClient,
    sandbox: Sandbox,
    tron: dict[str, Any],
    change: dict[str, Any],
    kind: type[APIError],
    name: str,
) -> None:
    with pytest.raises(kind) as caught:
        await client.withdraws.create(**(tron | change))
    assert (caught.value.name, caught.value.may_have_executed) == (name, False)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("how", ["reset", "close", "cut", "hang"])
async def test_lost_answer_is_unknown_and_not_repeated(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], how: Any
) -> None:
    sandbox.faults.add(Fault.lose_answer("POST", how=how))
    with pytest.raises(OutcomeUnknown, match="do not send it again") as caught:
        await client.withdraws.create(**tron)
    assert caught.value.may_have_executed
    assert caught.value.intent.amount == 13
    assert caught.value.intent.address == tron["address"]
    assert tron["address"] not in str(caught.value)
    assert len(sandbox.requests.of("POST")) == 1
    assert len(sandbox.withdrawals) == 7


@pytest.mark.parametrize(
    "body", [b"{}", b'{"uuid":""}', b'{"uuid":null,"currency":"USDT","state":"WAITING","amount":"13"}', b"[]"]
)
@pytest.mark.parametrize("method", ["create", "send"])
async def test_answer_without_a_uuid_is_unknown_and_kept(
    client: UpbitClient,
    sandbox: Sandbox,
    tron: dict[str, Any],
    method: str,
    body: bytes,
) -> None:
    answer_with(sandbox, "POST", CREATE_PATH, body)
    with pytest.raises(OutcomeUnknown) as caught:
        await getattr(client.withdraws, method)(**tron)
    assert caught.value.raw == body.decode()
    assert caught.value.raw not in str(caught.value)
    assert len(sandbox.requests.of("POST")) == 1


# -- cancel ----------------------------------------------------------------------------------------


async def test_cancel_sends_the_uuid(client: UpbitClient, sandbox: Sandbox, old: list[str]) -> None:
    record = await client.withdraws.cancel(old[5])
    assert (record.uuid, record.state) == (old[5], WithdrawalState.CANCELLED)
    assert sandbox.requests.of("DELETE")[0].query == f"uuid={old[5]}"
    assert sandbox.requests.of("DELETE")[0].body == ""
    assert sandbox.withdrawals[old[5]].money == "released"


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
async def test_refused_cancel_is_raised_and_not_repeated(
    client: UpbitClient, sandbox: Sandbox, old: list[str], number: int
) -> None:
    with pytest.raises(ValidationError, match="withdraw_not_cancelable") as caught:
        await client.withdraws.cancel(old[number])
    assert not caught.value.may_have_executed
    assert len(sandbox.requests) == 1


async def test_cancel_of_an_unknown_uuid_is_not_found(client: UpbitClient) -> None:
    with pytest.raises(NotFound, match="withdraw_not_found"):
        await client.withdraws.cancel("nobody's")


async def test_cancel_with_a_lost_answer_is_read_back(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.lose_answer("DELETE"))
    record = await client.withdraws.cancel(old[5])
    assert record.state == WithdrawalState.CANCELLED
    assert [(line.method, line.status) for line in sandbox.requests] == [
        ("DELETE", None),
        ("DELETE", 400),
        ("GET", 200),
    ]


async def test_cancel_that_came_too_late_is_refused(sandbox: Sandbox, old: list[str]) -> None:
    def observe(event: Event) -> None:
        if isinstance(event, RetryPlanned):
            sandbox.withdrawals.set_state(old[5], "DONE")

    client = sandbox.client(observer=observe)
    sandbox.faults.add(Fault.reset_before("DELETE"))
    with pytest.raises(ValidationError, match="withdraw_not_cancelable") as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
    assert (await client.withdraws.get(old[5])).state == "DONE"


async def test_refused_cancel_that_cannot_be_read_back_is_raised(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.lose_answer("DELETE"), Fault.status(503, "GET", times=None))
    with pytest.raises(ValidationError, match="withdraw_not_cancelable") as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
    assert isinstance(caught.value.__cause__, ServerError)


async def test_unanswered_cancel_may_have_executed(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.lose_answer("DELETE", times=None))
    with pytest.raises(TransportError) as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
    assert len(sandbox.requests) == 3


async def test_cancel_executed_during_an_outage_is_read_back(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.status(502, "DELETE", before=False, body="html", times=None))
    assert (await client.withdraws.cancel(old[5])).state == WithdrawalState.CANCELLED


async def test_cancel_answered_with_another_uuid_may_have_executed(
    client: UpbitClient,
    sandbox: Sandbox,
    old: list[str],
) -> None:
    answer_with(sandbox, "DELETE", CREATE_PATH, withdrawal_row(old[0], state="CANCELLED"))
    with pytest.raises(DecodeError, match=f"asked for uuid {old[5]}") as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
