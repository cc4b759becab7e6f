"""Cancellation at any moment: the pool stays usable, and no answer to a withdrawal is lost."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
import trio
from clients import WITHDRAWAL, client_for, withdrawal_json
from fault_server import Connection, FaultServer, http, serve
from internals import client_state, loop_states
from trio.testing import MockClock

from upbit_async import Timeouts, UpbitClient, errors, events
from upbit_async.sandbox import Fault, Sandbox

Cancel = Callable[[Callable[[], Awaitable[Any]], int], Awaitable[bool]]


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async def behaviour(connection: Connection, request: bytes) -> None:
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        if request.startswith(b"POST"):
            await connection.send(http(201, withdrawal_json()))
        else:
            await connection.send(http(200))

    async with serve(behaviour) as server:
        yield server


async def _by_scope(call: Callable[[], Awaitable[Any]], ticks: int) -> bool:
    """Cancel with anyio's scope after this many ticks; return whether the call had ended by then."""
    ended = False
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def cancel() -> None:
                for _ in range(ticks):
                    await anyio.lowlevel.checkpoint()
                scope.cancel()

            tasks.start_soon(cancel)
            await call()
            ended = True
            tasks.cancel_scope.cancel()
    return ended


async def _natively(call: Callable[[], Awaitable[Any]], ticks: int) -> bool:
    """Cancel asyncio's task after this many ticks; return whether the call had ended by then."""
    task = asyncio.ensure_future(call())
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


async def _insisting(call: Callable[[], Awaitable[Any]], ticks: int) -> bool:
    """Cancel asyncio's task repeatedly, which must not interrupt more than cancelling it once."""
    task = asyncio.ensure_future(call())
    for _ in range(ticks):
        await asyncio.sleep(0)
    for _ in range(5):
        task.cancel()
        await asyncio.sleep(0)
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


EVERY_WAY = pytest.mark.parametrize(
    ("anyio_backend", "way"),
    [
        pytest.param("asyncio", _by_scope, id="asyncio, by scope"),
        pytest.param("asyncio", _natively, id="asyncio, natively"),
        pytest.param("asyncio", _insisting, id="asyncio, natively and again"),
        pytest.param("trio", _by_scope, id="trio, by scope"),
    ],
)
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


async def _sweep(way: Cancel, call: Callable[[], Awaitable[Any]]) -> int:
    """Cancel at every tick until a call gets through five times; return how many ticks that took."""
    through = ticks = 0
    while through < 5:
        through += await way(call, ticks)
        ticks += 1
        assert ticks < 2000
    return ticks


async def _assert_all_is_well(client: UpbitClient) -> None:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(client.withdraws.list)
    (state,) = loop_states(client_state(client).pool)
    assert state.slots.value == 10


@EVERY_WAY
async def test_reads_can_be_cancelled_at_every_tick(server: FaultServer, way: Cancel) -> None:
    async with client_for(server.url) as client:
        assert await _sweep(way, client.withdraws.list) > 10
        await _assert_all_is_well(client)


@EVERY_WAY
async def test_withdrawals_can_be_cancelled_at_every_tick_without_losing_answers(
    server: FaultServer, way: Cancel, caplog: pytest.LogCaptureFixture
) -> None:
    observed: list[events.Event] = []
    returned = 0

    async def withdraw() -> None:
        nonlocal returned
        await client.withdraws.create(**WITHDRAWAL)
        returned += 1

    async with client_for(server.url, observer=observed.append) as client:
        with caplog.at_level(logging.WARNING, logger="upbit_async"):
            ticks = await _sweep(way, withdraw)
        await _assert_all_is_well(client)
    late = [event for event in observed if isinstance(event, events.AnswerAfterCancellation)]
    sent = [request for request in server.requests if request.startswith(b"POST")]
    assert ticks > 10
    assert len(sent) == returned + len(late)
    assert len(sent) < ticks  # the early ones were cancelled before anything left
    assert late
    assert all(event.error is None and event.result is not None for event in late)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * len(late)
    assert "00000000-0000-4000-8000-000000000003" in caplog.text


@EVERY_WAY
@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("once", [False, True], ids=["read", "withdrawal"])
async def test_injected_client_can_be_cancelled_at_every_tick(
    server: FaultServer, way: Cancel, library: Any, once: bool
) -> None:
    observed: list[events.Event] = []
    returned = 0

    async def call() -> None:
        nonlocal returned
        if once:
            await client.withdraws.create(**WITHDRAWAL)
        else:
            await client.withdraws.list()
        returned += 1

    async with (
        library.AsyncClient(limits=library.Limits(max_connections=10)) as http_client,
        client_for(server.url, http=http_client, observer=observed.append) as client,
    ):
        await _sweep(way, call)
        await anyio.sleep(0.05)  # requests that were left behind end
        await _assert_all_is_well(client)
    late = [event for event in observed if isinstance(event, events.AnswerAfterCancellation)]
    if once:
        sent = [request for request in server.requests if request.startswith(b"POST")]
        assert len(sent) == returned + len(late)


@ON_ASYNCIO
async def test_sent_withdrawal_is_finished_after_asyncio_timeout() -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await anyio.sleep(0.2)
        await connection.send(http(201, withdrawal_json()))

    observed: list[events.Event] = []
    async with serve(behaviour) as server, client_for(server.url, observer=observed.append) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.withdraws.create(**WITHDRAWAL)
        assert [type(event) for event in observed].count(events.AnswerAfterCancellation) == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.withdraws.create(**WITHDRAWAL), 0.05)
        with pytest.raises(TimeoutError), anyio.fail_after(0.05):
            await client.withdraws.create(**WITHDRAWAL)
        assert [type(event) for event in observed].count(events.AnswerAfterCancellation) == 3
        assert len(server.requests) == 3


async def test_lost_answer_after_cancellation_is_reported_as_unknown() -> None:
    async def behaviour(connection: Connection, request: bytes) -> bool:
        await anyio.sleep(0.1)
        connection.reset()
        return False

    observed: list[events.Event] = []
    async with serve(behaviour) as server, client_for(server.url, observer=observed.append) as client:
        with anyio.move_on_after(0.05):
            await client.withdraws.create(**WITHDRAWAL)
    (late,) = (event for event in observed if isinstance(event, events.AnswerAfterCancellation))
    assert isinstance(late.error, errors.OutcomeUnknown)
    assert late.intent.amount == 13


def test_closed_event_loop_logs_the_intent_as_unknown(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        arrived = anyio.Event()

        async def behaviour(connection: Connection, request: bytes) -> None:
            arrived.set()
            await connection.hang()

        async def serve_for_ever() -> None:
            async with serve(behaviour) as server:
                url.set_result(server.url)
                await anyio.sleep_forever()

        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(serve_for_ever())]
        client = client_for(await url)
        tasks.append(asyncio.ensure_future(client.withdraws.create(**WITHDRAWAL)))
        await arrived.wait()
        assert not any(task.done() for task in tasks)  # and now the loop ends under them

    with caplog.at_level(logging.ERROR, logger="upbit_async"):
        asyncio.run(main())
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "withdrawal of 13 USDT on TRX to TFak…keFa" in caplog.text
    assert "unknown" in caplog.text


@pytest.mark.parametrize("tasks", [20, 60, 150])
async def test_many_expiring_deadlines_leave_the_client_usable(tasks: int) -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await anyio.sleep(random.random() * 0.05)
        await connection.send(http(200))

    async with serve(behaviour) as server, client_for(server.url) as client:

        async def worker() -> None:
            for _ in range(8):
                with anyio.move_on_after(random.random() * 0.06):
                    await client.withdraws.list()

        async with anyio.create_task_group() as workers:
            for _ in range(tasks):
                workers.start_soon(worker)
        await _assert_all_is_well(client)


async def test_bursts_share_ten_connections() -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await anyio.sleep(0.001)
        await connection.send(http(200))

    async with serve(behaviour) as server, client_for(server.url, timeouts=Timeouts()) as client:
        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(client.withdraws.list)
        assert len(server.requests) == 500
        assert server.connections <= 12


# -- Ctrl-C on trio --------------------------------------------------------------------------------


@trio.lowlevel.enable_ki_protection
def _press_ctrl_c() -> None:
    """Raise SIGINT in protected code, so that trio raises KeyboardInterrupt in its main task."""
    signal.raise_signal(signal.SIGINT)


class SlowToConnect(httpx.AsyncBaseTransport):
    """HTTP transport that reports its connection, and takes a second to open it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._transport = sandbox.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("connection.connect_tcp.started", {})
        _press_ctrl_c()
        await anyio.sleep(1)
        return await self._transport.handle_async_request(request)


def test_ctrl_c_before_the_first_byte_sends_no_withdrawal() -> None:
    sandbox = Sandbox("sg")

    async def main() -> None:
        async with (
            httpx.AsyncClient(transport=SlowToConnect(sandbox)) as library,
            client_for("http://127.0.0.1:1", credentials=sandbox.credentials, http=library) as client,
        ):
            await client.withdraws.create(**WITHDRAWAL)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert not sandbox.ledger.created


def test_ctrl_c_after_the_first_byte_reports_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[events.Event] = []
    sandbox = Sandbox("sg")
    sandbox.faults.add(Fault.slow(2, "POST", "/v1/withdraws/coin"))
    client = sandbox.client(observer=reported.append)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:

            async def press() -> None:
                await anyio.sleep(1)
                _press_ctrl_c()

            tasks.start_soon(press)
            await client.withdraws.create(**WITHDRAWAL)

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert isinstance(caught.value.exceptions[0], KeyboardInterrupt)
    (created,) = sandbox.ledger.created
    (late,) = [event for event in reported if isinstance(event, events.AnswerAfterCancellation)]
    assert getattr(late.result, "uuid", None) == created.uuid
    assert created.uuid in caplog.text
