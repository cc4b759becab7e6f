"""Lifetime of an `UpbitClient`: siblings, closing, event loops and injected HTTP clients."""

from __future__ import annotations

import functools
import gc
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
from clients import WITHDRAWAL
from internals import client_state

from upbit_async import NoLimiter, PollSchedule, RetryPolicy, Timeouts, UpbitClient
from upbit_async.errors import ConfigurationError, NotSent, OutcomeUnknown, ServerError, TransportError
from upbit_async.events import AttemptStarted, RetryPlanned
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from upbit_async.events import Event
    from upbit_async.transport.limiter import Ticket


# -- siblings --------------------------------------------------------------------------------------


class Counting(NoLimiter):
    def __init__(self) -> None:
        super().__init__()
        self.acquired = 0

    async def acquire(self, group: str) -> Ticket:
        self.acquired += 1
        return await super().acquire(group)


async def test_siblings_share_connections_and_limits(sandbox: Sandbox) -> None:
    limiter = Counting()
    client = sandbox.client(limiter=limiter)
    sibling = client.with_options(retry=RetryPolicy(attempts=1))
    await client.status.wallets()
    await sibling.status.wallets()
    assert limiter.acquired == 2
    assert client_state(sibling) is client_state(client)
    assert (sibling.region, sibling.host, repr(sibling)) == (client.region, client.host, repr(client))


async def test_sibling_keeps_options_that_are_not_given(sandbox: Sandbox) -> None:
    events: list[Event] = []
    more: list[Event] = []
    client = sandbox.client(retry=RetryPolicy(attempts=2, base=0), observer=events.append)
    sibling = client.with_options(timeouts=Timeouts(total=5)).with_options(observer=more.append)
    sandbox.faults.add(Fault.status(503, times=None))
    for each in (client, sibling, client.with_options(retry=RetryPolicy(attempts=1))):
        with pytest.raises(ServerError):
            await each.status.wallets()
    assert len(sandbox.requests) == 2 + 2 + 1
    assert len([event for event in events if isinstance(event, AttemptStarted)]) == 2 + 1
    assert len([event for event in more if isinstance(event, RetryPlanned)]) == 1


async def test_sibling_can_have_its_own_poll_schedule(sandbox: Sandbox) -> None:
    client = sandbox.client(poll=PollSchedule(first=1, longest=1, jitter=0))
    slow = client.with_options(poll=PollSchedule(first=50, longest=50, jitter=0))
    same = slow.with_options()
    uuid = "00000000-0000-4000-8000-000000000006"
    polls: list[int] = []
    for each in (client, slow, same):
        sandbox.requests.clear()
        with anyio.move_on_after(99):
            await each.withdraws.wait(uuid)
        polls.append(len(sandbox.requests))
    assert polls[0] > 90
    assert polls[1:] == [2, 2]


async def test_siblings_exclude_each_others_withdrawals_in_reconcile(sandbox: Sandbox) -> None:
    client = sandbox.client()
    sibling = client.with_options()
    sandbox.faults.add(Fault.reset_before("POST"))
    with pytest.raises(OutcomeUnknown) as caught:
        await client.withdraws.create(**WITHDRAWAL)
    await sibling.withdraws.create(**WITHDRAWAL)
    assert (await client.withdraws.reconcile(caught.value, timeout=0)).status == "not_found"


async def test_closing_the_original_closes_all_and_closing_a_sibling_nothing(sandbox: Sandbox) -> None:
    client = sandbox.client()
    sibling = client.with_options()
    async with client.with_options() as another:
        await another.status.wallets()
    await sibling.aclose()
    await sibling.status.wallets()
    await client.status.wallets()
    await client.aclose()
    await client.aclose()
    sandbox.requests.clear()
    for each in (client, sibling, client.with_options()):
        with pytest.raises(ConfigurationError, match="closed"):
            await each.status.wallets()
        with pytest.raises(ConfigurationError, match="closed"):
            await each.withdraws.create(**WITHDRAWAL)
        with pytest.raises(ConfigurationError, match="closed"):
            await each.request("GET", "/v1/accounts")
        with pytest.raises(ConfigurationError, match="closed"):
            await each.withdraws.wait("u")
    assert len(sandbox.requests) == 0


async def test_leaving_the_context_closes_the_client(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        assert await client.status.wallets()
    with pytest.raises(ConfigurationError, match="closed"):
        await client.status.wallets()


async def test_error_in_the_context_closes_the_client_and_is_raised(sandbox: Sandbox) -> None:
    client = sandbox.client()
    with pytest.raises(KeyError):
        async with client:
            raise KeyError
    with pytest.raises(ConfigurationError, match="closed"):
        await client.status.wallets()


# -- injected HTTP clients -------------------------------------------------------------------------


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_injected_http_client_is_used_and_not_closed(sandbox: Sandbox, library: Any) -> None:
    own = {"Authorization": "Bearer not.this.one", "Accept-Encoding": "gzip", "X-Own": "1"}
    async with library.AsyncClient(
        transport=library.ASGITransport(app=sandbox.app),
        headers=own,
        auth=("user", "password"),
        trust_env=False,
    ) as http:
        async with UpbitClient(
            "sg", credentials=sandbox.credentials, base_url=sandbox.base_url, http=http
        ) as client:
            poller = await client.withdraws.send(**WITHDRAWAL)
            assert poller.uuid in sandbox.withdrawals
            assert len(await client.withdraws.list(uuids=[poller.uuid, "a b"])) == 1
            sandbox.withdrawals.set_state(poller.uuid, "DONE")
            assert (await poller.result()).state == "DONE"
        assert not http.is_closed
    assert http.is_closed


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_closed_injected_http_client_sends_nothing(sandbox: Sandbox, library: Any) -> None:
    http = library.AsyncClient(transport=library.ASGITransport(app=sandbox.app), trust_env=False)
    client = UpbitClient("sg", credentials=sandbox.credentials, base_url=sandbox.base_url, http=http)
    await http.aclose()
    for call in (client.status.wallets(), client.withdraws.create(**WITHDRAWAL)):
        with pytest.raises(NotSent):
            await call
    assert len(sandbox.requests) == 0


# -- over a socket, in real time -------------------------------------------------------------------


# As with any HTTP client, connections of an event loop that has ended are left open.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("asyncio", "trio"), ("trio", "asyncio")])
def test_client_can_be_used_in_successive_event_loops(backends: tuple[str, str]) -> None:
    sandbox = Sandbox("sg")
    with sandbox.serve() as url:
        uuids = _use_in_each(backends, UpbitClient("sg", credentials=sandbox.credentials, base_url=url))
        gc.collect()  # this test ignores the warnings about them, the next one would not
    assert len(set(uuids)) == 2
    assert {line.status for line in sandbox.requests} == {200, 201}


def _use_in_each(backends: tuple[str, str], client: UpbitClient) -> list[str]:
    uuids: list[str] = []

    async def use(*, last: bool) -> None:
        assert await client.status.wallets()
        assert (await client.withdraws.wait("00000000-0000-4000-8000-000000000001")).state == "DONE"
        uuids.append((await client.withdraws.create(**WITHDRAWAL)).uuid)
        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(client.withdraws.list)
        if last:
            await client.aclose()

    for number, backend in enumerate(backends):
        anyio.run(functools.partial(use, last=number == 1), backend=backend)
    return uuids


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_injected_http_client_reports_lost_answers_like_the_own_one(library: Any, backend: str) -> None:
    sandbox = Sandbox("sg")

    async def use(url: str) -> None:
        async with library.AsyncClient(trust_env=False) as http:
            client = UpbitClient("sg", credentials=sandbox.credentials, base_url=url, http=http)
            for fault in (Fault.lose_answer("POST"), Fault.lose_answer("POST", how="cut")):
                sandbox.requests.clear()
                sandbox.faults.add(fault)
                with pytest.raises(OutcomeUnknown) as caught:
                    await client.withdraws.create(**WITHDRAWAL)
                assert len(sandbox.requests) == 1
                seen = list(sandbox.withdrawals)
                found = await client.withdraws.reconcile(caught.value, known_uuids=seen[:-1])
                assert found.withdrawal is not None
                assert found.withdrawal.uuid == seen[-1]
            sandbox.faults.add(Fault.lose_answer("GET", times=3))
            with pytest.raises(TransportError):
                await client.status.wallets()
            assert await client.status.wallets()

    with sandbox.serve() as url:
        anyio.run(use, url, backend=backend)


def test_unreachable_server_means_not_sent() -> None:
    sandbox = Sandbox("sg")
    with sandbox.serve() as url:
        pass
    client = UpbitClient("sg", credentials=sandbox.credentials, base_url=url, retry=RetryPolicy(base=0.001))

    async def use() -> None:
        async with client:
            with pytest.raises(NotSent) as caught:
                await client.withdraws.create(**WITHDRAWAL)
            assert not caught.value.may_have_executed

    anyio.run(use)
