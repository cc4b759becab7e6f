"""Calls that get no connection or are held back too long: the error names the cause, not the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from clients import QUICK
from model_server import CountingServer, answers_of, client_of

from upbit_async import LocalLimiter, NoLimiter, Timeouts, errors

if TYPE_CHECKING:
    from upbit_async import UpbitClient

IMPATIENT = Timeouts(connect=1, read=1, write=1, total=2)


async def _failure(client: UpbitClient) -> errors.NotSent:
    with pytest.raises(errors.NotSent) as caught:
        await client.withdraws.list()
    assert "check the network" not in str(caught.value)
    assert "the network is not the cause" in str(caught.value)
    assert not caught.value.may_have_executed
    return caught.value


async def test_call_without_a_free_connection_names_the_pool() -> None:
    server = CountingServer(1000)
    client = client_of(answers_of(server), trip=30, limiter=NoLimiter())
    impatient = client.with_options(timeouts=IMPATIENT, retry=QUICK)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(client.withdraws.list)
        await anyio.sleep(0.1)
        text = str(await _failure(impatient))
        assert "all 10 connections of this client were busy for 2.0 s" in text
        assert "limiter" not in text
        tasks.cancel_scope.cancel()
    assert server.ours == []


async def test_call_held_back_too_long_names_the_limiter() -> None:
    server, limiter = CountingServer(1000), LocalLimiter({"default": 2})
    client = client_of(answers_of(server), limiter=limiter, timeouts=IMPATIENT, retry=QUICK)
    texts: list[str] = []

    async def call() -> None:
        try:
            await client.withdraws.list()
        except errors.NotSent as error:
            texts.append(str(error))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(call)
    assert len(server.ours) == 2
    assert len(texts) == 6
    for text in texts:
        assert "the rate limiter let no further call of group 'default' leave for 2.0 s" in text
        assert "the network is not the cause" in text
        assert "connections" not in text


async def test_failing_limiter_is_named_instead_of_the_network() -> None:
    class Broken(NoLimiter):
        async def acquire(self, group: str) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            raise ConnectionError("the store went away")

    client = client_of(answers_of(CountingServer(1000)), limiter=Broken(), retry=QUICK)
    with pytest.raises(errors.NotSent, match="the limiter raised ConnectionError") as caught:
        await client.withdraws.list()
    assert "check the limiter" in str(caught.value)
    assert "check the network" not in str(caught.value)
