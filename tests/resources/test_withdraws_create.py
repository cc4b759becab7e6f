"""`client.withdraws.create` and `cancel`: what goes out, and what comes of it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

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
    from collections.abc import Callable

    from upbit_async.client import UpbitClient
    from upbit_async.events import Event

COIN = "/v1/withdraws/coin"
MEMO = "123456789"
BENEFICIARY = {
    "beneficiary_name": "Siti Nurhaliza & Söhne",
    "beneficiary_residential_country_code": "ID",
    "beneficiary_residential_address": "Jl. Jend. Sudirman 1+2, 100% Jakarta",
}

# -- create ----------------------------------------------------------------------------------------


async def test_a_withdrawal_goes_out_with_its_members_in_order_and_no_nulls(
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


async def test_memo_and_way_are_sent_where_they_are_given(client: UpbitClient, sandbox: Sandbox) -> None:
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
async def test_amounts_are_written_in_plain_decimals(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], amount: Any, written: str
) -> None:
    await client.withdraws.create(**{**tron, "amount": amount})
    assert json.loads(sandbox.requests.of("POST")[0].body)["amount"] == written


@pytest.mark.parametrize("amount", [Decimal("1E-8"), "0.00000001"])
async def test_the_smallest_amounts_keep_their_digits(
    client: UpbitClient, sandbox: Sandbox, amount: Any
) -> None:
    sandbox.wallets["BTC", "BTC"].minimum = Decimal(0)
    await client.withdraws.create(
        currency="BTC", net_type="BTC", amount=amount, address="1FakeBtcWithdrawAddressFakeFakeFak"
    )
    assert json.loads(sandbox.requests.of("POST")[0].body)["amount"] == "0.00000001"


@pytest.mark.parametrize("space", ["space", "plus"])
async def test_indonesias_members_are_signed_and_sent_behind_the_others(
    tron: dict[str, Any], space: Any
) -> None:
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


async def test_further_members_may_be_numbers_and_truths_and_go_out_as_text(
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
async def test_a_further_member_may_not_replace_a_parameter(
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
async def test_what_upbit_refuses_is_refused_for_sure(
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
async def test_a_lost_answer_is_told_as_such_and_nothing_is_sent_again(
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
async def test_an_answer_without_a_uuid_leaves_the_outcome_unknown_and_is_kept(
    client: UpbitClient,
    sandbox: Sandbox,
    says: Callable[..., None],
    tron: dict[str, Any],
    method: str,
    body: bytes,
) -> None:
    says("POST", COIN, body)
    with pytest.raises(OutcomeUnknown) as caught:
        await getattr(client.withdraws, method)(**tron)
    assert caught.value.raw == body.decode()
    assert len(sandbox.requests.of("POST")) == 1


# -- cancel ----------------------------------------------------------------------------------------


async def test_a_waiting_withdrawal_is_cancelled_by_its_uuid(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    record = await client.withdraws.cancel(old[5])
    assert (record.uuid, record.state) == (old[5], WithdrawalState.CANCELLED)
    assert sandbox.requests.of("DELETE")[0].query == f"uuid={old[5]}"
    assert sandbox.requests.of("DELETE")[0].body == ""
    assert sandbox.withdrawals[old[5]].money == "released"


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
async def test_a_refused_cancellation_is_raised_and_asked_for_once(
    client: UpbitClient, sandbox: Sandbox, old: list[str], number: int
) -> None:
    with pytest.raises(ValidationError, match="withdraw_not_cancelable") as caught:
        await client.withdraws.cancel(old[number])
    assert not caught.value.may_have_executed
    assert len(sandbox.requests) == 1


async def test_what_is_unknown_can_not_be_cancelled(client: UpbitClient) -> None:
    with pytest.raises(NotFound, match="withdraw_not_found"):
        await client.withdraws.cancel("nobody's")


async def test_a_cancellation_whose_answer_was_lost_is_settled_by_reading(
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


async def test_a_cancellation_that_lost_the_race_is_refused(sandbox: Sandbox, old: list[str]) -> None:
    def observe(event: Event) -> None:
        if isinstance(event, RetryPlanned):
            sandbox.withdrawals.set_state(old[5], "DONE")

    client = sandbox.client(observer=observe)
    sandbox.faults.add(Fault.reset_before("DELETE"))
    with pytest.raises(ValidationError, match="withdraw_not_cancelable") as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
    assert (await client.withdraws.get(old[5])).state == "DONE"


async def test_a_refusal_that_can_not_be_settled_by_reading_is_told_as_it_was(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.lose_answer("DELETE"), Fault.status(503, "GET", times=None))
    with pytest.raises(ValidationError, match="withdraw_not_cancelable") as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
    assert isinstance(caught.value.__cause__, ServerError)


async def test_a_cancellation_that_upbit_never_answers_may_have_happened(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.lose_answer("DELETE", times=None))
    with pytest.raises(TransportError) as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
    assert len(sandbox.requests) == 3


async def test_an_outage_that_cancelled_all_the_same_is_a_cancellation(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.status(502, "DELETE", before=False, body="html", times=None))
    assert (await client.withdraws.cancel(old[5])).state == WithdrawalState.CANCELLED


async def test_a_cancellation_answered_with_another_withdrawal_may_have_happened(
    client: UpbitClient,
    says: Callable[..., None],
    row: Callable[..., dict[str, Any]],
    old: list[str],
) -> None:
    says("DELETE", COIN, row(old[0], state="CANCELLED"))
    with pytest.raises(DecodeError, match=f"asked for uuid {old[5]}") as caught:
        await client.withdraws.cancel(old[5])
    assert caught.value.may_have_executed
