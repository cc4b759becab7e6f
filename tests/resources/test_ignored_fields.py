"""An odd field is reported once for each client, and a record that can't be read forbids nothing but itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from upbit_async.errors import DecodeError
from upbit_async.events import Event, FieldIgnored
from upbit_async.resources.readable import list_readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

LIST = "/v1/withdraws"
ONE = "/v1/withdraw"
CANARY = "CANARY\nERROR forged"


def _ignored(told: list[Event]) -> list[tuple[str, str, str]]:
    return [(each.host, each.endpoint, each.field) for each in told if isinstance(each, FieldIgnored)]


async def test_an_odd_field_is_an_event_once_for_each_field_and_client(
    sandbox: Sandbox,
    says: Callable[..., None],
    row: Callable[..., dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Event] = []
    client = sandbox.client(observer=told.append)
    odd = row(fee=CANARY, is_cancelable="maybe", transaction_type=5)
    says("GET", LIST, [row(), odd, odd], times=None)
    with caplog.at_level(logging.WARNING, "upbit_async"):
        for _ in range(2):
            await client.withdraws.list()
        found = await client.withdraws.list()
    assert [each.fee is None for each in found] == [False, True, True]
    assert [each.is_cancelable for each in found] == [None] * 3
    expected = [(client.host, f"GET {LIST}", field) for field in ("fee", "transaction_type", "is_cancelable")]
    assert sorted(_ignored(told)) == sorted(expected)
    assert len([line for line in caplog.messages if "reads as None" in line]) == 3
    assert "CANARY" not in caplog.text
    assert "CANARY" not in repr(told)


async def test_another_endpoint_and_another_client_report_for_themselves(
    sandbox: Sandbox, says: Callable[..., None], row: Callable[..., dict[str, Any]]
) -> None:
    told: list[Event] = []
    for client in (sandbox.client(observer=told.append), sandbox.client(observer=told.append)):
        says("GET", LIST, [row(fee="abc")])
        await client.withdraws.list()
        says("GET", ONE, row(fee="abc"))
        await client.withdraws.latest()
    assert [each[1:] for each in _ignored(told)] == [(f"GET {LIST}", "fee"), (f"GET {ONE}", "fee")] * 2


async def test_an_odd_field_costs_no_accepted_withdrawal(
    sandbox: Sandbox, says: Callable[..., None], row: Callable[..., dict[str, Any]], tron: dict[str, Any]
) -> None:
    told: list[Event] = []
    client = sandbox.client(observer=told.append)
    answer = row("new", currency="USDT", net_type="TRX", amount="13", state="WAITING", is_cancelable="maybe")
    says("POST", "/v1/withdraws/coin", answer)
    assert (await client.withdraws.create(**tron)).uuid == "new"
    assert [each[2] for each in _ignored(told)] == ["is_cancelable"]


async def test_a_row_without_a_required_field_is_named(
    client: UpbitClient, says: Callable[..., None], row: Callable[..., dict[str, Any]]
) -> None:
    says("GET", LIST, [row(), row(amount="abc")])
    with pytest.raises(DecodeError, match=r"\$\[1\]\.amount"):
        await client.withdraws.list()


async def test_the_readable_rows_of_a_list_are_told_from_the_others(
    client: UpbitClient,
    sandbox: Sandbox,
    says: Callable[..., None],
    row: Callable[..., dict[str, Any]],
) -> None:
    secret = sandbox.credentials.secret_key.reveal()
    answer = [row("a"), row("b", amount="abc"), row("c", fee="abc"), row(secret, state=None), row("e")]
    says("GET", LIST, answer)
    found = await list_readable(client.transport, currency="XRP", to="z", limit=2)
    assert [each.uuid for each in found.rows] == ["a", "c"]
    assert [(each.path, each.uuid) for each in found.unreadable] == [
        ("$[1].amount", "b"),
        ("$[3].state", "***"),
    ]
    assert sandbox.requests.of("GET")[0].query == "currency=XRP&limit=2&order_by=desc&to=z"


async def test_a_good_list_has_no_unreadable_rows(client: UpbitClient, old: list[str]) -> None:
    found = await list_readable(client.transport, currency="XRP")
    assert found.unreadable == ()
    assert found.rows == await client.withdraws.list(currency="XRP")


@pytest.mark.parametrize("answer", [b"{}", b"null", b"[{", b'{"uuid":"u"}'])
async def test_what_is_no_list_is_refused(
    client: UpbitClient, says: Callable[..., None], answer: bytes
) -> None:
    says("GET", LIST, answer)
    with pytest.raises(DecodeError):
        await list_readable(client.transport, currency="XRP")


async def test_others_run_while_a_long_answer_is_read(
    client: UpbitClient, says: Callable[..., None], row: Callable[..., dict[str, Any]]
) -> None:
    says("GET", "/v1/withdraws/coin_addresses", [{"currency": "XRP", "withdraw_address": "a"}] * 6_000)
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
