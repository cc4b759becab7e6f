"""Clients with one key at one host share one limiter."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import anyio
import pytest
from clients import canaries
from model_server import CountingServer, answers_of, client_of

from upbit_async import LocalLimiter, UpbitClient

KEYS = canaries()


def _client(**options: Any) -> UpbitClient:
    usual: dict[str, Any] = {"credentials": KEYS, "base_url": "https://upbit.invalid"}
    return UpbitClient("sg", **(usual | options))


def _limiter(client: UpbitClient) -> object:
    return client.limiter


def test_clients_with_one_key_at_one_host_share_a_limiter() -> None:
    client = _client()
    assert _limiter(_client()) is _limiter(client)
    assert _limiter(client.with_options()) is _limiter(client)
    assert _limiter(_client(credentials=canaries())) is not _limiter(client)
    assert _limiter(_client(base_url="https://other.invalid")) is not _limiter(client)


def test_given_limiter_is_shared_by_clients_of_two_keys() -> None:
    limiter = LocalLimiter()
    assert _limiter(_client(limiter=limiter)) is _limiter(_client(credentials=canaries(), limiter=limiter))


def test_limiter_lives_as_long_as_its_clients() -> None:
    keys = canaries()
    clients = [_client(credentials=keys) for _ in range(2)]
    limiter = weakref.ref(_limiter(clients[0]))
    clients.pop()
    gc.collect()
    assert limiter() is not None
    clients.pop()
    gc.collect()
    assert limiter() is None


@pytest.mark.parametrize("clients", [1, 2, 5])
async def test_two_hundred_reads_through_many_clients_take_seven_seconds(
    clients: int,
) -> None:
    server, keys = CountingServer(30, "fixed", 0.3), canaries()
    ours = [client_of(answers_of(server), credentials=keys) for _ in range(clients)]
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(ours[number % clients].withdraws.list)
    assert server.refusals == []
    assert len(server.ours) == 200
    assert anyio.current_time() - began <= 6.5
