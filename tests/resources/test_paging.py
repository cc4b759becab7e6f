"""`client.withdraws.iter`: a whole history, each withdrawal once."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.errors import DecodeError, ServerError
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.resources.paging import walk
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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
async def test_a_long_history_is_walked_through_completely_in_either_order(
    client: UpbitClient, sandbox: Sandbox, grow: Callable[[int], list[str]], order: Order, cursors: Any
) -> None:
    sandbox.knobs.cursors = cursors
    uuids = grow(251)
    seen = [row.uuid async for row in client.withdraws.iter(order_by=order)]
    assert seen == (uuids if order == "asc" else uuids[::-1])
    assert len(sandbox.requests) == 4
    cursor_name = "from" if order == "asc" else "to"
    assert [line.query for line in sandbox.requests[:2]] == [
        f"limit=100&order_by={order}",
        f"limit=100&order_by={order}&{cursor_name}={seen[99]}",
    ]


async def test_a_walk_is_narrowed_by_upbit(client: UpbitClient, sandbox: Sandbox, old: list[str]) -> None:
    assert [row.uuid async for row in client.withdraws.iter(currency="XRP", state="done")] == [old[0]]
    assert sandbox.requests[0].query == "currency=XRP&state=DONE&limit=100&order_by=desc"
    assert [row async for row in client.withdraws.iter(currency="BTC")] == []


@pytest.mark.parametrize(("most", "sizes"), [(5, [5]), (100, [100]), (101, [100, 100]), (150, [100, 100])])
async def test_a_walk_ends_after_so_many_items_and_asks_for_no_more(
    client: UpbitClient, sandbox: Sandbox, grow: Callable[[int], list[str]], most: int, sizes: list[int]
) -> None:
    uuids = grow(250)
    assert [row.uuid async for row in client.withdraws.iter(max_items=most)] == uuids[: -most - 1 : -1]
    assert [int(line.query.partition("=")[2].partition("&")[0]) for line in sandbox.requests] == sizes


@pytest.mark.parametrize(("order", "newcomers_seen"), [("desc", 0), ("asc", 3)])
async def test_withdrawals_that_arrive_during_a_walk_neither_shift_nor_double_anything(
    client: UpbitClient, grow: Callable[[int], list[str]], order: Order, newcomers_seen: int
) -> None:
    before = grow(150)
    seen: list[str] = []
    async for row in client.withdraws.iter(order_by=order):
        seen.append(row.uuid)
        if len(seen) in {1, 100, 120}:
            grow(1)
    newcomers = grow(0)[len(before) :]
    expected = before + newcomers[:newcomers_seen]
    assert seen == (expected if order == "asc" else expected[::-1])


async def test_a_walk_leaves_out_what_it_has_seen_in_any_case(
    client: UpbitClient, says: Callable[..., None], row: Callable[..., dict[str, Any]]
) -> None:
    says("GET", MANY, [row("a"), row("b"), row("B"), row("a")])
    says("GET", MANY, [row("B"), row("c")])
    says("GET", MANY, [row("C")])
    assert [each.uuid async for each in client.withdraws.iter()] == ["a", "b", "c"]


async def test_a_cursor_that_stands_still_is_an_error_and_not_an_end(
    client: UpbitClient, sandbox: Sandbox, says: Callable[..., None], row: Callable[..., dict[str, Any]]
) -> None:
    says("GET", MANY, [row("a"), row("b")], times=None)
    seen: list[str] = []
    with pytest.raises(DecodeError, match=r"GET /v1/withdraws: .* after b; .*may be incomplete"):
        await read(client.withdraws.iter(), seen)
    assert seen == ["a", "b"]
    assert len(sandbox.requests) == 2


async def test_a_walk_fails_where_a_page_fails(
    client: UpbitClient, sandbox: Sandbox, grow: Callable[[int], list[str]]
) -> None:
    grow(150)
    sandbox.faults.add(Fault.status(503, "GET", MANY, skip=1, times=None))
    seen: list[str] = []
    with pytest.raises(ServerError):
        await read(client.withdraws.iter(), seen)
    assert len(seen) == 100
    sandbox.faults.clear()
    assert len([row async for row in client.withdraws.iter()]) == 156


async def test_a_walk_may_be_left_at_any_time(
    client: UpbitClient, sandbox: Sandbox, grow: Callable[[int], list[str]]
) -> None:
    grow(150)
    async with contextlib.aclosing(client.withdraws.iter()) as rows:
        async for _ in rows:
            break
    assert len(sandbox.requests) == 1


async def test_a_wrong_walk_is_refused_where_it_is_asked_for(client: UpbitClient, sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="order_by must be 'asc' or 'desc'"):
        client.withdraws.iter(order_by="up")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("most", [None, 1, 2, 3, 7])
@pytest.mark.parametrize("cap", [1, 2, 3])
async def test_a_walk_does_not_depend_on_the_size_of_pages(cap: int, most: int | None) -> None:
    rows = [_row(f"u{number}", "DONE") for number in range(7)]

    async def fetch(paging: dict[str, Param]) -> list[Withdrawal]:
        start = 0 if paging["to"] is None else rows.index(_row(str(paging["to"]), "DONE")) + 1
        return rows[start : start + cap]

    assert [row async for row in walk(fetch, order="desc", most=most, asked="rows")] == rows[:most]


@pytest.mark.parametrize("final_first", [True, False])
async def test_of_a_row_that_a_page_holds_twice_the_final_one_is_yielded(final_first: bool) -> None:
    pages = [[_row("a", "WAITING"), _row("b", "PROCESSING"), _row("B", "DONE")], []]
    if final_first:
        pages[0].reverse()

    async def fetch(_: dict[str, Param]) -> list[Withdrawal]:
        return pages.pop(0)

    seen = {row.uuid: row.state async for row in walk(fetch, order="desc", most=None, asked="GET /x")}
    assert seen == {"a": "WAITING", "B": "DONE"}


def _row(uuid: str, state: str) -> Withdrawal:
    return Withdrawal(uuid=uuid, currency="USDT", amount=Decimal(1), state=WithdrawalState(state))
