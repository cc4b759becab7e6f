"""`client.withdraws.iter`: the whole history, each withdrawal once."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from withdrawals import add_withdrawals, answer_with, withdrawal_row

from upbit_async.errors import DecodeError, ServerError
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.resources.paging import walk
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from upbit_async.client import UpbitClient
    from upbit_async.protocol.endpoint import Param
    from upbit_async.resources.paging import Order
    from upbit_async.sandbox import Sandbox

MANY = "/v1/withdraws"


async def read(rows: AsyncIterator[Withdrawal], seen: list[str]) -> None:
    async for row in rows:
        seen.append(row.uuid)  # noqa: PERF401 - what was seen before an error counts


@pytest.mark.parametrize("cursors", ["exclusive", "inclusive"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_iter_yields_a_long_history_in_either_order(
    client: UpbitClient, sandbox: Sandbox, order: Order, cursors: Any
) -> None:
    sandbox.knobs.cursors = cursors
    uuids = add_withdrawals(sandbox, 251)
    seen = [row.uuid async for row in client.withdraws.iter(order_by=order)]
    assert seen == (uuids if order == "asc" else uuids[::-1])
    assert len(sandbox.requests) == 4
    cursor_name = "from" if order == "asc" else "to"
    assert [line.query for line in sandbox.requests[:2]] == [
        f"limit=100&order_by={order}",
        f"limit=100&order_by={order}&{cursor_name}={seen[99]}",
    ]


async def test_iter_sends_its_filters(client: UpbitClient, sandbox: Sandbox, old: list[str]) -> None:
    assert [row.uuid async for row in client.withdraws.iter(currency="XRP", state="done")] == [old[0]]
    assert sandbox.requests[0].query == "currency=XRP&state=DONE&limit=100&order_by=desc"
    assert [row async for row in client.withdraws.iter(currency="BTC")] == []


@pytest.mark.parametrize(("most", "sizes"), [(5, [5]), (100, [100]), (101, [100, 100]), (150, [100, 100])])
async def test_iter_stops_after_max_items(
    client: UpbitClient, sandbox: Sandbox, most: int, sizes: list[int]
) -> None:
    uuids = add_withdrawals(sandbox, 250)
    assert [row.uuid async for row in client.withdraws.iter(max_items=most)] == uuids[: -most - 1 : -1]
    assert [int(line.query.partition("=")[2].partition("&")[0]) for line in sandbox.requests] == sizes


@pytest.mark.parametrize(("order", "newcomers_seen"), [("desc", 0), ("asc", 3)])
async def test_new_withdrawals_during_iter_shift_and_double_nothing(
    client: UpbitClient, sandbox: Sandbox, order: Order, newcomers_seen: int
) -> None:
    before = add_withdrawals(sandbox, 150)
    seen: list[str] = []
    async for row in client.withdraws.iter(order_by=order):
        seen.append(row.uuid)
        if len(seen) in {1, 100, 120}:
            add_withdrawals(sandbox, 1)
    newcomers = add_withdrawals(sandbox, 0)[len(before) :]
    expected = before + newcomers[:newcomers_seen]
    assert seen == (expected if order == "asc" else expected[::-1])


async def test_iter_skips_rows_seen_before_ignoring_case(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(
        sandbox,
        "GET",
        MANY,
        [withdrawal_row("a"), withdrawal_row("b"), withdrawal_row("B"), withdrawal_row("a")],
    )
    answer_with(sandbox, "GET", MANY, [withdrawal_row("B"), withdrawal_row("c")])
    answer_with(sandbox, "GET", MANY, [withdrawal_row("C")])
    assert [each.uuid async for each in client.withdraws.iter()] == ["a", "b", "c"]


async def test_cursor_that_does_not_advance_is_an_error(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", MANY, [withdrawal_row("a"), withdrawal_row("b")], times=None)
    seen: list[str] = []
    with pytest.raises(DecodeError, match=r"GET /v1/withdraws: .* after b; .*may be incomplete"):
        await read(client.withdraws.iter(), seen)
    assert seen == ["a", "b"]
    assert len(sandbox.requests) == 2


async def test_failed_page_ends_iter_with_its_error(client: UpbitClient, sandbox: Sandbox) -> None:
    add_withdrawals(sandbox, 150)
    sandbox.faults.add(Fault.status(503, "GET", MANY, skip=1, times=None))
    seen: list[str] = []
    with pytest.raises(ServerError):
        await read(client.withdraws.iter(), seen)
    assert len(seen) == 100
    sandbox.faults.clear()
    assert len([row async for row in client.withdraws.iter()]) == 156


async def test_iter_can_be_closed_early(client: UpbitClient, sandbox: Sandbox) -> None:
    add_withdrawals(sandbox, 150)
    async with contextlib.aclosing(client.withdraws.iter()) as rows:
        async for _ in rows:
            break
    assert len(sandbox.requests) == 1


async def test_invalid_iter_arguments_are_refused_at_once(client: UpbitClient, sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="order_by must be 'asc' or 'desc'"):
        client.withdraws.iter(order_by="up")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("most", [None, 1, 2, 3, 7])
@pytest.mark.parametrize("cap", [1, 2, 3])
async def test_iter_does_not_depend_on_the_page_size(cap: int, most: int | None) -> None:
    rows = [_row(f"u{number}", "DONE") for number in range(7)]

    async def fetch(paging: dict[str, Param]) -> list[Withdrawal]:
        start = 0 if paging["to"] is None else rows.index(_row(str(paging["to"]), "DONE")) + 1
        return rows[start : start + cap]

    assert [row async for row in walk(fetch, order="desc", most=most, asked="rows")] == rows[:most]


@pytest.mark.parametrize("final_first", [True, False])
async def test_row_listed_twice_is_yielded_in_its_final_state(final_first: bool) -> None:
    pages = [[_row("a", "WAITING"), _row("b", "PROCESSING"), _row("B", "DONE")], []]
    if final_first:
        pages[0].reverse()

    async def fetch(_: dict[str, Param]) -> list[Withdrawal]:
        return pages.pop(0)

    seen = {row.uuid: row.state async for row in walk(fetch, order="desc", most=None, asked="GET /x")}
    assert seen == {"a": "WAITING", "B": "DONE"}


def _row(uuid: str, state: str) -> Withdrawal:
    return Withdrawal(uuid=uuid, currency="USDT", amount=Decimal(1), state=WithdrawalState(state))
