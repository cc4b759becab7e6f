"""`client.status`: whether wallets work."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from upbit_async.errors import AuthenticationError, Banned, NotFound, UpbitError
from upbit_async.events import PollFailed
from upbit_async.models import BlockState, WalletState
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.events import Event
    from upbit_async.resources.status import WalletChange

PATH = "/v1/status/wallet"


async def test_wallets_are_filtered_by_the_client(client: UpbitClient, sandbox: Sandbox) -> None:
    assert len(await client.status.wallets()) == len(sandbox.wallets)
    assert [each.net_type for each in await client.status.wallets("USDT")] == ["ETH", "TRX", "APT"]
    assert [each.currency for each in await client.status.wallets(net_type="ETH")] == ["ETH", "USDT"]
    assert await client.status.wallets("usdt") == []
    assert {(line.path, line.query) for line in sandbox.requests} == {(PATH, "")}


async def test_block_age_is_a_whole_number_or_none(client: UpbitClient) -> None:
    bitcoin = await client.status.wallet("BTC", "BTC")
    assert (bitcoin.block_elapsed_minutes, bitcoin.wallet_state) == (15, WalletState.WORKING)
    assert type(bitcoin.block_elapsed_minutes) is int
    paused = await client.status.wallet("XYZ", "XYZ")
    assert (paused.block_elapsed_minutes, paused.block_state, paused.block_height) == (None, None, None)


async def test_missing_wallet_is_not_found(client: UpbitClient) -> None:
    with pytest.raises(NotFound, match="sg has no wallet for BTC on TRX") as caught:
        await client.status.wallet("BTC", "TRX")
    assert caught.value.status == 200


def _states(change: WalletChange) -> tuple[Any, Any]:
    return (
        change.previous and change.previous.wallet_state.value,
        change.current and change.current.wallet_state.value,
    )


async def test_watch_yields_the_first_view_and_then_changes_only(
    client: UpbitClient, sandbox: Sandbox
) -> None:
    wallets = sandbox.wallets
    tron = wallets["USDT", "TRX"]

    async def events() -> None:
        await anyio.sleep(65)
        tron.wallet_state = "paused"
        await anyio.sleep(120)
        tron.block_state = "delayed"
        await anyio.sleep(60)
        wallets.remove("USDT", "TRX")
        await anyio.sleep(60)
        wallets.add(attrs.evolve(tron, wallet_state="working"))

    seen: list[WalletChange] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(events)
        async with contextlib.aclosing(client.status.watch("USDT")) as changes:
            async for change in changes:
                seen.append(change)
                if len(seen) == 7:
                    break
    assert [_states(change) for change in seen] == [
        (None, "working"),
        (None, "working"),
        (None, "working"),
        ("working", "paused"),
        ("paused", "paused"),
        ("paused", None),
        (None, "working"),
    ]
    assert seen[4].current is not None
    assert seen[4].current.block_state == BlockState.DELAYED
    starts = [line.at.timestamp() for line in sandbox.requests]
    assert {round(later - earlier) for earlier, later in itertools.pairwise(starts)} == {60}


async def test_failed_polls_of_watch_are_events_only(sandbox: Sandbox) -> None:
    events: list[Event] = []
    client = sandbox.client(observer=events.append)
    sandbox.faults.add(
        Fault.garbage("GET", PATH, body="html"),
        Fault.status(503, "GET", PATH, skip=1, times=3),
        Fault.status(403, "GET", PATH, body="html", skip=1),
    )
    seen: list[WalletChange] = []
    async with contextlib.aclosing(client.status.watch("BTC", interval=1)) as changes:
        async for change in changes:
            seen.append(change)
            sandbox.wallets["BTC", "BTC"].wallet_state = "paused"
            if len(seen) == 2:
                break
    assert [_states(change) for change in seen] == [(None, "working"), ("working", "paused")]
    failures = [event for event in events if isinstance(event, PollFailed)]
    assert [type(event.error).__name__ for event in failures] == [
        "DecodeError",
        "ServerError",
        "PermissionDenied",
    ]
    assert {(event.host, event.uuids) for event in failures} == {(client.host, ())}


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (418, Banned)])
async def test_permanent_error_ends_the_watch(
    client: UpbitClient, sandbox: Sandbox, status: int, kind: type[UpbitError]
) -> None:
    sandbox.faults.add(Fault.status(status, "GET", PATH, skip=1))
    with pytest.raises(kind):
        async for _ in client.status.watch():
            pass
    assert len(sandbox.requests) == 2


async def test_invalid_watch_interval_is_refused_at_once(client: UpbitClient, sandbox: Sandbox) -> None:
    for interval in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="interval"):
            client.status.watch(interval=interval)
    for odd in ("60", None, True):
        with pytest.raises(TypeError, match="interval"):
            client.status.watch(interval=odd)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert len(sandbox.requests) == 0
