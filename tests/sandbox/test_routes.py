"""Each route answers in the published shape."""

from __future__ import annotations

from decimal import Decimal

import pytest
from answers import assert_like, error_of
from examples import example
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.region import Region
from upbit_async.sandbox import Knobs, Sandbox, Transitions, WalletRecord


async def test_wallet_rows_look_like_the_example(client: SignedClient) -> None:
    response = await client.get("/v1/status/wallet")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json;charset=UTF-8"
    rows = {(row["currency"], row["net_type"]): row for row in response.json()}
    assert set(rows) >= {("BTC", "BTC"), ("USDT", "ETH"), ("USDT", "TRX"), ("USDT", "APT")}
    assert_like(rows["BTC", "BTC"], example("status_wallet_get")[0])
    assert rows["BTC", "BTC"]["block_updated_at"] == "2026-11-20T11:44:36.000+00:00"
    assert rows["BTC", "BTC"]["block_elapsed_minutes"] == 15
    assert rows["XYZ", "XYZ"] == example("status_wallet_get_null_block")[0]


async def test_accounts_look_like_the_example(client: SignedClient) -> None:
    rows = (await client.get("/v1/accounts")).json()
    assert rows[:2] == example("accounts_get")
    assert [row["currency"] for row in rows] == ["SGD", "BTC", "ETH", "XRP", "USDT"]
    assert rows[3]["locked"] == "22.0"  # the two old withdrawals that are still open


async def test_the_chance_looks_like_the_example(client: SignedClient) -> None:
    answer = (await client.get("/v1/withdraws/chance", "currency=BTC&net_type=BTC")).json()
    assert_like(answer, example("withdraws_chance_get"))
    for part, members in example("withdraws_chance_get").items():
        assert_like(answer[part], members)
    assert answer["currency"] == example("withdraws_chance_get")["currency"]
    assert answer["withdraw_limit"]["minimum"] == "0.00001"


@pytest.mark.parametrize(
    ("state", "support", "told"),
    [
        ("working", ["deposit", "withdraw"], "working"),
        ("withdraw_only", ["withdraw"], "working"),
        ("deposit_only", ["deposit"], "working"),
        ("paused", [], "working"),
        ("unsupported", [], "unsupported"),
    ],
)
async def test_the_chance_tells_what_the_wallet_can_do(
    client: SignedClient, sandbox: Sandbox, state: str, support: list[str], told: str
) -> None:
    sandbox.wallets["BTC", "BTC"].wallet_state = state
    answer = (await client.get("/v1/withdraws/chance", "currency=BTC&net_type=BTC")).json()
    assert answer["currency"]["wallet_support"] == support
    assert answer["currency"]["wallet_state"] == told


async def test_the_chance_needs_both_names_of_a_wallet(client: SignedClient) -> None:
    response = await client.get("/v1/withdraws/chance")
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == "currency is missing, net_type is missing"
    response = await client.get("/v1/withdraws/chance", "currency=BTC&net_type=ETH")
    assert error_of(response) == (400, "invalid_parameter")


async def test_wallets_can_be_listed_and_delisted(client: SignedClient, sandbox: Sandbox) -> None:
    new = WalletRecord(
        currency="NEW", net_type="NEW", network_name="New", withdraw_fee=Decimal(1), minimum=Decimal(2)
    )
    sandbox.wallets.add(new)
    sandbox.wallets.remove("XYZ", "XYZ")
    assert len(sandbox.wallets) == 7
    rows = (await client.get("/v1/status/wallet")).json()
    assert [row["currency"] for row in rows][-1] == "NEW"


@pytest.mark.parametrize("region", Region)
async def test_counterparties_are_told_in_singapore_and_korea_only(
    region: Region,
) -> None:
    sandbox = Sandbox(region)
    async with signed_client(sandbox) as client:
        rows = (await client.get("/v1/withdraws/coin_addresses")).json()
        chance = (await client.get("/v1/withdraws/chance", "currency=BTC&net_type=BTC")).json()
    if region in {Region.SG, Region.KR}:
        assert rows[:2] == example("withdraws_coin_addresses_get")
    else:
        assert rows[-1:] == example("withdraws_coin_addresses_get_id_th")
    assert ("two_factor_auth_verified" in chance["member_level"]) is (region is Region.KR)
    assert chance["withdraw_limit"]["fiat_currency"] == region.fiat


async def test_a_withdrawal_as_in_the_tutorial(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    response = await client.withdraw()
    told = response.json()
    assert response.status_code == 201
    assert_like(told, example("withdraws_coin_post_tutorial_waiting"))
    assert told["state"] == "WAITING"
    assert (told["amount"], told["fee"], told["txid"]) == ("13.0", "1.0", None)
    assert told["created_at"] == "2026-11-20T12:00:00"
    assert sandbox.account.balance("USDT").locked == 14
    clock.tick(3)
    assert (await client.get("/v1/withdraw", f"uuid={told['uuid']}")).json()["state"] == "PROCESSING"
    clock.tick(3)
    done = (await client.get("/v1/withdraw", f"uuid={told['uuid']}")).json()
    assert_like(done, example("withdraw_get_tutorial_done"))
    assert (done["state"], done["done_at"]) == ("DONE", "2026-11-20T12:00:06")
    assert (await client.get("/v1/withdraw", f"txid={done['txid']}")).json() == done
    assert sandbox.ledger.moved("USDT") == 14
    assert sandbox.account.balance("USDT").available == 9986


async def test_cancelling_gives_the_money_back(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = (await client.withdraw()).json()["uuid"]
    response = await client.delete("/v1/withdraws/coin", f"uuid={uuid}")
    assert response.status_code == 200
    assert_like(response.json(), example("withdraws_coin_delete"))
    assert (response.json()["state"], response.json()["is_cancelable"]) == ("CANCELLED", True)
    assert sandbox.account.balance("USDT").available == 10_000
    assert [entry.kind for entry in sandbox.ledger] == ["created", "released"]
    again = await client.delete("/v1/withdraws/coin", f"uuid={uuid}")
    assert error_of(again) == (400, "withdraw_not_cancelable")


async def test_a_cancelled_withdrawal_stays_off_its_plan(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    uuid = (await client.withdraw()).json()["uuid"]
    await client.delete("/v1/withdraws/coin", f"uuid={uuid}")
    clock.tick(100)
    assert sandbox.withdrawals[uuid].state == "CANCELLED"


async def test_cancelling_needs_a_known_id(client: SignedClient) -> None:
    assert error_of(await client.delete("/v1/withdraws/coin")) == (400, "validation_error")
    missing = await client.delete("/v1/withdraws/coin", "uuid=unknown")
    assert error_of(missing) == (404, "withdraw_not_found")


async def test_unknown_paths_are_json_errors(client: SignedClient, sandbox: Sandbox) -> None:
    assert error_of(await client.get("/v1/nothing")) == (404, "not_found")
    assert error_of(await client.query("PATCH", "/v1/accounts")) == (404, "not_found")
    sandbox.knobs.language = "ko"
    assert (await client.get("/v1/nothing")).json()["error"]["message"] == "존재하지 않는 경로입니다."


async def test_the_log_tells_what_came_in_but_no_token(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    await client.get("/v1/withdraws", "limit=1", nonce="first")
    await client.withdraw()
    listing, order = sandbox.requests
    assert (listing.method, listing.path, listing.query, listing.nonce) == (
        "GET",
        "/v1/withdraws",
        "limit=1",
        "first",
    )
    assert (order.status, order.at) == (201, clock.now)
    assert '"amount": "13"' in order.body
    assert sandbox.requests.of("POST") == (order,) == sandbox.requests.of("POST", "/v1/withdraws/coin")
    assert sandbox.requests[-1:] == (order,)
    assert "Bearer" not in repr(sandbox.requests[0])
    sandbox.requests.clear()
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("knobs", "created_at"),
    [
        (Knobs(time_format="naive"), "2026-11-20T12:00:00"),
        (Knobs(time_format="Z"), "2026-11-20T12:00:00Z"),
        (Knobs(time_format="offset"), "2026-11-20T21:00:00+09:00"),
    ],
)
async def test_times_by_knob(
    knobs: Knobs,
    created_at: str,
    clock: ManualClock,
) -> None:
    async with signed_client(Sandbox("sg", knobs=knobs, clock=clock)) as client:
        assert (await client.withdraw()).json()["created_at"] == created_at


async def test_answers_by_knob(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    sandbox.knobs.nulls = "dropped"
    sandbox.knobs.post_status = 200
    sandbox.knobs.amounts = "as sent"
    response = await client.withdraw(amount="13.500")
    assert response.status_code == 200
    assert list(response.json()) == list(example("withdraws_coin_delete_kr_2026"))
    assert response.json()["amount"] == "13.500"
    sandbox.knobs.nulls = "present"
    sandbox.knobs.single_get_net_type = False
    assert_like((await client.get("/v1/withdraw")).json(), example("withdraw_get"))
