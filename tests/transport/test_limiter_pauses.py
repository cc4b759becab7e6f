"""Pauses after a refusal or a used-up second, and how calls resume after them."""

from __future__ import annotations

import itertools

import anyio
import pytest
from model_server import CountingServer, answers_of, client_of, most_in_a_second

from upbit_async import LocalLimiter, errors
from upbit_async.protocol.replies import Answer


async def test_after_a_refusal_one_call_probes_before_the_others() -> None:
    server = CountingServer(0)  # another process has used up the second
    client = client_of(answers_of(server))
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(60):
            tasks.start_soon(client.withdraws.list)
        await anyio.sleep(0.5)
        server.limit = 30
    first, second, *_ = again = [at - began for at in server.ours]
    assert [at - began for at in server.refusals] == [pytest.approx(0.01)] * 10
    assert first >= 0.02 + 1.0
    assert second >= first + 0.02
    assert len(again) == 60
    assert min(later - earlier for earlier, later in itertools.pairwise(again)) > 0.03
    assert most_in_a_second(again) <= 29


async def test_used_up_second_is_waited_for() -> None:
    server = CountingServer(1, "sliding")
    client = client_of(answers_of(server))
    began = anyio.current_time()
    for _ in range(3):
        await client.withdraws.list()
    assert server.refusals == []
    assert [at - began for at in server.ours] == [
        pytest.approx(0.01 + step * 1.022, abs=0.03) for step in range(3)
    ]


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("group=default; min=1800; sec=0", True),
        ("group=wallet; min=1800; sec=0", True),
        ("group=whatever; sec=0", True),
        ("group=default; min=0; sec=29", False),
        ("group=default; min=0", False),
        ("group=default; min=1800; sec=-1", False),
        ("group=default; min=1800; sec=9999999999999", False),
        ("sec", False),
        ("\x00;;==", False),
        (None, False),
    ],
)
async def test_only_the_remaining_count_of_the_second_pauses(header: str | None, waits: bool) -> None:
    headers = {} if header is None else {"remaining-req": header}
    client = client_of(lambda _: Answer(200, headers, b"[]"), trip=0.0)
    began = anyio.current_time()
    for _ in range(2):
        await client.withdraws.list()
    assert (anyio.current_time() - began >= 1) is waits
    assert anyio.current_time() - began <= 1.1


async def test_refusal_pauses_all_clients_of_the_limiter() -> None:
    server = CountingServer(30)
    limiter = LocalLimiter()
    refused, other = (client_of(answers_of(each), limiter=limiter) for each in (CountingServer(0), server))
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:

        async def be_refused() -> None:
            with pytest.raises(errors.RateLimited):
                await refused.withdraws.list()

        tasks.start_soon(be_refused)
        await anyio.sleep(0.1)
        await other.withdraws.list()
    assert server.ours[0] - began >= 1.02
