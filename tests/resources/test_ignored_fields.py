"""Unreadable optional fields are reported once per client; unreadable records affect only themselves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from withdrawals import answer_with, withdrawal_row

from upbit_async.errors import DecodeError
from upbit_async.events import Event, FieldIgnored
from upbit_async.resources.readable import list_readable

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

LIST = "/v1/withdraws"
ONE = "/v1/withdraw"
CANARY = "CANARY\nERROR forged"


def _ignored(observed: list[Event]) -> list[tuple[str, str, str]]:
    return [(each.host, each.endpoint, each.field) for each in observed if isinstance(each, FieldIgnored)]


async def test_ignored_field_is_reported_once_per_field_and_client(
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed: list[Event] = []
    client = sandbox.client(observer=observed.append)
    odd = withdrawal_row(fee=CANARY, is_cancelable="maybe", transaction_type=5)
    answer_with(sandbox, "GET", LIST, [withdrawal_row(), odd, odd], times=None)
    with caplog.at_level(logging.WARNING, "upbit_async"):
        for _ in range(2):
            await client.withdraws.list()
        found = await client.withdraws.list()
    assert [each.fee is None for each in found] == [False, True, True]
    assert [each.is_cancelable for each in found] == [None] * 3
    expected = [(client.host, f"GET {LIST}", field) for field in ("fee", "transaction_type", "is_cancelable")]
    assert sorted(_ignored(observed)) == sorted(expected)
    assert len([line for line in caplog.messages if "reads as None" in line]) == 3
    assert "CANARY" not in caplog.text
    assert "CANARY" not in repr(observed)


async def test_ignored_field_is_reported_per_endpoint_and_client(sandbox: Sandbox) -> None:
    observed: list[Event] = []
    for client in (sandbox.client(observer=observed.append), sandbox.client(observer=observed.append)):
        answer_with(sandbox, "GET", LIST, [withdrawal_row(fee="abc")])
        await client.withdraws.list()
        answer_with(sandbox, "GET", ONE, withdrawal_row(fee="abc"))
        await client.withdraws.latest()
    assert [each[1:] for each in _ignored(observed)] == [(f"GET {LIST}", "fee"), (f"GET {ONE}", "fee")] * 2


async def test_ignored_field_does_not_hide_an_accepted_withdrawal(
    sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    observed: list[Event] = []
    client = sandbox.client(observer=observed.append)
    answer = withdrawal_row(
        "new", currency="USDT", net_type="TRX", amount="13", state="WAITING", is_cancelable="maybe"
    )
    answer_with(sandbox, "POST", "/v1/withdraws/coin", answer)
    assert (await client.withdraws.create(**tron)).uuid == "new"
    assert [each[2] for each in _ignored(observed)] == ["is_cancelable"]


async def test_row_without_a_required_field_is_named(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", LIST, [withdrawal_row(), withdrawal_row(amount="abc")])
    with pytest.raises(DecodeError, match=r"\$\[1\]\.amount"):
        await client.withdraws.list()


async def test_list_readable_separates_unreadable_rows(
    client: UpbitClient,
    sandbox: Sandbox,
) -> None:
    secret = sandbox.credentials.secret_key.reveal()
    answer = [
        withdrawal_row("a"),
        withdrawal_row("b", amount="abc"),
        withdrawal_row("c", fee="abc"),
        withdrawal_row(secret, state=None),
        withdrawal_row("e"),
    ]
    answer_with(sandbox, "GET", LIST, answer)
    found = await list_readable(client.transport, currency="XRP", to="z", limit=2)
    assert [each.uuid for each in found.rows] == ["a", "c"]
    assert [(each.path, each.uuid) for each in found.unreadable] == [
        ("$[1].amount", "b"),
        ("$[3].state", "***"),
    ]
    assert sandbox.requests.of("GET")[0].query == "currency=XRP&limit=2&order_by=desc&to=z"


async def test_valid_list_has_no_unreadable_rows(client: UpbitClient, old: list[str]) -> None:
    found = await list_readable(client.transport, currency="XRP")
    assert found.unreadable == ()
    assert found.rows == await client.withdraws.list(currency="XRP")


@pytest.mark.parametrize("answer", [b"{}", b"null", b"[{", b'{"uuid":"u"}'])
async def test_answer_that_is_no_list_is_refused(
    client: UpbitClient, sandbox: Sandbox, answer: bytes
) -> None:
    answer_with(sandbox, "GET", LIST, answer)
    with pytest.raises(DecodeError):
        await list_readable(client.transport, currency="XRP")


async def test_other_tasks_run_while_a_long_answer_is_decoded(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(
        sandbox, "GET", "/v1/withdraws/coin_addresses", [{"currency": "XRP", "withdraw_address": "a"}] * 6_000
    )
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        assert len(await client.withdraws.addresses()) == 6_000
        tasks.cancel_scope.cancel()
    assert turns >= 25
