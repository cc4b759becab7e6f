"""`client.withdraws.reconcile`: finding a withdrawal whose answer was lost."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import anyio
import attrs
import httpx
import pytest
from withdrawals import add_withdrawals, answer_with, withdrawal_row

from upbit_async.client import UpbitClient
from upbit_async.errors import (
    AuthenticationError,
    Banned,
    ConfigurationError,
    NotSent,
    OutcomeUnknown,
    PermissionDenied,
    ServerError,
    UpbitError,
)
from upbit_async.sandbox import Fault, Sandbox

MANY = "/v1/withdraws"


async def lose(
    client: UpbitClient, sandbox: Sandbox, *, executed: bool = True, **order: Any
) -> OutcomeUnknown:
    fault = Fault.lose_answer("POST") if executed else Fault.reset_before("POST")
    sandbox.faults.add(fault)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.withdraws.create(**order)
    return caught.value


async def blind(client: UpbitClient, unknown: OutcomeUnknown) -> OutcomeUnknown:
    with pytest.raises(
        OutcomeUnknown, match=r"still unknown.*do not send it again: reconcile later"
    ) as caught:
        await client.withdraws.reconcile(unknown)
    return caught.value


def other_client(sandbox: Sandbox) -> UpbitClient:
    """Return a client of another process, which shares no records with this one."""
    return sandbox.client(credentials=sandbox.issue_key())


async def test_arrived_withdrawal_is_found_at_once(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    unknown = await lose(client, sandbox, **tron)
    result = await client.withdraws.reconcile(unknown)
    assert result.status == "found"
    assert result.withdrawal is not None
    assert result.withdrawal.uuid == list(sandbox.withdrawals)[-1]
    assert result.candidates == (result.withdrawal,)
    assert [line.query for line in sandbox.requests.of("GET")] == [
        "currency=USDT&limit=100&order_by=desc",
        f"currency=USDT&limit=100&order_by=desc&to={result.withdrawal.uuid}",
    ]


async def test_missing_withdrawal_is_not_found_only_at_the_end(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    unknown = await lose(client, sandbox, executed=False, **tron)
    started = sandbox.now
    result = await client.withdraws.reconcile(unknown)
    assert (result.status, result.withdrawal, result.candidates) == ("not_found", None, ())
    assert sandbox.now - started == dt.timedelta(seconds=60)
    polls = [(line.at - started).total_seconds() for line in sandbox.requests.of("GET", MANY)]
    assert polls == sorted(polls)
    assert polls[0] == 0
    assert polls[-1] == pytest.approx(60)
    assert len(polls) < 15
    sandbox.requests.clear()
    assert (await client.withdraws.reconcile(unknown, timeout=0)).status == "not_found"
    assert len(sandbox.requests) == 1


async def test_two_matches_are_ambiguous_until_one_is_excluded(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    theirs = await other_client(sandbox).withdraws.create(**tron)
    unknown = await lose(client, sandbox, **tron)
    ours = list(sandbox.withdrawals)[-1]
    result = await client.withdraws.reconcile(unknown)
    assert (result.status, result.withdrawal) == ("ambiguous", None)
    assert {each.uuid for each in result.candidates} == {ours, theirs.uuid}
    for known in ([theirs.uuid], (theirs.uuid.upper(),), iter([theirs.uuid])):
        result = await client.withdraws.reconcile(unknown, known_uuids=known)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert result.withdrawal is not None
        assert (result.status, result.withdrawal.uuid) == ("found", ours)


async def test_answered_withdrawals_are_no_candidates(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await client.withdraws.create(**tron)
    unknown = await lose(client, sandbox, executed=False, **tron)
    await client.with_options().withdraws.create(**tron)
    assert (await client.withdraws.reconcile(unknown)).status == "not_found"


async def test_withdrawal_answered_during_reconcile_is_no_candidate(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    unknown = await lose(client, sandbox, executed=False, **tron)
    results: list[str] = []

    async def reconcile() -> None:
        results.append((await client.withdraws.reconcile(unknown)).status)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reconcile)
        await anyio.sleep(5)
        await client.withdraws.create(**tron)
    assert results == ["not_found"]


async def test_one_withdrawal_is_found_for_one_lost_answer_only(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    first = await lose(client, sandbox, **tron)
    second = await lose(client, sandbox, executed=False, **tron)
    found = await client.withdraws.reconcile(first)
    assert found.status == "found"
    assert (await client.withdraws.reconcile(second)).status == "not_found"
    assert await client.withdraws.reconcile(first) == found  # a second call returns the same


async def test_lagging_list_is_waited_for(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 45.0
    unknown = await lose(client, sandbox, **tron)
    assert (await client.withdraws.reconcile(unknown, timeout=5)).status == "not_found"
    assert (await client.withdraws.reconcile(unknown)).status == "found"


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "13.000001"},
        {"net_type": "ETH", "address": f"0x{'3' * 40}"},
        {"transaction_type": "internal"},
    ],
)
async def test_different_withdrawals_do_not_match(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], change: dict[str, Any]
) -> None:
    await other_client(sandbox).withdraws.create(**(tron | change))
    unknown = await lose(client, sandbox, executed=False, **tron)
    assert (await client.withdraws.reconcile(unknown, timeout=3)).status == "not_found"


async def test_amounts_are_compared_as_numbers(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    tron["amount"] = "13.50"
    unknown = await lose(client, sandbox, **tron)
    assert (await client.withdraws.reconcile(unknown)).status == "found"


async def test_amount_that_differs_by_the_fee_is_ambiguous_at_the_end(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    more: dict[str, Any] = tron | {"amount": "14"}
    theirs = await other_client(sandbox).withdraws.create(**more)
    never_sent = await lose(client, sandbox, executed=False, **tron)
    started = sandbox.now
    result = await client.withdraws.reconcile(never_sent, timeout=30)
    assert (result.status, result.withdrawal, result.candidates) == ("ambiguous", None, (theirs,))
    assert (sandbox.now - started).total_seconds() == pytest.approx(30)
    sandbox.knobs.list_delay = 10.0
    await anyio.sleep(10)
    unknown = await lose(client, sandbox, **tron)
    result = await client.withdraws.reconcile(unknown, timeout=30)
    assert result.withdrawal is not None
    assert (result.status, result.withdrawal.uuid) == ("found", list(sandbox.withdrawals)[-1])


async def test_only_withdrawals_newer_than_the_request_are_read(
    client: UpbitClient, sandbox: Sandbox
) -> None:
    add_withdrawals(sandbox, 150)
    order = {"currency": "XRP", "net_type": "XRP", "amount": "10", "secondary_address": "123456789"}
    unknown = await lose(
        client, sandbox, executed=False, **order, address="rFakeXrpWithdrawAddressFakeFakeFak"
    )
    assert (await client.withdraws.reconcile(unknown, timeout=0)).status == "not_found"
    assert len(sandbox.requests.of("GET")) == 1


async def test_unreadable_time_excludes_nothing(
    client: UpbitClient,
    sandbox: Sandbox,
    tron: dict[str, Any],
) -> None:
    unknown = await lose(client, sandbox, executed=False, **tron)
    answer_with(
        sandbox,
        "GET",
        MANY,
        [withdrawal_row("a", currency="USDT", net_type=None, amount="13", created_at="yesterday")],
    )
    answer_with(sandbox, "GET", MANY, [])
    assert (await client.withdraws.reconcile(unknown)).status == "found"


async def test_failed_polls_are_repeated_until_the_deadline(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    unknown = await lose(client, sandbox, **tron)
    sandbox.faults.add(Fault.status(503, "GET", MANY, times=7), Fault.garbage("GET", MANY, body="html"))
    assert (await client.withdraws.reconcile(unknown)).status == "found"
    sandbox.faults.add(Fault.status(503, "GET", MANY, times=None))
    still = await blind(client, unknown)
    assert isinstance(still.__cause__, ServerError)
    assert still.intent == unknown.intent
    assert (await blind(client, still)).may_have_executed


async def test_list_that_cannot_be_read_to_its_end_proves_nothing(
    client: UpbitClient,
    sandbox: Sandbox,
    tron: dict[str, Any],
) -> None:
    unknown = await lose(client, sandbox, executed=False, **tron)
    now = unknown.intent.started_at.isoformat()
    answer_with(
        sandbox,
        "GET",
        MANY,
        [withdrawal_row("a", created_at=now), withdrawal_row("b", created_at=now)],
        times=None,
    )
    with pytest.raises(OutcomeUnknown, match=r"still unknown.*may be incomplete"):
        await client.withdraws.reconcile(unknown, timeout=5)


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [(401, "expired_access_key", AuthenticationError), (418, "too_many_requests", Banned)],
)
async def test_permanent_error_ends_reconcile(
    client: UpbitClient,
    sandbox: Sandbox,
    tron: dict[str, Any],
    status: int,
    name: str,
    kind: type[UpbitError],
) -> None:
    unknown = await lose(client, sandbox, **tron)
    sandbox.faults.add(Fault.status(status, "GET", MANY, name=name))
    assert isinstance((await blind(client, unknown)).__cause__, kind)
    assert len(sandbox.requests.of("GET")) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_unnamed_refusal_is_a_failed_poll(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], status: int
) -> None:
    unknown = await lose(client, sandbox, **tron)
    sandbox.faults.add(Fault.status(status, "GET", MANY, body="html"))
    assert (await client.withdraws.reconcile(unknown)).status == "found"
    sandbox.faults.add(Fault.status(status, "GET", MANY, body="html", times=None))
    assert isinstance((await blind(client, unknown)).__cause__, (AuthenticationError, PermissionDenied))


async def test_closed_client_ends_reconcile_at_once(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    unknown = await lose(client, sandbox, **tron)
    await client.aclose()
    started = sandbox.now
    assert isinstance((await blind(client, unknown)).__cause__, ConfigurationError)
    assert sandbox.now == started


async def test_network_outage_during_reconcile_stays_unknown(sandbox: Sandbox, tron: dict[str, Any]) -> None:
    down = False

    async def answer(request: httpx.Request) -> httpx.Response:
        if down:
            raise httpx.PoolTimeout("down", request=request)
        return await transport.handle_async_request(request)

    transport = sandbox.transport()
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with (
        http,
        UpbitClient("sg", credentials=sandbox.credentials, base_url=sandbox.base_url, http=http) as client,
    ):
        unknown = await lose(client, sandbox, **tron)
        down = True
        still = await blind(client, unknown)
        assert isinstance(still.__cause__, NotSent)
        assert still.may_have_executed
        down = False
        assert (await client.withdraws.reconcile(still)).status == "found"


async def test_intent_of_another_kind_or_host_is_refused(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    unknown = await lose(client, sandbox, **tron)
    sandbox.requests.clear()

    def about(**changes: Any) -> OutcomeUnknown:
        return OutcomeUnknown("?", intent=attrs.evolve(unknown.intent, **changes))

    with pytest.raises(ValueError, match="is no withdrawal"):
        await client.withdraws.reconcile(about(endpoint="POST /v1/travel_rule/deposit/uuid"))
    for missing in ("currency", "amount"):
        members = {name: text for name, text in unknown.intent.members.items() if name != missing}
        with pytest.raises(ValueError, match="is no withdrawal"):
            await client.withdraws.reconcile(about(members=members))
    with pytest.raises(ValueError, match=r"sent to th-api\.upbit\.com"):
        await client.withdraws.reconcile(about(host="th-api.upbit.com"))
    for wrong in (None, "unknown", unknown.intent, ValueError()):
        with pytest.raises(TypeError, match="OutcomeUnknown"):
            await client.withdraws.reconcile(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    for known in (None, "id", b"id", 5, [None], [5], {"id": 1}):
        with pytest.raises(TypeError, match="known_uuids"):
            await client.withdraws.reconcile(unknown, known_uuids=known)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="known_uuids"):
        await client.withdraws.reconcile(unknown, known_uuids=[""])
    for timeout in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="timeout"):
            await client.withdraws.reconcile(unknown, timeout=timeout)
    for odd in ("60", None, True, Decimal(60)):
        with pytest.raises(TypeError, match="timeout"):
            await client.withdraws.reconcile(unknown, timeout=odd)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert len(sandbox.requests) == 0
