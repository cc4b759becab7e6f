"""`client.withdraws`: list, get, latest, chance and addresses."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from withdrawals import answer_with, withdrawal_row

from upbit_async.errors import DecodeError, NotFound, ValidationError
from upbit_async.models import WithdrawalState

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

ONE, MANY = "/v1/withdraw", "/v1/withdraws"

# -- list ------------------------------------------------------------------------------------------


async def test_list_sends_every_parameter(client: UpbitClient, sandbox: Sandbox, old: list[str]) -> None:
    await client.withdraws.list(
        currency="XRP",
        state=WithdrawalState.DONE,
        uuids=old[:2],
        limit=5,
        page=2,
        order_by="asc",
        from_=old[0],
        to=old[5],
    )
    assert sandbox.requests[-1].query == (
        f"currency=XRP&state=DONE&uuids[]={old[0]}&uuids[]={old[1]}"
        f"&limit=5&page=2&order_by=asc&from={old[0]}&to={old[5]}"
    )
    await client.withdraws.list(txids=("a b", "c+d&e"), state="canceled")
    assert sandbox.requests[-1].query == (
        "state=CANCELLED&txids[]=a%20b&txids[]=c%2Bd%26e&limit=100&order_by=desc"
    )


async def test_list_is_filtered_and_ordered_by_upbit(client: UpbitClient, old: list[str]) -> None:
    assert [row.uuid for row in await client.withdraws.list()] == old[::-1]
    assert [row.uuid for row in await client.withdraws.list(order_by="asc", limit=2)] == old[:2]
    assert [row.uuid for row in await client.withdraws.list(order_by="asc", limit=2, page=2)] == old[2:4]
    assert [row.uuid for row in await client.withdraws.list(from_=old[1], to=old[4])] == [old[3], old[2]]
    assert [row.uuid for row in await client.withdraws.list(uuids=iter(old[:2]))] == [old[1], old[0]]  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    (done,) = await client.withdraws.list(state="DONE")
    assert (done.uuid, done.state, done.amount, done.fee) == (
        old[0],
        WithdrawalState.DONE,
        Decimal(10),
        Decimal(1),
    )
    assert done.txid is not None
    assert [row.uuid for row in await client.withdraws.list(txids=[done.txid])] == [old[0]]


async def test_list_keeps_its_limit_if_upbit_ignores_it(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", MANY, [withdrawal_row(f"u{number}") for number in range(9)])
    assert [each.uuid for each in await client.withdraws.list(limit=5)] == ["u0", "u1", "u2", "u3", "u4"]


async def test_empty_ids_return_nothing_without_a_request(client: UpbitClient, sandbox: Sandbox) -> None:
    assert await client.withdraws.list(uuids=[]) == []
    assert await client.withdraws.list(txids=()) == []
    assert await client.withdraws.list(uuids=iter(list[str]())) == []  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert len(sandbox.requests) == 0


async def test_list_accepts_at_most_a_hundred_ids(client: UpbitClient, sandbox: Sandbox) -> None:
    await client.withdraws.list(uuids=[f"u{number}" for number in range(100)])
    assert sandbox.requests[-1].query.count("uuids[]=") == 100
    sandbox.requests.clear()
    with pytest.raises(ValueError, match="at most 100 ids at once, got 101"):
        await client.withdraws.list(uuids=["u"] * 101)
    with pytest.raises(ValueError, match="exclude each other"):
        await client.withdraws.list(uuids=["u"], txids=["t"])
    with pytest.raises(ValueError, match="exclude each other"):
        await client.withdraws.list(uuids=[], txids=["t"])
    with pytest.raises(ValueError, match="limit must be from 1 to 100"):
        await client.withdraws.list(uuids=[], limit=0)
    assert len(sandbox.requests) == 0


# -- get and latest --------------------------------------------------------------------------------


async def test_get_finds_by_uuid_or_txid(client: UpbitClient, old: list[str]) -> None:
    record = await client.withdraws.get(old[0])
    assert record.uuid == old[0]
    assert await client.withdraws.get(txid=record.txid) == record
    with pytest.raises(NotFound, match="withdraw_not_found"):
        await client.withdraws.get("nobody's")


async def test_get_requires_exactly_one_id(client: UpbitClient, sandbox: Sandbox) -> None:
    for ids in ({}, {"uuid": None}, {"uuid": ""}, {"uuid": " "}, {"txid": ""}, {"uuid": "u", "txid": "t"}):
        with pytest.raises(ValueError, match=r"uuid|txid"):
            await client.withdraws.get(**ids)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("name", ["uuid", "txid"])
async def test_answer_about_another_withdrawal_is_refused(
    client: UpbitClient,
    sandbox: Sandbox,
    old: list[str],
    name: str,
) -> None:
    answer_with(sandbox, "GET", ONE, withdrawal_row("another", txid="another"))
    with pytest.raises(
        DecodeError, match=f"asked for {name} {old[0]}, and Upbit answered with another"
    ) as caught:
        await client.withdraws.get(**{name: old[0]})
    assert (caught.value.path, caught.value.may_have_executed) == (f"$.{name}", False)
    assert (await client.withdraws.get(old[0])).uuid == old[0]


async def test_answer_without_the_requested_txid_is_refused(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", ONE, withdrawal_row(txid=None))
    with pytest.raises(DecodeError, match="asked for txid wanted, and Upbit answered with another"):
        await client.withdraws.get(txid="wanted")


async def test_ids_are_compared_ignoring_case(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", ONE, withdrawal_row("ABC-def", txid="0xAB"), times=2)
    assert (await client.withdraws.get("abc-DEF")).uuid == "ABC-def"
    assert (await client.withdraws.get(txid="0Xab")).txid == "0xAB"


async def test_latest_checks_the_currency_of_the_answer(
    client: UpbitClient,
    sandbox: Sandbox,
    old: list[str],
) -> None:
    assert (await client.withdraws.latest()).uuid == old[-1]
    assert sandbox.requests[-1].query == ""
    assert (await client.withdraws.latest("XRP")).uuid == old[-1]
    assert sandbox.requests[-1].query == "currency=XRP"
    with pytest.raises(NotFound):
        await client.withdraws.latest("BTC")
    answer_with(sandbox, "GET", ONE, withdrawal_row(currency="XRP"))
    with pytest.raises(DecodeError, match="asked for currency BTC"):
        await client.withdraws.latest("BTC")


async def test_done_at_and_is_cancelable_do_not_decide_the_state(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    failed = await client.withdraws.get(old[1])
    assert (failed.state, failed.done_at is None) == (WithdrawalState.FAILED, False)
    cancelled = await client.withdraws.cancel(old[5])
    assert (cancelled.state, cancelled.is_cancelable, cancelled.done_at) == ("CANCELLED", True, None)
    sandbox.withdrawals[old[4]].done_at = sandbox.now
    processing = await client.withdraws.get(old[4])
    assert (processing.state.is_final, processing.done_at is None) == (False, False)


# -- limits and addresses --------------------------------------------------------------------------


async def test_chance_of_a_paused_wallet_has_no_support(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.wallets["USDT", "TRX"].wallet_state = "paused"
    chance = await client.withdraws.chance("USDT", "TRX")
    assert sandbox.requests[-1].query == "currency=USDT&net_type=TRX"
    assert chance.currency.wallet_state == "working"
    assert chance.currency.wallet_support == ()
    assert chance.withdraw_limit.remaining_daily == 0
    assert (chance.withdraw_limit.minimum, chance.withdraw_limit.fixed) == (Decimal(5), 6)
    assert chance.account.balance == Decimal(10000)


async def test_chance_of_an_unknown_wallet_is_refused(client: UpbitClient) -> None:
    with pytest.raises(ValidationError, match="invalid_parameter"):
        await client.withdraws.chance("USDTz", "TRX")


async def test_addresses_are_filtered_by_the_client(client: UpbitClient, sandbox: Sandbox) -> None:
    everything = await client.withdraws.addresses()
    assert len(everything) == len(sandbox.account.addresses)
    assert [each.net_type for each in await client.withdraws.addresses("USDT")] == ["ETH", "TRX", "APT"]
    assert [each.currency for each in await client.withdraws.addresses(net_type="ETH")] == ["ETH", "USDT"]
    (tron,) = await client.withdraws.addresses("USDT", "TRX", "bINANCE")
    assert (tron.withdraw_address, tron.exchange_name) == ("TFakeTronWithdrawAddressFakeFakeFa", "Binance")
    assert await client.withdraws.addresses("ETH", "ETH", "Binance") == []
    assert await client.withdraws.addresses("usdt") == []
    assert {line.query for line in sandbox.requests} == {""}
