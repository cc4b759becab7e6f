"""Bans (418): no client of the banned key sends anything to the host before the ban ends."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest
from clients import canaries
from internals import client_state
from model_server import client_of

from upbit_async import LocalLimiter, NoLimiter, RateLimiter, Timeouts, UpbitClient, errors
from upbit_async.protocol.replies import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.protocol.message import Message
    from upbit_async.transport.limiter import Ticket

GOOD = Answer(200, {"remaining-req": "group=default; min=1800; sec=20"}, b"[]")
LIMITERS: dict[str, Callable[[], RateLimiter | None]] = {
    "shared": lambda: None,
    "own": LocalLimiter,
    "narrow": lambda: LocalLimiter({"default": 3}),
    "none": NoLimiter,
}


@attrs.define
class Upbit:
    """Upbit that answers requests by their number, some with a ban, and records when they arrived."""

    bans: dict[int, bytes]
    arrivals: list[float] = attrs.field(factory=list[float])

    def __call__(self, _message: Message) -> Answer:
        self.arrivals.append(anyio.current_time())
        ban = self.bans.get(len(self.arrivals))
        return GOOD if ban is None else Answer(418, {}, ban)


@attrs.define
class Outcome:
    """The end of one call: when, and with which error."""

    at: float
    error: errors.UpbitError | None


async def _call(client: UpbitClient, outcomes: list[Outcome]) -> None:
    error: errors.UpbitError | None = None
    try:
        await client.withdraws.list()
    except errors.UpbitError as failure:
        error = failure
    outcomes.append(Outcome(anyio.current_time(), error))


@pytest.mark.parametrize("limiter", LIMITERS)
async def test_ban_fails_unsent_calls_at_once_with_its_end(limiter: str) -> None:
    upbit = Upbit({5: b"blocked for 120 seconds"})
    client = client_of(upbit, limiter=LIMITERS[limiter]())
    outcomes: list[Outcome] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            tasks.start_soon(_call, client, outcomes)
    banned = [outcome for outcome in outcomes if outcome.error is not None]
    assert len(upbit.arrivals) + len(banned) == 40 + 1
    assert len(upbit.arrivals) <= 20
    assert upbit.arrivals[-1] <= upbit.arrivals[4] + 0.01
    assert {outcome.at for outcome in banned} == {banned[0].at}
    for outcome in banned:
        assert isinstance(outcome.error, errors.Banned)
        left = outcome.error.until - dt.datetime.now(dt.UTC)
        assert 115 < left.total_seconds() <= 120


@pytest.mark.parametrize("limiter", LIMITERS)
async def test_ban_applies_to_all_clients_of_the_key_and_no_other(limiter: str) -> None:
    keys, upbit = canaries(), Upbit({1: b"blocked for 120 seconds"})
    outcomes: list[Outcome] = []
    await _call(client_of(upbit, credentials=keys), outcomes)
    same = client_of(upbit, credentials=keys, limiter=LIMITERS[limiter]())
    await _call(same, outcomes)
    assert len(upbit.arrivals) == 1
    assert [type(outcome.error) for outcome in outcomes] == [errors.Banned] * 2
    await client_of(upbit, limiter=LIMITERS[limiter]()).withdraws.list()
    await client_of(upbit, credentials=keys, base_url="https://other.invalid").withdraws.list()
    await anyio.sleep(119)
    await _call(same, outcomes)
    assert isinstance(outcomes[-1].error, errors.Banned)
    await anyio.sleep(1.1)
    await same.withdraws.list()
    assert len(upbit.arrivals) == 4


async def test_ban_fails_calls_that_wait_for_another_limiter() -> None:
    keys, upbit, outcomes = canaries(), Upbit({1: b"blocked for 120 seconds"}), list[Outcome]()
    limiter = LocalLimiter()
    limiter.refuse(await limiter.acquire("default"), 30)
    waiting = client_of(upbit, credentials=keys, limiter=limiter)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_call, waiting, outcomes)
        await anyio.sleep(1)
        await _call(client_of(upbit, credentials=keys), [])
    assert isinstance(outcomes[0].error, errors.Banned)
    assert outcomes[0].at - began == pytest.approx(1.02)


async def test_ban_without_a_length_doubles_until_a_call_succeeds() -> None:
    upbit = Upbit({1: b"", 2: b"", 3: b"", 5: b""})
    client = client_of(upbit, limiter=NoLimiter())
    lengths: list[float] = []
    for _ in range(3):
        lengths.append(await _banned_for(client))
        await anyio.sleep(lengths[-1] + 1)
    await client.withdraws.list()
    lengths.append(await _banned_for(client))
    assert lengths == [pytest.approx(seconds, abs=1) for seconds in (60, 120, 240, 60)]
    assert len(upbit.arrivals) == 5


async def _banned_for(client: UpbitClient) -> float:
    with pytest.raises(errors.Banned) as caught:
        await client.withdraws.list()
    return (caught.value.until - dt.datetime.now(dt.UTC)).total_seconds()


class Never(NoLimiter):
    """Lets nothing leave, and says when somebody has begun to wait."""

    def __init__(self) -> None:
        self.waited_for = threading.Event()

    async def acquire(self, group: str) -> Ticket:
        self.waited_for.set()
        await anyio.sleep_forever()
        return await super().acquire(group)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ban_fails_calls_that_wait_in_another_thread(backend: str) -> None:
    upbit, limiter, outcomes = Upbit({}), Never(), list[Outcome]()
    client = client_of(upbit, limiter=limiter)

    def call() -> None:
        anyio.run(_call, client, outcomes, backend=backend)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    limiter.waited_for.wait(20)

    async def ban() -> None:
        client_state(client).penalty_box.ban(lambda _: 60.0)

    anyio.run(ban)
    thread.join(20)
    assert [type(outcome.error) for outcome in outcomes] == [errors.Banned]
    assert upbit.arrivals == []


async def test_success_sent_before_a_ban_does_not_reset_the_doubling() -> None:
    upbit = Upbit({})
    slow = client_of(upbit, trip=40.0, limiter=NoLimiter(), timeouts=Timeouts(read=60, total=60))
    box = client_state(slow).penalty_box
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow.withdraws.list)
        await anyio.sleep(30)
        assert box.ban(lambda bans: 60.0 * 2**bans) == 60
    assert upbit.arrivals  # it left before the ban, and its answer arrivals ten seconds after it
    await anyio.sleep(120)
    assert box.ban(lambda bans: 60.0 * 2**bans) == 120


async def test_success_sent_after_a_ban_resets_the_doubling() -> None:
    client = client_of(Upbit({}), limiter=NoLimiter())
    box = client_state(client).penalty_box
    box.ban(lambda _: 60.0)
    await anyio.sleep(61)
    await client.withdraws.list()
    assert box.ban(lambda bans: 60.0 * 2**bans) == 60
