"""A withdrawal is accepted only if everything about it is right."""

from __future__ import annotations

from decimal import Decimal

import pytest
from answers import error_of
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.sandbox import Sandbox

COIN = "/v1/withdraws/coin"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"currency": ""}, "currency is empty"),
        ({"amount": "", "address": ""}, "amount is empty, address is empty"),
        ({"amount": "abc"}, "amount does not have a valid value"),
        ({"amount": "-1"}, "amount does not have a valid value"),
        ({"amount": "0.0"}, "amount does not have a valid value"),
        ({"amount": "1e3"}, "amount does not have a valid value"),
        ({"amount": "٣"}, "amount does not have a valid value"),
        ({"transaction_type": "instant"}, "transaction_type does not have a valid value"),
        ({"secondary_address": ""}, "secondary_address is empty"),
    ],
)
async def test_malformed_members_are_named(
    client: SignedClient, sandbox: Sandbox, changes: dict[str, str], message: str
) -> None:
    response = await client.withdraw(**changes)
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == message
    assert len(sandbox.ledger) == 0


async def test_missing_members_are_named(client: SignedClient) -> None:
    response = await client.post(
        COIN, {"currency": "USDT", "address": True}, text="currency=USDT&address=true"
    )
    assert response.json()["error"]["message"] == (
        "net_type is missing, amount is missing, address does not have a valid value"
    )
    response = await client.http.post(COIN, headers={"Authorization": f"Bearer {client.token()}"})
    assert error_of(response) == (400, "validation_error")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"currency": "USDTz"}, "invalid_parameter"),
        ({"net_type": "BTC"}, "invalid_parameter"),
        ({"address": "TSomeoneElse"}, "withdraw_address_not_registered"),
        ({"net_type": "ETH"}, "withdraw_address_not_registered"),
        ({"secondary_address": "1"}, "withdraw_address_not_registered"),
        ({"amount": "4.9"}, "withdraw_amount_below_minimum"),
        ({"amount": "13.0000001"}, "withdraw_decimal_places_exceeded"),
        ({"amount": "9999.000001"}, "withdraw_insufficient_balance"),
    ],
)
async def test_orders_that_break_a_rule_are_refused(
    client: SignedClient, sandbox: Sandbox, changes: dict[str, str], name: str
) -> None:
    assert error_of(await client.withdraw(**changes)) == (400, name)
    assert len(sandbox.ledger) == 0
    assert sandbox.account.balance("USDT").locked == 0


async def test_idle_zeros_are_not_decimals(client: SignedClient) -> None:
    assert (await client.withdraw(amount="13.00000000")).json()["amount"] == "13.0"


async def test_the_whole_balance_less_the_fee_can_go(client: SignedClient, sandbox: Sandbox) -> None:
    assert (await client.withdraw(amount="9999")).status_code == 201
    assert sandbox.account.balance("USDT").available == 0


async def test_a_fee_inside_the_amount_by_knob(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.fee_on_top = False
    assert (await client.withdraw(amount="10000")).status_code == 201


async def test_an_internal_transfer_costs_no_fee(client: SignedClient, sandbox: Sandbox) -> None:
    response = await client.withdraw(transaction_type="internal", amount="10000")
    assert (response.json()["fee"], response.json()["transaction_type"]) == ("0.0", "internal")
    assert sandbox.account.balance("USDT").locked == 10_000


@pytest.mark.parametrize("state", ["deposit_only", "paused", "unsupported", "some_new_state"])
async def test_a_suspended_wallet_pays_nothing_out(
    client: SignedClient, sandbox: Sandbox, state: str
) -> None:
    sandbox.wallets["USDT", "TRX"].wallet_state = state
    assert error_of(await client.withdraw()) == (400, "withdraw_maintain")
    sandbox.wallets["USDT", "TRX"].wallet_state = "withdraw_only"
    assert (await client.withdraw()).status_code == 201


async def test_a_locked_account_pays_nothing_out(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.account.lock()
    assert error_of(await client.withdraw()) == (400, "request_fail")
    sandbox.account.unlock()
    sandbox.account.member_level.locked = True
    assert error_of(await client.withdraw()) == (400, "request_fail")


async def test_addresses_can_be_registered_and_struck_off(client: SignedClient, sandbox: Sandbox) -> None:
    registered = sandbox.account.allow_address("USDT", "TRX", "TNew", exchange_name="Bybit")
    assert (registered.network_name, registered.beneficiary_type) == ("Tron", "individual")
    assert sandbox.account.addresses[-1] == registered
    assert (await client.withdraw(address="TNew")).status_code == 201
    sandbox.account.disallow_address("TNew")
    assert error_of(await client.withdraw(address="TNew")) == (400, "withdraw_address_not_registered")
    assert sandbox.account.allow_address("AAA", "BBB", "C", wallet_type="MetaMask").network_name == "BBB"


async def test_a_memo_has_to_be_sent_along(client: SignedClient) -> None:
    ripple = {
        "currency": "XRP",
        "net_type": "XRP",
        "amount": "10.0",
        "address": "rFakeXrpWithdrawAddressFakeFakeFak",
    }
    assert error_of(await client.post(COIN, ripple)) == (400, "withdraw_address_not_registered")
    assert (await client.post(COIN, {**ripple, "secondary_address": "123456789"})).status_code == 201


async def test_unknown_members_are_ignored(client: SignedClient) -> None:
    assert (await client.withdraw(beneficiary_name="Jane")).status_code == 201


async def test_indonesia_may_ask_for_the_beneficiary() -> None:
    sandbox = Sandbox("id")
    async with signed_client(sandbox) as client:
        assert (await client.withdraw()).status_code == 201
        sandbox.knobs.beneficiary_required = True
        response = await client.withdraw(beneficiary_name="Jane")
        assert response.json()["error"]["message"] == (
            "beneficiary_residential_country_code is missing, beneficiary_residential_address is missing"
        )


async def test_a_number_counts_by_its_text(client: SignedClient) -> None:
    body = {
        "currency": "USDT",
        "net_type": "TRX",
        "amount": 13.5,
        "address": "TFakeTronWithdrawAddressFakeFakeFa",
    }
    assert (await client.post(COIN, body)).json()["amount"] == "13.5"


async def test_fresh_money_is_welcome(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.account.fund("USDT", "500.5")
    assert str(sandbox.account.balance("USDT").available) == "10500.5"
    assert sandbox.account.balance("DOGE").available == 0
    rows = (await client.get("/v1/accounts")).json()
    assert "DOGE" not in [row["currency"] for row in rows]


async def test_somebody_withdraws_on_the_website(sandbox: Sandbox) -> None:
    made = sandbox.withdrawals.create_on_website(
        "USDT", "TRX", "13.50", address="TFakeTronWithdrawAddressFakeFakeFa"
    )
    (entry,) = sandbox.ledger.created
    assert (entry.uuid, entry.amount, entry.address) == (made.uuid, Decimal("13.50"), made.address)
    assert len(sandbox.requests) == 0
    with pytest.raises(ValueError, match="withdraw_address_not_registered"):
        sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address="TNobodys")
    with pytest.raises(ValueError, match="above zero"):
        sandbox.withdrawals.create_on_website("USDT", "TRX", "0", address=made.address)


async def test_what_a_list_tells_is_a_knob(sandbox: Sandbox) -> None:
    sandbox.withdrawals.create_on_website(
        "USDT", "TRX", "13.50", address="TFakeTronWithdrawAddressFakeFakeFa"
    )
    upbit = sandbox.client()
    sandbox.knobs.amounts, sandbox.knobs.list_net_type = "net of fee", False
    (row, *_) = await upbit.withdraws.list()
    assert (row.amount, row.fee, row.net_type) == (Decimal("12.5"), Decimal(1), None)
    sandbox.knobs.amounts, sandbox.knobs.list_net_type = "as sent", True
    (row, *_) = await upbit.withdraws.list()
    assert (row.amount, row.net_type) == (Decimal("13.50"), "TRX")


# -- amounts beyond reason -------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["1e25", "0." + "1" * 40, "9" * 40])
async def test_amounts_may_have_many_digits(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock, amount: str
) -> None:
    sandbox.deposits.arrive("BTC", "BTC", amount)
    clock.tick(3)
    assert (await client.get("/v1/deposit", "currency=BTC")).json()["state"] == "ACCEPTED"
    assert (await client.get("/v1/accounts")).status_code == 200


@pytest.mark.parametrize("amount", ["1e40", "1e-41", "1e1000000", "NaN", "Infinity", "x"])
def test_amounts_have_a_limit(sandbox: Sandbox, amount: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        sandbox.deposits.arrive("BTC", "BTC", amount)
    with pytest.raises(ValueError, match="amount"):
        sandbox.account.fund("BTC", amount)
