"""Deposit addresses are generated after some time, once per currency and network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from answers import assert_like, error_of
from examples import example
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.sandbox import ErrorSpec, Sandbox

if TYPE_CHECKING:
    import httpx


GENERATE = "/v1/deposits/generate_coin_address"
TRON = "currency=USDT&net_type=TRX"


async def generate(client: SignedClient, currency: str = "USDT", net_type: str = "TRX") -> httpx.Response:
    return await client.post(GENERATE, {"currency": currency, "net_type": net_type})


async def find(client: SignedClient, query: str = TRON) -> httpx.Response:
    return await client.get("/v1/deposits/coin_address", query)


async def test_first_three_addresses_match_the_examples(client: SignedClient) -> None:
    rows = (await client.get("/v1/deposits/coin_addresses")).json()
    assert rows == example("deposits_coin_addresses_get")
    found = await find(client, "currency=BTC&net_type=BTC")
    assert (found.status_code, found.json()) == (200, example("deposits_coin_address_get"))
    ready = await client.post(GENERATE, example("deposits_generate_coin_address_post_request"))
    assert (ready.status_code, ready.json()) == (200, example("deposits_generate_coin_address_post_ready"))


async def test_address_is_ready_after_three_seconds(client: SignedClient, clock: ManualClock) -> None:
    first = await generate(client)
    pending = example("deposits_generate_coin_address_post_pending")
    message = pending["message"].replace("BTC", "USDT")
    assert (first.status_code, first.json()) == (201, {**pending, "message": message})
    clock.tick(2.9)
    assert (await generate(client)).json() == first.json()
    waiting = (await find(client)).json()
    assert waiting == {
        **example("deposits_coin_address_get_pending"),
        "currency": "USDT",
        "net_type": "TRX",
    }
    assert len((await client.get("/v1/deposits/coin_addresses")).json()) == 3
    clock.tick(0.1)
    ready = await generate(client)
    assert ready.status_code == 200
    assert_like(ready.json(), example("deposits_generate_coin_address_post_ready"))
    assert ready.json()["deposit_address"]
    assert (await find(client)).json() == ready.json()
    assert (await client.get("/v1/deposits/coin_addresses")).json()[3:] == [ready.json()]


async def test_each_currency_on_a_network_has_one_address(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.address_seconds = 0.0
    first = (await generate(client)).json()
    assert (await generate(client)).json() == first
    other = (await generate(client, "USDT", "APT")).json()
    assert (first["secondary_address"], other["secondary_address"]) == (None, None)
    assert first["deposit_address"] != other["deposit_address"]
    sandbox.knobs.address_seconds = None
    assert (await generate(client)).json() == first


async def test_address_is_ready_after_some_reads_by_knob(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.knobs.address_seconds, sandbox.knobs.address_reads = None, 2
    statuses = [(await generate(client)).status_code for _ in range(2)]
    clock.tick(10_000)
    statuses.append((await generate(client, "USDT", "APT")).status_code)
    assert (await find(client)).json()["deposit_address"] is None
    statuses.append((await generate(client)).status_code)
    assert statuses == [201, 201, 201, 200]


async def test_address_has_a_memo_where_the_currency_has_one(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.address_seconds = 0.0
    sandbox.wallets["USDT", "APT"].has_memo = True
    memo = (await generate(client, "USDT", "APT")).json()["secondary_address"]
    assert memo.isdecimal()
    assert memo != "3000000001"


async def test_memo_is_null_until_the_address_is_ready(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.wallets["USDT", "TRX"].has_memo = True
    await generate(client)
    assert (await find(client)).json()["secondary_address"] is None


async def test_address_that_was_not_requested_is_not_found(client: SignedClient, sandbox: Sandbox) -> None:
    assert error_of(await find(client)) == (404, "coin_address_not_found")
    sandbox.knobs.address_not_found = ErrorSpec(400, "coin_address_not_found")
    assert error_of(await find(client)) == (400, "coin_address_not_found")


async def test_wallet_without_deposits_generates_no_address(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.wallets["USDT", "TRX"].wallet_state = "withdraw_only"
    sandbox.wallets["BTC", "BTC"].wallet_state = "paused"
    assert error_of(await generate(client)) == (400, "invalid_parameter")
    assert error_of(await find(client)) == (404, "coin_address_not_found")
    assert (await generate(client, "BTC", "BTC")).status_code == 200  # it has one already
    sandbox.knobs.deposits_suspended = ErrorSpec(400, "deposit_maintain")
    assert error_of(await generate(client)) == (400, "deposit_maintain")
    sandbox.knobs.deposits_suspended = None
    assert (await generate(client)).status_code == 201


async def test_statuses_follow_their_knobs(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.post_status, sandbox.knobs.address_status = 200, 201
    assert (await generate(client)).status_code == 200
    assert (await generate(client, "BTC", "BTC")).status_code == 201


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "currency is missing, net_type is missing"),
        ({"currency": "", "net_type": "TRX"}, "currency is empty"),
        ({"currency": "USDT", "net_type": True}, "net_type does not have a valid value"),
    ],
)
async def test_malformed_members_are_named(
    client: SignedClient, body: dict[str, object], message: str
) -> None:
    text = "&".join(f"{name}={str(value).replace('True', 'true')}" for name, value in body.items())
    response = await client.post(GENERATE, body, text=text)
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == message


async def test_unlisted_wallet_has_no_address(client: SignedClient) -> None:
    response = await find(client, "net_type=TRX")
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == "currency is missing"
    assert error_of(await find(client, "currency=USDT&net_type=BTC")) == (400, "invalid_parameter")
    assert error_of(await generate(client, "USDT", "BTC")) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    ("permission", "other"), [("deposit", "view_deposits"), ("view_deposits", "deposit")]
)
async def test_permission_to_generate_follows_its_knob(
    sandbox: Sandbox,
    permission: Any,
    other: str,
) -> None:
    assert sandbox.knobs.address_permission == "deposit"
    sandbox.knobs.address_permission = permission
    async with signed_client(sandbox, sandbox.issue_key(permissions=[other])) as client:
        assert error_of(await generate(client)) == (403, "out_of_scope")
    async with signed_client(sandbox, sandbox.issue_key(permissions=[permission])) as client:
        assert (await generate(client)).status_code == 201
