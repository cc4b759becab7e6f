"""The official SDK, blocking and asynchronous: deposits, their addresses, the travel rule, and Korea."""

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

OLD = [f"00000000-0000-4000-8000-{number:012}" for number in range(101, 108)]
SUSPECTED = OLD[1]
TRON = {"currency": "USDT", "net_type": "TRX"}


async def test_deposits_are_listed_page_by_page(sdk: Any, sandbox: Sandbox) -> None:
    assert [row.uuid for row in await rows(sdk.deposits.list(limit=5))] == OLD[::-1]
    assert [line.query for line in sandbox.requests] == [
        "limit=5",
        f"limit=5&to={OLD[2]}",
        f"limit=5&to={OLD[0]}",
    ]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"state": "TRAVEL_RULE_SUSPECTED"}, [SUSPECTED]),
        ({"currency": "SGD"}, OLD[:1]),
        ({"uuids": [OLD[0], OLD[4]], "order_by": "asc"}, [OLD[0], OLD[4]]),
        ({"txids": [f"{'f' * 60}{103:04x}"]}, [OLD[2]]),
        ({"page": 2, "limit": 6}, OLD[:1]),
    ],
    ids=["state", "currency", "uuids", "txids", "page"],
)
async def test_deposits_are_filtered(sdk: Any, filters: dict[str, Any], found: list[str]) -> None:
    page = await done(sdk.deposits.list(**filters))
    assert [row.uuid for row in page.items] == found


async def test_deposit_is_found_by_uuid_or_txid(sdk: Any) -> None:
    record = await done(sdk.deposits.retrieve(uuid=OLD[2]))
    assert (record.state, record.amount, record.currency) == ("CANCELLED", "35.72344", "USDT")
    assert (await done(sdk.deposits.retrieve(txid=record.txid, currency="USDT"))).uuid == OLD[2]
    assert (await done(sdk.deposits.retrieve())).uuid == OLD[-1]
    with pytest.raises(upbit.NotFoundError, match="deposit_not_found"):
        await done(sdk.deposits.retrieve(uuid="unknown"))


async def test_deposit_is_polled_to_its_end(sdk: Any, sandbox: Sandbox) -> None:
    before = sandbox.account.balance("USDT").available
    deposit = sandbox.deposits.arrive(
        "USDT", "TRX", "12.5", transitions=Transitions.after_reads(1, states=("ACCEPTED",))
    )
    states = [(await done(sdk.deposits.retrieve(uuid=deposit.uuid))).state for _ in range(2)]
    assert states == ["PROCESSING", "ACCEPTED"]
    assert sandbox.account.balance("USDT").available - before == Decimal("12.5")


async def test_deposit_chance_is_read(sdk: Any) -> None:
    chance = await done(sdk.deposits.retrieve_chance(**TRON))
    assert (chance.is_deposit_possible, chance.decimal_precision) == (True, 6)
    chance = await done(sdk.deposits.retrieve_chance(currency="XYZ", net_type="XYZ"))
    assert chance.is_deposit_possible is False
    assert "suspended" in chance.deposit_impossible_reason


async def test_address_is_generated_on_request(sdk: Any, sandbox: Sandbox) -> None:
    sandbox.knobs.address_seconds, sandbox.knobs.address_reads = None, 1
    with pytest.raises(upbit.NotFoundError, match="coin_address_not_found"):
        await done(sdk.deposits.retrieve_coin_address(**TRON))
    pending = await done(sdk.deposits.create_coin_address(**TRON))
    assert (type(pending).__name__, pending.success) == ("GenerateCoinAddressResponse", True)
    assert (await done(sdk.deposits.retrieve_coin_address(**TRON))).deposit_address is None
    address = await done(sdk.deposits.create_coin_address(**TRON))
    assert (type(address).__name__, address.currency, address.net_type) == ("DepositAddress", "USDT", "TRX")
    assert await done(sdk.deposits.create_coin_address(**TRON)) == address
    assert await done(sdk.deposits.retrieve_coin_address(**TRON)) == address
    listed = await done(sdk.deposits.list_coin_addresses())
    assert [(row.currency, row.secondary_address) for row in listed] == [
        ("BTC", None),
        ("ETH", None),
        ("XRP", "3000000001"),
        ("USDT", None),
    ]


@pytest.mark.parametrize("region", ["sg", "kr"])
async def test_travel_rule_verifies_a_deposit(sdk: Any, sandbox: Sandbox) -> None:
    vasps = await done(sdk.travel_rule.list_vasps())
    assert [(row.vasp_name, row.withdrawable) for row in vasps] == [
        ("Example Exchange A", True),
        ("Example Exchange B", False),
    ]
    vasp = vasps[0].vasp_uuid
    result = await done(sdk.travel_rule.verify_deposit_by_uuid(deposit_uuid=SUSPECTED, vasp_uuid=vasp))
    assert (result.deposit_uuid, result.verification_result) == (SUSPECTED, "verified")
    assert result.deposit_state == sandbox.deposits[SUSPECTED].state == "PROCESSING"
    other = sandbox.deposits.arrive(
        "USDT", "TRX", 7, vasp_name=vasps[0].vasp_name, transitions=Transitions.suspected()
    )
    by_txid = sdk.travel_rule.verify_deposit_by_txid(txid=other.txid, vasp_uuid=vasp, **TRON)
    assert (await done(by_txid)).deposit_uuid == other.uuid
    once = sdk.with_options(max_retries=0).travel_rule
    with pytest.raises(upbit.RateLimitError):
        await done(once.verify_deposit_by_uuid(deposit_uuid=SUSPECTED, vasp_uuid=vasp))


@pytest.mark.parametrize("region", ["kr"])
async def test_korea(sdk: Any, sandbox: Sandbox, keys: dict[str, str]) -> None:
    assert [row.access_key for row in await done(sdk.api_keys.list())] == [keys["access_key"]]
    withdrawal = await done(sdk.withdraws.create_krw_withdrawal(amount="10000", two_factor_type="kakao"))
    assert (withdrawal.currency, withdrawal.net_type) == ("KRW", None)
    assert (withdrawal.is_cancelable, withdrawal.amount) == (False, "10000.0")
    assert [entry.uuid for entry in sandbox.ledger.created] == [withdrawal.uuid]
    deposit = await done(sdk.deposits.deposit_krw(amount="10000", two_factor_type="naver"))
    assert (deposit.currency, deposit.state) == ("KRW", "PROCESSING")
    sandbox.deposits.set_state(deposit.uuid, "ACCEPTED")
    assert sandbox.ledger[-1].uuid == deposit.uuid
    markets = await done(sdk.trading_pairs.list(is_details=True))
    assert (markets[0].korean_name, markets[0].market_event.warning) == ("비트코인", False)


@pytest.mark.parametrize("region", ["id", "th"])
async def test_missing_endpoints_of_other_regions_are_not_found(sdk: Any) -> None:
    for call in (sdk.api_keys.list, sdk.travel_rule.list_vasps):
        with pytest.raises(upbit.NotFoundError):
            await done(call())
