"""`client.accounts`."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from examples import example
from withdrawals import answer_with

from upbit_async.errors import ConfigurationError, NotFound, PermissionDenied
from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient


async def test_balances_are_listed_and_updated(client: UpbitClient, sandbox: Sandbox) -> None:
    before = {account.currency: account for account in await client.accounts.list()}
    sandbox.account.fund("USDT", "12.5")
    after = await client.accounts.get("USDT")
    assert after.balance == before["USDT"].balance + Decimal("12.5")
    assert after.locked == before["USDT"].locked
    assert after.unit_currency == "SGD"


async def test_documented_examples_are_read(client: UpbitClient, sandbox: Sandbox) -> None:
    for name in ("accounts_get", "accounts_get_kr_observed"):
        answer_with(sandbox, "GET", "/v1/accounts", example(name))
        documented = example(name)
        found = await client.accounts.list()
        assert [account.currency for account in found] == [row["currency"] for row in documented]
        assert [account.balance for account in found] == [Decimal(row["balance"]) for row in documented]


async def test_unlisted_balance_is_not_found(client: UpbitClient) -> None:
    with pytest.raises(NotFound, match="lists no balance of DOGE"):
        await client.accounts.get("DOGE")
    with pytest.raises(ValueError, match="currency must not be empty"):
        await client.accounts.get("")


async def test_key_without_the_permission_is_refused(sandbox: Sandbox) -> None:
    client = sandbox.client(credentials=sandbox.issue_key(permissions=["view_withdrawals"]))
    with pytest.raises(PermissionDenied, match="out_of_scope"):
        await client.accounts.list()


async def test_api_keys_are_listed_in_korea_and_kept_out_of_logs() -> None:
    sandbox = Sandbox("kr")
    expires_at = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    credentials = sandbox.issue_key(expires_at=expires_at)
    found = {key.access_key: key for key in await sandbox.client().accounts.api_keys()}
    key = found[credentials.access_key.reveal()]
    assert key.expire_at == expires_at
    assert key.access_key not in repr(key)


async def test_api_keys_are_not_requested_outside_korea(client: UpbitClient, sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="GET /v1/api_keys"):
        await client.accounts.api_keys()
    assert len(sandbox.requests) == 0
