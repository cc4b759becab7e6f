"""The official SDK, blocking and asynchronous: balances, wallets, markets and withdrawals."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from sdk import done, rows

from upbit_async.sandbox import Transitions

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox

upbit: Any = import_module("upbit")

OLD = [f"00000000-0000-4000-8000-{number:012}" for number in range(1, 7)]
TRON = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}


def error_name(error: Any) -> str:
    name: str = error.response.json()["error"]["name"]
    return name


async def test_balances(sdk: Any, sandbox: Sandbox) -> None:
    accounts = await done(sdk.accounts.list())
    assert {row.currency for row in accounts} == {"SGD", "BTC", "ETH", "XRP", "USDT"}
    for row in accounts:
        balance = sandbox.account.balance(row.currency)
        assert (Decimal(row.balance), Decimal(row.locked)) == (balance.available, balance.locked)
        assert row.unit_currency == "SGD"


async def test_wallets(sdk: Any, sandbox: Sandbox) -> None:
    wallets = await done(sdk.wallet_status.list())
    assert [(row.currency, row.net_type) for row in wallets] == list(sandbox.wallets)
    assert [row.wallet_state for row in wallets] == ["working"] * 6 + ["paused"]
    assert (wallets[0].block_height, wallets[0].block_elapsed_minutes) == (907_974, 15)
    assert wallets[-1].block_elapsed_minutes is None


async def test_markets(sdk: Any) -> None:
    markets = await done(sdk.trading_pairs.list(is_details=True))
    assert [row.market for row in markets] == ["SGD-BTC", "SGD-ETH", "SGD-XRP", "SGD-USDT", "SGD-XYZ"]
    assert {row.market_warning for row in markets} == {"NONE"}


async def test_withdrawals_are_listed_page_by_page(sdk: Any, sandbox: Sandbox) -> None:
    assert [row.uuid for row in await rows(sdk.withdraws.list(limit=4))] == OLD[::-1]
    assert [line.query for line in sandbox.requests] == [
        "limit=4",
        f"limit=4&to={OLD[2]}",
        f"limit=4&to={OLD[0]}",
    ]
    page = await done(sdk.withdraws.list(limit=4, page=2))
    assert [row.uuid for row in page.items] == OLD[1::-1]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"state": "FAILED"}, OLD[1:2]),
        ({"currency": "BTC"}, []),
        ({"uuids": [OLD[0], OLD[4]]}, [OLD[4], OLD[0]]),
        ({"from_": OLD[3]}, [OLD[5], OLD[4]]),
        ({"order_by": "asc", "to": OLD[2]}, OLD[:2]),
    ],
    ids=["state", "currency", "uuids", "from", "to"],
)
async def test_withdrawals_are_filtered(sdk: Any, filters: dict[str, Any], found: list[str]) -> None:
    page = await done(sdk.withdraws.list(**filters))
    assert [row.uuid for row in page.items] == found


async def test_withdrawal_is_found_by_uuid_or_txid(sdk: Any) -> None:
    record = await done(sdk.withdraws.retrieve(uuid=OLD[0]))
    assert (record.state, record.amount, record.fee, record.net_type) == ("DONE", "10.0", "1.0", "XRP")
    assert (await done(sdk.withdraws.retrieve(txid=record.txid))).uuid == OLD[0]
    assert [row.uuid for row in (await done(sdk.withdraws.list(txids=[record.txid]))).items] == [OLD[0]]
    assert (await done(sdk.withdraws.retrieve())).uuid == OLD[-1]


async def test_chance_and_addresses_are_read(sdk: Any, sandbox: Sandbox) -> None:
    chance = await done(sdk.withdraws.retrieve_chance(currency="USDT", net_type="TRX"))
    assert (chance.currency.code, chance.currency.withdraw_fee) == ("USDT", "1.0")
    assert chance.currency.wallet_support == ["deposit", "withdraw"]
    assert (chance.withdraw_limit.minimum, chance.withdraw_limit.fixed) == ("5.0", 6)
    assert (chance.withdraw_limit.fiat_currency, chance.account.balance) == ("SGD", "10000.0")
    assert chance.member_level.wallet_locked is False
    addresses = await done(sdk.withdraws.list_coin_addresses())
    assert [(row.withdraw_address, row.secondary_address, row.exchange_name) for row in addresses] == [
        (row.withdraw_address, row.secondary_address, row.exchange_name) for row in sandbox.account.addresses
    ]


@pytest.mark.parametrize(
    ("more", "fee"),
    [({}, "1.0"), ({"transaction_type": "internal"}, "0.0"), ({"secondary_address": None}, "1.0")],
    ids=["plain", "internal", "null"],
)
async def test_withdrawal_is_created_and_ends(
    sdk: Any, sandbox: Sandbox, more: dict[str, Any], fee: str
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_reads(1)
    record = await done(sdk.withdraws.create_withdrawal(**TRON, **more))
    assert (record.state, record.amount, record.fee) == ("WAITING", "13.0", fee)
    states = [(await done(sdk.withdraws.retrieve(uuid=record.uuid))).state for _ in range(3)]
    assert states == ["WAITING", "PROCESSING", "DONE"]
    assert [entry.uuid for entry in sandbox.ledger.settled] == [record.uuid]
    assert sandbox.ledger.moved("USDT") == 13 + Decimal(fee)


async def test_memo_is_sent(sdk: Any, sandbox: Sandbox) -> None:
    ripple = {"currency": "XRP", "net_type": "XRP", "address": "rFakeXrpWithdrawAddressFakeFakeFak"}
    await done(sdk.withdraws.create_withdrawal(**ripple, amount="25.5", secondary_address="123456789"))
    assert [entry.secondary_address for entry in sandbox.ledger.created] == ["123456789"]


async def test_withdrawal_is_cancelled(sdk: Any, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    record = await done(sdk.withdraws.create_withdrawal(**TRON))
    assert record.is_cancelable is True
    assert (await done(sdk.withdraws.cancel_withdrawal(uuid=record.uuid))).state == "CANCELLED"
    assert [entry.uuid for entry in sandbox.ledger.released] == [record.uuid]
    with pytest.raises(upbit.BadRequestError) as raised:
        await done(sdk.withdraws.cancel_withdrawal(uuid=record.uuid))
    assert error_name(raised.value) == "withdraw_not_cancelable"


async def test_refusals_are_the_errors_of_the_sdk(sdk: Any, sandbox: Sandbox) -> None:
    with pytest.raises(upbit.BadRequestError) as refused:
        await done(sdk.withdraws.create_withdrawal(**TRON | {"address": "elsewhere"}))
    assert error_name(refused.value) == "withdraw_address_not_registered"
    with pytest.raises(upbit.NotFoundError) as missing:
        await done(sdk.withdraws.retrieve(uuid="unknown"))
    assert error_name(missing.value) == "withdraw_not_found"
    sandbox.knobs.limit, sandbox.knobs.ban_after = 0, 0
    with pytest.raises(upbit.RateLimitPenaltyError, match="60 seconds"):
        await done(sdk.accounts.list())
    assert len(sandbox.ledger) == 0


async def test_wrong_keys_and_lacking_permissions(sdk: Any, sandbox: Sandbox, keys: dict[str, str]) -> None:
    with pytest.raises(upbit.AuthenticationError) as unknown:
        await done(sdk.with_options(access_key="unknown").accounts.list())
    assert error_name(unknown.value) == "invalid_access_key"
    with pytest.raises(upbit.AuthenticationError) as forged:
        await done(sdk.with_options(secret_key="x" * 40).accounts.list())
    assert error_name(forged.value) == "jwt_verification"
    key = sandbox.keys.find(keys["access_key"])
    assert key is not None
    key.permissions = frozenset({"view_withdrawals"})
    with pytest.raises(upbit.PermissionDeniedError) as denied:
        await done(sdk.withdraws.create_withdrawal(**TRON))
    assert error_name(denied.value) == "out_of_scope"
