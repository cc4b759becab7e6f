"""Parts that a user injects (limiter, observer, HTTP client), closing, and several event loops."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx
import httpx2
import pytest
from clients import QUICK, WITHDRAWAL, canaries, client_for, withdrawal_json
from fault_server import Connection, http, serve
from internals import background_tasks, client_state

from upbit_async import LocalLimiter, NoLimiter, Timeouts, UpbitClient, errors, events

if TYPE_CHECKING:
    from upbit_async.transport.limiter import Ticket

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2])


async def _accepts(connection: Connection, request: bytes) -> None:
    await connection.send(http(201, withdrawal_json()) if request.startswith(b"POST") else http(200))


def _posts(requests: list[bytes]) -> int:
    return sum(request.startswith(b"POST") for request in requests)


class _Broken(NoLimiter):
    """A limiter that fails before or after the call."""

    def __init__(self, when: str) -> None:
        self.when = when

    async def acquire(self, group: str) -> Ticket:
        if self.when == "before":
            raise ConnectionError("the store went away")
        return await super().acquire(group)

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        raise ConnectionError("the store went away")


async def test_limiter_that_raises_after_the_call_does_not_hide_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve(_accepts) as server, client_for(server.url, limiter=_Broken("after")) as client:
        assert (await client.withdraws.create(**WITHDRAWAL)).uuid
    assert "the limiter raised" in caplog.text


async def test_limiter_that_raises_before_the_call_means_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(_accepts) as server, client_for(server.url, limiter=_Broken("before")) as client:
        with pytest.raises(errors.NotSent, match="limiter raised ConnectionError"):
            await client.withdraws.create(**WITHDRAWAL)
        assert server.requests == []


async def test_closed_client_sends_nothing() -> None:
    came = anyio.Event()

    async def behave(connection: Connection, request: bytes) -> None:
        came.set()
        await _accepts(connection, request)

    async with serve(behave) as server:
        client = client_for(server.url, limiter=LocalLimiter({"default": 6}))
        refused: list[errors.UpbitError] = []

        async def withdraw() -> None:
            try:
                await client.withdraws.create(**WITHDRAWAL)
            except errors.ConfigurationError as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(withdraw)
            await came.wait()
            await client.aclose()
        assert len(server.requests) == 20 - len(refused)
        assert len(refused) >= 15  # five were let out before the limiter held the others back
        await anyio.sleep(0.05)
        assert server.open == 0


async def test_ban_while_connecting_prevents_sending() -> None:
    async with serve(_accepts) as server, client_for(server.url) as client:
        checks = iter([0.0, 0.0])  # before the pool and after the limiter; the ban comes while it connects
        box = client_state(client).penalty_box
        box.seconds_left = lambda: next(checks, 60.0)  # type: ignore[method-assign]
        with pytest.raises(errors.Banned):
            await client.withdraws.create(**WITHDRAWAL)
        checks = iter([0.0, 0.0])
        with pytest.raises(errors.Banned):
            await client.withdraws.list()
        assert server.connections
        assert server.requests == []


async def test_concurrent_418s_are_one_ban() -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await anyio.sleep(0.05)
        await connection.send(http(418, b""))

    async with serve(behaviour) as server, client_for(server.url) as client:
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                with pytest.raises(errors.Banned):
                    await client.withdraws.list()

            for _ in range(10):
                tasks.start_soon(call)
        assert client_state(client).penalty_box.seconds_left() <= 60


async def test_call_fails_at_once_if_it_would_wait_past_its_deadline() -> None:
    named = b'{"error":{"name":"too_many_requests","message":""}}'

    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(429, named, "Retry-After: 100"))

    async with (
        serve(behaviour) as server,
        client_for(server.url, limiter=None, timeouts=Timeouts(total=50)) as client,
    ):
        for _ in range(2):
            with pytest.raises(errors.RateLimited) as caught, anyio.fail_after(30):
                await client.withdraws.list()
            assert caught.value.retry_after > 60
        assert len(server.requests) == 1


@LIBRARIES
async def test_hook_that_reads_the_answer_is_harmless(library: Any) -> None:
    async def read(response: Any) -> None:
        await response.aread()

    async with (
        serve(_accepts) as server,
        library.AsyncClient(event_hooks={"response": [read]}) as http_client,
    ):
        client = client_for(server.url, http=http_client)
        assert await client.withdraws.list() == []
        assert (await client.withdraws.create(**WITHDRAWAL)).uuid
        await client.aclose()


@LIBRARIES
async def test_hook_that_raises_after_the_answer_is_an_unknown_outcome(library: Any) -> None:
    async def fail(response: Any) -> None:
        raise library.PoolTimeout("the pool is full")

    async with (
        serve(_accepts) as server,
        library.AsyncClient(event_hooks={"response": [fail]}) as http_client,
    ):
        client = client_for(server.url, http=http_client)
        with pytest.raises(errors.OutcomeUnknown):
            await client.withdraws.create(**WITHDRAWAL)
        assert _posts(server.requests) == 1
        await client.aclose()


@LIBRARIES
async def test_withdrawal_cancelled_in_an_injected_pool_is_not_sent(
    library: Any,
) -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await anyio.sleep(0.3)
        await _accepts(connection, request)

    limits = library.Limits(max_connections=1)
    async with serve(behaviour) as server, library.AsyncClient(limits=limits) as http_client:
        client = client_for(server.url, http=http_client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(http_client.get, server.url + "/slow")  # it holds the only connection
            await anyio.sleep(0.05)
            with anyio.move_on_after(0.1):
                await client.withdraws.create(**WITHDRAWAL)
        await anyio.sleep(0.05)
        assert _posts(server.requests) == 0
        await client.aclose()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_cancelled_calls_leave_no_task_behind() -> None:
    async with serve(_accepts) as server, httpx.AsyncClient() as http_client:
        client = client_for(server.url, http=http_client)
        for ticks in range(60):
            task = asyncio.ensure_future(client.withdraws.list())
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await anyio.sleep(0.1)
        assert background_tasks(client) == 0
        await client.aclose()


def test_client_in_two_threads_keeps_its_connections() -> None:
    async def main() -> None:
        async with serve(_accepts) as server:
            client = client_for(server.url, credentials=canaries(), retry=QUICK)

            async def work() -> None:
                for _ in range(10):
                    async with anyio.create_task_group() as tasks:
                        for _ in range(10):
                            tasks.start_soon(client.withdraws.list)
                await client_state(client).pool.aclose()  # this loop's connections only

            threads = [threading.Thread(target=anyio.run, args=(work,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await anyio.to_thread.run_sync(thread.join)
            assert len(server.requests) == 200
            assert server.connections <= 20

    anyio.run(main)


async def test_withdrawal_made_with_request_is_recorded_as_answered() -> None:
    async with serve(_accepts) as server, client_for(server.url) as client:
        await client.request("POST", "/v1/withdraws/coin", json={"currency": "USDT", "amount": "13"})
        assert client.known_withdrawals.unguarded == {"00000000-0000-4000-8000-000000000003"}


async def test_unnamed_429_makes_a_cancel_be_read_back() -> None:
    answers = iter(
        [
            http(429, b"slow down"),
            http(400, b'{"error":{"name":"withdraw_not_cancelable","message":""}}'),
            http(200, withdrawal_json(state="CANCELLED")),
        ]
    )

    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(next(answers))

    async with serve(behaviour) as server, client_for(server.url) as client:
        record = await client.withdraws.cancel("00000000-0000-4000-8000-000000000003")
        assert record.state == "CANCELLED"


async def test_observer_that_raises_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: events.Event) -> None:
        raise RuntimeError("no disk")

    with caplog.at_level(logging.ERROR, logger="upbit_async"):
        async with serve(_accepts) as server, client_for(server.url, observer=broken) as client:
            assert await client.withdraws.list() == []
            assert (await client.withdraws.create(**WITHDRAWAL)).uuid
    assert len(caplog.records) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx's pool on trio
@LIBRARIES
async def test_full_injected_pool_is_named_instead_of_the_network(library: Any) -> None:
    came = anyio.Event()

    async def behave(connection: Connection, request: bytes) -> None:
        came.set()
        await connection.hang()

    brief = Timeouts(connect=0.2, read=5, write=5, total=3)
    async with (
        serve(behave) as server,
        library.AsyncClient(limits=library.Limits(max_connections=1)) as http_client,
        client_for(server.url, http=http_client, timeouts=brief) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_end_with_no_answer, client)
        await came.wait()
        with pytest.raises(errors.NotSent, match="pool of the injected HTTP client") as caught:
            await client.withdraws.list()
        assert "the network is not the cause" in str(caught.value)
        tasks.cancel_scope.cancel()


async def _end_with_no_answer(client: UpbitClient) -> None:
    with pytest.raises(errors.TransportError):
        await client.withdraws.list()


async def test_replaced_connection_is_an_event() -> None:
    cut = [True]

    async def behave(connection: Connection, request: bytes) -> bool:
        if cut.pop() if cut else False:
            await connection.send(http(200)[:-1])
            return False
        await connection.send(http(200))
        return True

    observed: list[events.Event] = []
    async with serve(behave) as server, client_for(server.url, observer=observed.append) as client:
        await client.withdraws.list()
        await client.withdraws.list()
    replaced = [event for event in observed if isinstance(event, events.ConnectionReplaced)]
    assert [event.host for event in replaced] == [client.host]
    names = [type(event).__name__ for event in observed]
    assert names[:3] == ["AttemptStarted", "AttemptFinished", "ConnectionReplaced"]
    assert server.connections == 2


async def test_refused_connection_is_not_reported_as_replaced() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    observed: list[events.Event] = []
    async with client_for(f"http://127.0.0.1:{port}", observer=observed.append) as client:
        with pytest.raises(errors.NotSent):
            await client.withdraws.list()
    assert not [event for event in observed if isinstance(event, events.ConnectionReplaced)]


@LIBRARIES
async def test_injected_clients_connections_are_not_reported_as_replaced(library: Any) -> None:
    async def behave(connection: Connection, request: bytes) -> bool:
        await connection.send(http(200)[:-1])
        return False

    observed: list[events.Event] = []
    async with (
        serve(behave) as server,
        library.AsyncClient() as http_client,
        client_for(server.url, http=http_client, observer=observed.append) as client,
    ):
        with pytest.raises(errors.TransportError):
            await client.withdraws.list()
    assert not [event for event in observed if isinstance(event, events.ConnectionReplaced)]
