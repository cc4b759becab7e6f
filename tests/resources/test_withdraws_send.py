"""`client.withdraws.check` and `send`: reads, preflight and exactly one request."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.errors import OutcomeUnknown, PermissionDenied, PreflightFailed, ServerError, ValidationError
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient

READS = ("/v1/withdraws/coin_addresses", "/v1/status/wallet", "/v1/withdraws/chance")


async def codes(client: UpbitClient, **order: Any) -> list[str]:
    """Return the reasons why nothing can be sent, on which `check` and `send` must agree."""
    with pytest.raises(PreflightFailed) as checked:
        await client.withdraws.check(**order)
    with pytest.raises(PreflightFailed) as sent:
        await client.withdraws.send(**order)
    assert str(sent.value) == str(checked.value)
    assert not sent.value.may_have_executed
    for reason in sent.value.reasons:
        assert reason.text in str(sent.value)
    return [reason.code for reason in sent.value.reasons]


def posted(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [json.loads(line.body) for line in sandbox.requests.of("POST")]


# -- success ---------------------------------------------------------------------------------------


async def test_send_makes_three_reads_and_one_post(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    poller = await client.withdraws.send(**tron)
    assert [line.path for line in sandbox.requests] == [*READS, "/v1/withdraws/coin"]
    assert posted(sandbox) == [{**tron, "transaction_type": "default"}]
    assert poller.last is not None
    assert (poller.uuid, poller.last.state) == (poller.last.uuid, "WAITING")
    assert list(sandbox.withdrawals)[-1] == poller.uuid


async def test_send_includes_the_registered_memo(client: UpbitClient, sandbox: Sandbox) -> None:
    poller = await client.withdraws.send(currency="XRP", net_type="XRP", amount=25, exchange_name="binance")
    assert posted(sandbox) == [
        {
            "currency": "XRP",
            "net_type": "XRP",
            "amount": "25",
            "address": "rFakeXrpWithdrawAddressFakeFakeFak",
            "secondary_address": "123456789",
            "transaction_type": "default",
        }
    ]
    sandbox.withdrawals.set_state(poller.uuid, "DONE")
    assert [(entry.kind, entry.secondary_address) for entry in sandbox.ledger] == [
        ("created", "123456789"),
        ("settled", "123456789"),
    ]


@pytest.mark.parametrize("state", ["working", "withdraw_only"])
@pytest.mark.parametrize("name", ["Binance", "BINANCE", "binance"])
async def test_exchange_name_is_matched_ignoring_case(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], name: str, state: str
) -> None:
    sandbox.wallets["USDT", "TRX"].wallet_state = state
    del tron["address"]
    await client.withdraws.send(**tron, exchange_name=name)
    assert posted(sandbox)[0]["address"] == "TFakeTronWithdrawAddressFakeFakeFa"


async def test_check_returns_all_details_and_sends_nothing(client: UpbitClient, sandbox: Sandbox) -> None:
    result = await client.withdraws.check(
        currency="XRP", net_type="XRP", amount="12.3456789", exchange_name="Binance", round_down=True
    )
    assert (result.ok, result.reasons, result.warnings) == (True, (), ())
    assert (result.amount, result.fee) == (Decimal("12.345678"), Decimal(1))
    assert result.secondary_address == "123456789"
    assert result.chance is not None
    assert result.chance.withdraw_limit.remaining_daily == 0  # which is no cap
    assert {line.method for line in sandbox.requests} == {"GET"}


async def test_extra_decimals_are_cut_only_with_round_down(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    tron["amount"] = "13.12345678"
    assert await codes(client, **tron) == ["too_many_decimals"]
    assert posted(sandbox) == []
    await client.withdraws.send(**tron, round_down=True)
    assert posted(sandbox)[0]["amount"] == "13.123456"


async def test_amount_is_sent_as_written_unless_rounded(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    tron["amount"] = "13.2410"
    await client.withdraws.send(**tron)
    await client.withdraws.send(**tron, round_down=True)
    assert [Decimal(body["amount"]) for body in posted(sandbox)] == [Decimal("13.241")] * 2
    assert posted(sandbox)[0]["amount"] == "13.2410"


async def test_internal_transfer_has_no_fee(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    tron["amount"] = sandbox.account.balance("USDT").available
    assert await codes(client, **tron) == ["insufficient_balance"]
    result = await client.withdraws.check(**tron, transaction_type="internal")
    assert result.fee == 0
    assert result.transaction_type == "internal"
    await client.withdraws.send(**tron, transaction_type="internal")
    assert posted(sandbox)[0]["transaction_type"] == "internal"


async def test_close_balance_is_a_warning(client: UpbitClient, tron: dict[str, Any]) -> None:
    tron["amount"] = "9999"
    result = await client.withdraws.check(**tron)
    assert [warning.code for warning in result.warnings] == ["fee_side_undocumented"]


async def test_only_registered_address_needs_no_argument(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    address = tron.pop("address")
    await client.withdraws.send(**tron)
    assert posted(sandbox)[0]["address"] == address


# -- mistakes of Upbit's tutorial ------------------------------------------------------------------


async def test_several_addresses_of_an_exchange_are_refused(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.account.allow_address("USDT", "TRX", "TSecondTronAddressSecondSecond", exchange_name="BINANCE")
    named = tron | {"address": None, "exchange_name": "Binance"}
    assert await codes(client, **named) == ["several_addresses"]
    assert await codes(client, **{**tron, "address": None}) == ["several_addresses"]
    assert posted(sandbox) == []
    await client.withdraws.send(**tron, exchange_name="Binance")
    assert [body["address"] for body in posted(sandbox)] == [tron["address"]]


async def test_address_registered_with_two_memos_is_refused(client: UpbitClient, sandbox: Sandbox) -> None:
    address = "rFakeXrpWithdrawAddressFakeFakeFak"
    sandbox.account.allow_address("XRP", "XRP", address, secondary_address="2", exchange_name="Binance")
    assert await codes(client, currency="XRP", net_type="XRP", amount=25, address=address) == [
        "several_addresses"
    ]
    assert posted(sandbox) == []


async def test_address_registered_twice_is_one_destination(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.account.allow_address("USDT", "TRX", tron["address"], beneficiary_name="Jane")
    await client.withdraws.send(**tron)
    assert len(posted(sandbox)) == 1


# -- every error case of the tutorial --------------------------------------------------------------


async def test_missing_address_names_the_registration_page(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    for address in sandbox.account.addresses:
        sandbox.account.disallow_address(address.withdraw_address)
    assert await codes(client, **tron) == ["no_registered_address"]
    with pytest.raises(PreflightFailed, match=r"https://sg\.upbit\.com/\S+/withdraw_access_register"):
        await client.withdraws.send(**tron)
    assert posted(sandbox) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"currency": "XYZ", "net_type": "XYZ"}, ["no_address_for_currency", "wallet_not_working"]),
        ({"currency": "BTC", "net_type": "TRX"}, ["no_address_for_network", "unknown_network"]),
        ({"currency": "USDTz"}, ["no_address_for_currency", "unknown_currency"]),
        ({"address": None, "exchange_name": "Kraken"}, ["no_address_for_exchange"]),
        ({"exchange_name": "Kraken"}, ["no_address_for_exchange"]),
        ({"address": "TSomebodyElsesAddress"}, ["address_not_registered"]),
        ({"address": "tfaketronwithdrawaddressfakefakefa"}, ["address_not_registered"]),
        ({"amount": "4.99"}, ["below_minimum"]),
        ({"amount": "10000"}, ["insufficient_balance"]),
    ],
)
async def test_each_obstacle_has_its_reason(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], change: dict[str, Any], expected: list[str]
) -> None:
    found = await codes(client, **(tron | change))
    assert found[: len(expected)] == expected
    assert posted(sandbox) == []


@pytest.mark.parametrize("state", ["deposit_only", "paused", "unsupported", "brand_new"])
async def test_wallet_that_cannot_withdraw_is_the_first_reason(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], state: str
) -> None:
    sandbox.wallets["USDT", "TRX"].wallet_state = state
    assert (await codes(client, **tron))[0] == "wallet_not_working"
    with pytest.raises(PreflightFailed, match=f"is {state}, .*sg.upbit.com/service_center/wallet_status"):
        await client.withdraws.send(**tron)
    assert posted(sandbox) == []


async def test_all_reasons_are_reported_at_once(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.wallets["USDT", "TRX"].wallet_state = "paused"
    sandbox.account.member_level.locked = True
    sandbox.account.lock()
    sandbox.account.fund("USDT", -sandbox.account.balance("USDT").available)
    order = tron | {"address": "TSomebodyElsesAddress", "amount": "0.12345678"}
    assert await codes(client, **order) == [
        "address_not_registered",
        "wallet_not_working",
        "account_locked",
        "wallet_locked",
        "withdrawals_suspended",
        "too_many_decimals",
        "below_minimum",
        "insufficient_balance",
    ]
    assert posted(sandbox) == []


@pytest.mark.parametrize("region", ["id", "th"])
async def test_regions_without_exchange_names_require_an_address(region: str, tron: dict[str, Any]) -> None:
    async with Sandbox(region) as sandbox:
        client = sandbox.client()
        address = tron.pop("address")
        assert await codes(client, **tron, exchange_name="Binance") == ["exchange_name_unsupported"]
        assert posted(sandbox) == []
        await client.withdraws.send(**tron, address=address)
        assert len(posted(sandbox)) == 1


async def test_refused_limits_are_a_reason(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(404, "GET", READS[2], name="currency_not_found", times=2))
    assert await codes(client, **tron) == ["chance_refused"]
    sandbox.faults.add(Fault.status(400, "GET", READS[2], body=b"<html>", times=1))
    with pytest.raises(PreflightFailed) as caught:
        await client.withdraws.check(**tron, round_down=True)
    assert [reason.code for reason in caught.value.reasons] == ["chance_refused"]
    assert posted(sandbox) == []


@pytest.mark.parametrize("path", READS)
async def test_failed_read_is_raised_and_nothing_sent(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], path: str
) -> None:
    sandbox.faults.add(Fault.status(503, "GET", path, times=3))
    with pytest.raises(ServerError, match=path):
        await client.withdraws.send(**tron)
    sandbox.faults.add(Fault.status(403, "GET", path, name="out_of_scope"))
    with pytest.raises(PermissionDenied, match=path):
        await client.withdraws.send(**tron)
    assert posted(sandbox) == []
    await client.withdraws.send(**tron)


async def test_refusal_after_the_checks_is_raised(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(400, "POST", name="withdraw_maintain"))
    with pytest.raises(ValidationError, match="withdraw_maintain") as caught:
        await client.withdraws.send(**tron)
    assert not caught.value.may_have_executed
    assert len(posted(sandbox)) == 1


async def test_lost_answer_of_send_is_found_by_reconcile(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer("POST"))
    with pytest.raises(OutcomeUnknown, match=r"client\.withdraws\.reconcile") as caught:
        await client.withdraws.send(**tron)
    assert len(posted(sandbox)) == 1
    found = await client.withdraws.reconcile(caught.value)
    assert (found.status, found.withdrawal and found.withdrawal.uuid) == (
        "found",
        list(sandbox.withdrawals)[-1],
    )


async def test_withdrawal_is_sent_and_waited_for(sandbox: Sandbox, client: UpbitClient) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(60)
    poller = await client.withdraws.send(
        currency="USDT", net_type="TRX", amount="13.241", exchange_name="Binance"
    )
    states = [change.state.value async for change in poller.changes()]
    assert states == ["WAITING", "PROCESSING", "DONE"]
    done = await poller.result()
    assert (done.txid is None, done.amount) == (False, Decimal("13.241"))
    assert [(entry.kind, entry.total) for entry in sandbox.ledger] == [
        ("created", Decimal("14.241")),
        ("settled", Decimal("14.241")),
    ]
