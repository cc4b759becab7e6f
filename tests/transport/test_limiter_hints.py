"""Hints of the server to wait: their longest effect, and `LocalLimiter.reset`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import anyio
import pytest
from clients import canaries
from model_server import client_of

from upbit_async import LocalLimiter, NoLimiter, Timeouts, UpbitClient, errors
from upbit_async.protocol.replies import Answer

if TYPE_CHECKING:
    from upbit_async.protocol.message import Message

pytestmark = pytest.mark.thorough

FOR_EVER = {"retry-after": "999999999"}
NAMED = b'{"error":{"name":"too_many_requests","message":"no"}}'
PATIENT = Timeouts(total=1e6)


class Upbit:
    """Upbit that answers every request but the first with success."""

    def __init__(self, first: Answer) -> None:
        self.first = first
        self.arrivals: list[float] = []

    def __call__(self, _message: Message) -> Answer:
        self.arrivals.append(anyio.current_time())
        return self.first if len(self.arrivals) == 1 else Answer(200, {}, b"[]")


async def _stop(client: UpbitClient) -> errors.RateLimited | errors.Banned:
    with pytest.raises((errors.RateLimited, errors.Banned)) as caught:
        await client.withdraws.list()
    assert isinstance(caught.value, (errors.RateLimited, errors.Banned))
    return caught.value


@pytest.mark.parametrize(("body", "longest"), [(b"<html>", 60), (NAMED, 600)])
async def test_retry_after_of_a_429_is_capped_by_its_kind(body: bytes, longest: float) -> None:
    upbit = Upbit(Answer(429, FOR_EVER, body))
    client = client_of(upbit, limiter=LocalLimiter(), timeouts=Timeouts(total=30))
    error = await _stop(client)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == longest
    began = anyio.current_time()
    await client.with_options(timeouts=PATIENT).withdraws.list()
    assert longest - 1 <= anyio.current_time() - began <= longest + 1


async def test_ban_lasts_one_day_at_most() -> None:
    client = client_of(Upbit(Answer(418, FOR_EVER, b"blocked for 400 days")))
    error = await _stop(client)
    assert isinstance(error, errors.Banned)
    left = (error.until - dt.datetime.now(dt.UTC)).total_seconds()
    assert 24 * 3600 - 60 <= left <= 24 * 3600
    await anyio.sleep(24 * 3600 + 1)
    await client.withdraws.list()


@pytest.mark.parametrize(
    "answer", [Answer(429, FOR_EVER, NAMED), Answer(418, FOR_EVER, b"")], ids=["429", "418"]
)
async def test_reset_ends_a_pause_or_ban(answer: Answer) -> None:
    limiter, keys = LocalLimiter(), canaries()
    upbit = Upbit(answer)
    client = client_of(upbit, limiter=limiter, credentials=keys)
    await _stop(client)
    limiter.reset()
    began = anyio.current_time()
    await client.withdraws.list()
    assert anyio.current_time() - began < 0.1
    assert len(upbit.arrivals) == 2


async def test_reset_wakes_waiting_calls() -> None:
    limiter = LocalLimiter()
    limiter.refuse(await limiter.acquire("default"), 600)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.acquire, "default")
        await anyio.sleep(1)
        limiter.reset()
    assert 1 <= anyio.current_time() - began <= 1.1


async def test_reset_keeps_the_count_of_sent_calls() -> None:
    limiter = LocalLimiter({"default": 3})
    for _ in range(2):
        limiter.observe(await limiter.acquire("default"), None)
    limiter.reset()
    began = anyio.current_time()
    await limiter.acquire("default")
    assert anyio.current_time() - began >= 1


async def test_reset_lifts_bans_of_this_limiters_keys_only() -> None:
    limiter, keys = LocalLimiter(), canaries()
    banned = [
        client_of(Upbit(Answer(418, {}, b"")), limiter=limiter, credentials=keys),
        client_of(Upbit(Answer(418, {}, b"")), limiter=limiter),
        client_of(Upbit(Answer(418, {}, b"")), limiter=LocalLimiter()),
        client_of(Upbit(Answer(418, {}, b"")), limiter=NoLimiter()),
    ]
    for client in banned:
        await _stop(client)
    limiter.reset()
    for client in banned[:2]:
        await client.withdraws.list()
    for client in banned[2:]:
        await _stop(client)


async def test_reset_restarts_the_doubling_of_bans() -> None:
    limiter = LocalLimiter()
    client = client_of(lambda _: Answer(418, {}, b""), limiter=limiter)
    for _ in range(3):
        error = await _stop(client)
        assert isinstance(error, errors.Banned)
        assert (error.until - dt.datetime.now(dt.UTC)).total_seconds() <= 60
        limiter.reset()


async def test_client_limiter_is_the_one_shared_by_its_key() -> None:
    keys = canaries()
    client = client_of(Upbit(Answer(429, FOR_EVER, NAMED)), credentials=keys, timeouts=Timeouts(total=30))
    await _stop(client)
    limiter = client_of(Upbit(Answer(200, {}, b"[]")), credentials=keys).limiter
    assert limiter is client.limiter
    assert isinstance(limiter, LocalLimiter)
    limiter.reset()
    began = anyio.current_time()
    await client.withdraws.list()
    assert anyio.current_time() - began < 0.1
