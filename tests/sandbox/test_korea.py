"""Endpoints that only Korea has: API keys, and transfers of won."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from answers import assert_like, error_of
from examples import example
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.sandbox import Knobs, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


WITHDRAW, DEPOSIT = "/v1/withdraws/krw", "/v1/deposits/krw"
WON = {"amount": "10000", "two_factor_type": "kakao"}


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox("kr", clock=clock, seed=1, knobs=Knobs(time_format="offset", amounts="as sent"))


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncGenerator[SignedClient]:
    async with signed_client(sandbox) as made:
        yield made


async def test_won_withdrawal_waits_for_its_confirmation(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    response = await client.post(WITHDRAW, example("withdraws_krw_post_request_kr"))
    assert response.status_code == 201
    answer, shown = response.json(), example("withdraws_krw_post_kr")
    assert_like(answer, shown)
    own = {"uuid", "txid", "created_at"}
    assert {name: answer[name] for name in answer if name not in own} == {
        name: shown[name] for name in shown if name not in own
    }
    assert answer["created_at"] == "2026-11-20T21:00:00+09:00"
    assert answer["txid"].startswith("BKW-2026-11-20-")
    clock.tick(10_000)
    found = (await client.get("/v1/withdraw", f"uuid={answer['uuid']}")).json()
    assert found == answer
    assert sandbox.account.balance("KRW").available == 990_000
    assert sandbox.account.balance("KRW").locked == 10_000
    done = sandbox.withdrawals.set_state(answer["uuid"], "DONE")
    assert done.txid == answer["txid"]
    assert sandbox.ledger.moved("KRW") == 10_000
    assert sandbox.account.balance("KRW").locked == 0


@pytest.mark.parametrize("state", ["PROCESSING", "WAITING"])
async def test_won_withdrawal_is_never_cancelable(client: SignedClient, sandbox: Sandbox, state: str) -> None:
    uuid = (await client.post(WITHDRAW, WON)).json()["uuid"]
    sandbox.withdrawals.set_state(uuid, state)
    assert (await client.get("/v1/withdraw", f"uuid={uuid}")).json()["is_cancelable"] is False
    response = await client.delete("/v1/withdraws/coin", f"uuid={uuid}")
    assert error_of(response) == (400, "withdraw_not_cancelable")
    sandbox.withdrawals.set_state(uuid, "REJECTED")
    assert sandbox.account.balance("KRW").available == 1_000_000


async def test_won_withdrawal_above_the_balance_is_refused(client: SignedClient, sandbox: Sandbox) -> None:
    assert (await client.post(WITHDRAW, {**WON, "amount": "1000000"})).status_code == 201
    response = await client.post(WITHDRAW, {**WON, "amount": "1"})
    assert error_of(response) == (400, "withdraw_insufficient_balance")
    sandbox.account.lock()
    assert error_of(await client.post(WITHDRAW, WON)) == (400, "request_fail")
    assert len(sandbox.ledger) == 1


async def test_won_deposit_waits_for_its_confirmation(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    response = await client.post(DEPOSIT, example("deposits_krw_post_request_kr"))
    assert response.status_code == 201
    answer, shown = response.json(), example("deposits_krw_post_kr")
    own = {"uuid", "txid", "created_at"}
    assert_like(answer, shown)
    assert {name: answer[name] for name in answer if name not in own} == {
        name: shown[name] for name in shown if name not in own
    }
    assert answer["txid"].startswith("BKD-2026-11-20-")
    clock.tick(10_000)
    assert (await client.get("/v1/deposit")).json() == answer
    assert sandbox.account.balance("KRW").available == 1_000_000
    sandbox.deposits.set_state(answer["uuid"], "ACCEPTED")
    assert sandbox.account.balance("KRW").available == 1_010_000


@pytest.mark.parametrize("path", [WITHDRAW, DEPOSIT])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "amount is missing, two_factor_type is missing"),
        (
            {"amount": "0", "two_factor_type": ""},
            "amount does not have a valid value, two_factor_type is empty",
        ),
        ({"amount": "1", "two_factor_type": "kakao_pay"}, "two_factor_type does not have a valid value"),
    ],
)
async def test_malformed_members_are_named(
    client: SignedClient, sandbox: Sandbox, path: str, body: dict[str, str], message: str
) -> None:
    response = await client.post(path, body)
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == message
    assert (len(sandbox.ledger), len(sandbox.deposits)) == (0, 7)


async def test_api_keys_are_listed(client: SignedClient, sandbox: Sandbox) -> None:
    expiring = sandbox.issue_key(permissions=[], expires_at=datetime(2026, 12, 31, 15, tzinfo=UTC))
    rows = (await client.get("/v1/api_keys")).json()
    (shown,) = example("api_keys_get_kr")
    for row in rows:
        assert_like(row, shown)
    assert rows == [
        {"access_key": sandbox.credentials.access_key.reveal(), "expire_at": None},
        {"access_key": expiring.access_key.reveal(), "expire_at": shown["expire_at"]},
    ]


async def test_won_transfers_need_permission_but_listing_keys_does_not(sandbox: Sandbox) -> None:
    async with signed_client(sandbox, sandbox.issue_key(permissions=["view_account", "deposit"])) as client:
        assert (await client.get("/v1/api_keys")).status_code == 200
        assert error_of(await client.post(WITHDRAW, WON)) == (403, "out_of_scope")
        assert (await client.post(DEPOSIT, WON)).status_code == 201
    credentials = sandbox.issue_key(permissions=["withdraw"])
    key = sandbox.keys.find(credentials.access_key.reveal())
    assert key is not None
    async with signed_client(sandbox, credentials) as client:
        assert error_of(await client.post(DEPOSIT, WON)) == (403, "out_of_scope")
        assert (await client.post(WITHDRAW, WON)).status_code == 201
        key.withdraw_locked = True
        assert error_of(await client.post(WITHDRAW, WON)) == (403, "open_api_withdraw_locked")


@pytest.mark.parametrize("region", ["sg", "id", "th"])
async def test_korean_paths_are_unknown_in_other_regions(region: str) -> None:
    async with signed_client(Sandbox(region)) as client:
        assert error_of(await client.get("/v1/api_keys")) == (404, "not_found")
        for path in (WITHDRAW, DEPOSIT):
            assert error_of(await client.post(path, WON)) == (404, "not_found")
