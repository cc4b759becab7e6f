"""ccxt: what it can do with a wallet."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox

ccxt: Any = import_module("ccxt.async_support")

OLD = [f"00000000-0000-4000-8000-{number:012}" for number in range(1, 7)]
TRON = ("USDT", 13.5, "TFakeTronWithdrawAddressFakeFakeFa")


def statuses(sandbox: Sandbox) -> set[int | None]:
    return {line.status for line in sandbox.requests}


async def test_markets_are_loaded_without_a_key(exchange: Any, sandbox: Sandbox) -> None:
    markets = await exchange.load_markets()
    assert list(markets) == ["BTC/SGD", "ETH/SGD", "XRP/SGD", "USDT/SGD", "XYZ/SGD"]
    assert [(line.path, line.access_key) for line in sandbox.requests] == [("/v1/market/all", None)]
    assert exchange.currencies["USDT"]["id"] == "USDT"


async def test_balances(exchange: Any, sandbox: Sandbox) -> None:
    balance = await exchange.fetch_balance()
    assert balance["USDT"] == {"free": 10_000.0, "used": 0.0, "total": 10_000.0}
    locked = sandbox.account.balance("XRP").locked
    assert (balance["XRP"]["used"], balance["SGD"]["free"]) == (float(locked), 1_000_000.0)


async def test_withdrawals_are_listed(exchange: Any, sandbox: Sandbox) -> None:
    listed = await exchange.fetch_withdrawals()
    assert [row["id"] for row in listed] == OLD  # it sorts by time
    assert [row["status"] for row in listed] == ["ok", "failed", "cancelled", "failed", "pending", "waiting"]
    assert {(row["amount"], row["fee"]["cost"], row["currency"]) for row in listed} == {(10.0, 1.0, "XRP")}
    newest = await exchange.fetch_withdrawals("XRP", limit=2, params={"state": "DONE"})
    assert [row["id"] for row in newest] == OLD[:1]
    assert sandbox.requests[-1].query == "currency=XRP&limit=2&state=DONE"


async def test_one_withdrawal_by_either_id(exchange: Any) -> None:
    record = await exchange.fetch_withdrawal(OLD[0], "XRP")
    assert (record["id"], record["status"], record["type"]) == (OLD[0], "ok", "withdrawal")
    by_txid = await exchange.fetch_withdrawal("", params={"txid": record["txid"]})
    assert by_txid["id"] == OLD[0]


async def test_a_withdrawal_from_the_order_to_its_end(exchange: Any, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.after_reads(1)
    record = await exchange.withdraw(*TRON, {"network": "TRX"})
    states = [(await exchange.fetch_withdrawal(record["id"]))["status"] for _ in range(3)]
    assert states == ["waiting", "pending", "ok"]
    assert [entry.uuid for entry in sandbox.ledger.settled] == [record["id"]]
    assert sandbox.ledger.moved("USDT") == 14.5
    assert statuses(sandbox) == {200, 201}


async def test_the_memo_goes_along(exchange: Any, sandbox: Sandbox) -> None:
    address = "rFakeXrpWithdrawAddressFakeFakeFak"
    await exchange.withdraw("XRP", 25, address, {"network": "XRP", "tag": "123456789"})
    assert [entry.secondary_address for entry in sandbox.ledger.created] == ["123456789"]


async def test_fees_and_limits_of_a_network(exchange: Any) -> None:
    currency = await exchange.fetch_currency("USDT", {"net_type": "TRX"})
    assert (currency["active"], currency["fee"], currency["limits"]["withdraw"]["min"]) == (True, 1.0, 5.0)


async def test_endpoints_without_a_method(exchange: Any, sandbox: Sandbox) -> None:
    assert len(await exchange.private_get_status_wallet()) == 7
    assert len(await exchange.private_get_withdraws_coin_addresses()) == 6
    cancelled = await exchange.private_delete_withdraws_coin({"uuid": OLD[-1]})
    assert cancelled["state"] == "CANCELLED"
    listed = await exchange.private_get_withdraws({"uuids[]": OLD[0]})
    assert [row["uuid"] for row in listed] == OLD[:1]
    assert statuses(sandbox) == {200}


async def test_deposits_are_listed(exchange: Any, sandbox: Sandbox) -> None:
    listed = await exchange.fetch_deposits()
    assert [row["id"] for row in listed] == list(sandbox.deposits)
    assert (listed[0]["currency"], listed[0]["amount"], listed[0]["type"]) == ("SGD", 100_000.0, "deposit")
    assert [row["status"] for row in listed[1:3]] == ["travel_rule_suspected", "cancelled"]
    newest = await exchange.fetch_deposits("USDT", limit=2)
    assert [row["id"] for row in newest] == list(sandbox.deposits)[-2:]


async def test_a_deposit_is_watched_to_its_end(exchange: Any, sandbox: Sandbox) -> None:
    deposit = sandbox.deposits.arrive(
        "USDT", "TRX", "12.5", transitions=Transitions.after_reads(1, states=("ACCEPTED",))
    )
    seen = [await exchange.fetch_deposit(deposit.uuid, "USDT") for _ in range(2)]
    assert [row["status"] for row in seen] == ["pending", "ok"]
    assert (await exchange.fetch_deposit("", params={"txid": deposit.txid}))["id"] == deposit.uuid
    assert (await exchange.fetch_balance())["USDT"]["free"] == 10_012.5


async def test_deposit_addresses(exchange: Any, sandbox: Sandbox) -> None:
    addresses = await exchange.fetch_deposit_addresses(["BTC", "XRP"])
    assert [(row["currency"], row["network"], row["tag"]) for row in addresses] == [
        ("BTC", "BTC", None),
        ("XRP", "XRP", "3000000001"),
    ]
    one = await exchange.fetch_deposit_address("XRP", {"network": "XRP"})
    assert one["address"] == addresses[1]["address"]
    sandbox.knobs.address_seconds, sandbox.knobs.address_reads = None, 1
    for _ in range(2):
        with pytest.raises(ccxt.AddressPending):
            await exchange.create_deposit_address("USDT", {"net_type": "TRX"})
    made = await exchange.create_deposit_address("USDT", {"net_type": "TRX"})
    again = await exchange.fetch_deposit_address("USDT", {"network": "TRX"})
    assert again["address"] == made["address"]
    assert made["network"] == "TRC20"  # it tells a name that it doesn't take
    with pytest.raises(ccxt.ExchangeError, match="invalid_parameter"):
        await exchange.fetch_deposit_address("USDT", {"network": "TRC20"})


async def test_the_travel_rule_and_other_endpoints_of_deposits(exchange: Any, sandbox: Sandbox) -> None:
    chance = await exchange.private_get_deposits_chance_coin({"currency": "USDT", "net_type": "TRX"})
    assert chance["is_deposit_possible"] is True
    (vasp, _) = await exchange.private_get_travel_rule_vasps()
    (suspected,) = await exchange.fetch_deposits(params={"state": "TRAVEL_RULE_SUSPECTED"})
    verified = await exchange.private_post_travel_rule_deposit_uuid(
        {"deposit_uuid": suspected["id"], "vasp_uuid": vasp["vasp_uuid"]}
    )
    assert verified["verification_result"] == "verified"
    assert sandbox.deposits[suspected["id"]].state == "PROCESSING"


@pytest.mark.parametrize("region", ["kr"])
async def test_korea(exchange: Any, sandbox: Sandbox, keys: dict[str, str]) -> None:
    (key,) = await exchange.private_get_api_keys()
    assert key["access_key"] == keys["access_key"]
    record = await exchange.withdraw("KRW", 10_000, "", {"two_factor_type": "kakao"})
    assert (record["currency"], record["amount"]) == ("KRW", 10_000.0)
    assert [entry.uuid for entry in sandbox.ledger.created] == [record["id"]]
    await exchange.private_post_deposits_krw({"amount": "10000", "two_factor_type": "naver"})
    assert statuses(sandbox) == {200, 201}


async def test_refusals_are_errors_of_ccxt(exchange: Any, sandbox: Sandbox) -> None:
    with pytest.raises(ccxt.ExchangeError, match="withdraw_address_not_registered"):
        await exchange.withdraw("USDT", 13, "elsewhere", {"network": "TRX"})
    exchange.secret = "x" * 40
    with pytest.raises(ccxt.AuthenticationError, match="jwt_verification"):
        await exchange.fetch_balance()
    exchange.apiKey = "unknown"
    with pytest.raises(ccxt.AuthenticationError, match="invalid_access_key"):
        await exchange.fetch_balance()
    assert len(sandbox.ledger) == 0


# -- what it does with answers that are lost or wrong ----------------------------------------------


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_lost_answer_is_called_safe_to_repeat(exchange: Any, sandbox: Sandbox, how: Any) -> None:
    await exchange.load_markets()
    sandbox.faults.add(Fault.lose_answer("POST", how=how))
    with pytest.raises(ccxt.OperationFailed) as raised:  # its manual: "may be retried"
        await exchange.withdraw(*TRON, {"network": "TRX"})
    assert isinstance(raised.value, ccxt.NetworkError)
    assert len(sandbox.ledger.created) == 1


async def test_its_own_option_to_repeat_pays_twice(exchange: Any, sandbox: Sandbox) -> None:
    exchange.options["maxRetriesOnFailure"] = 3
    sandbox.faults.add(Fault.lose_answer("POST"))
    record = await exchange.withdraw(*TRON, {"network": "TRX"})
    assert sandbox.ledger.created[1].uuid == record["id"]


@pytest.mark.parametrize("body", ["text", "html", "empty", "wrong json"])
async def test_any_answer_is_a_withdrawal_without_an_id(exchange: Any, sandbox: Sandbox, body: Any) -> None:
    sandbox.faults.add(Fault.garbage("POST", body=body))
    record = await exchange.withdraw(*TRON, {"network": "TRX"})
    assert (record["id"], record["status"]) == (None, None)
    assert len(sandbox.ledger.created) == 1


async def test_small_amounts_are_hashed_otherwise_than_they_are_sent(exchange: Any, sandbox: Sandbox) -> None:
    address = "1FakeBtcWithdrawAddressFakeFakeFak"
    with pytest.raises(ccxt.ExchangeError, match="invalid_query_payload"):
        await exchange.withdraw("BTC", 0.00005, address, {"network": "BTC"})
    assert '"amount":0.00005' in sandbox.requests[-1].body
    await exchange.withdraw("BTC", "0.00005", address, {"network": "BTC"})
    assert [str(entry.amount) for entry in sandbox.ledger.created] == ["0.00005"]
