"""Waits for transfers whose list contains unreadable rows."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from upbit_async import Credentials, UpbitClient
from upbit_async.errors import (
    AuthenticationError,
    Banned,
    DecodeError,
    NotFound,
    PermissionDenied,
    PollTimeout,
    UpbitError,
    ValidationError,
)
from upbit_async.events import PollFailed
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.events import Event
    from upbit_async.sandbox import Sandbox

LISTS = {"withdraws": "/v1/withdraws", "deposits": "/v1/deposits"}
ENDS = {"withdraws": "DONE", "deposits": "ACCEPTED"}


class Exchange:
    """Answers lists of transfers, all of which have ended."""

    def __init__(self, end: str, *, odd: dict[str, Any], bad: set[str]) -> None:
        self.requests: list[tuple[float, list[str]]] = []
        self._end = end
        self._odd = odd
        self._bad = bad

    def answer(self, request: httpx.Request) -> httpx.Response:
        uuids = request.url.params.get_list("uuids[]")
        self.requests.append((anyio.current_time(), uuids))
        rows = [self._row(uuid) | (self._odd if uuid in self._bad else {}) for uuid in uuids]
        return httpx.Response(200, content=json.dumps(rows))

    def _row(self, uuid: str) -> dict[str, Any]:
        return {"uuid": uuid, "currency": "USDT", "amount": "13", "state": self._end}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("odd", [{"amount": "thirteen"}, {"currency": None}, {"uuid": None}], ids=str)
async def test_a_hundred_unreadable_rows_do_not_delay_nine_hundred_others(
    kind: str, odd: dict[str, Any]
) -> None:
    names = [f"00000000-0000-4000-8000-{number:012}" for number in range(1000)]
    bad = set(names[::10])
    exchange = Exchange(ENDS[kind], odd=odd, bad=bad)
    events: list[Event] = []
    ended: dict[str, float] = {}
    began = anyio.current_time()

    async def wait(uuid: str) -> None:
        await getattr(client, kind).wait(uuid)
        ended[uuid] = anyio.current_time() - began

    async with httpx.AsyncClient(transport=httpx.MockTransport(exchange.answer)) as http:
        client = UpbitClient(
            "sg",
            credentials=Credentials("a" * 40, "s" * 40),
            base_url="https://sg-api.upbit.com",
            http=http,
            observer=events.append,
        )
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(wait, name)
            await anyio.sleep(5)
            tasks.cancel_scope.cancel()

    assert set(ended) == set(names) - bad
    assert max(ended.values()) < 1
    assert sum(at < began + 0.9 for at, _ in exchange.requests) <= 11
    assert len(exchange.requests) <= 10 + 4 * 3, "afterwards the odd ones share their requests"
    failed = [event for event in events if isinstance(event, PollFailed)]
    assert {uuid for event in failed for uuid in event.uuids} == bad
    assert all(isinstance(event.error, DecodeError) for event in failed)


PASSING: dict[str, Callable[[int], Fault]] = {
    "bare 400": lambda times: Fault.status(400, "GET", "/v1/withdraws", body=b"<html>", times=times),
    "bare 404": lambda times: Fault.status(404, "GET", "/v1/withdraws", body=b"", times=times),
    "named 409": lambda times: Fault.status(409, "GET", "/v1/withdraws", name="conflict", times=times),
    "named 423": lambda times: Fault.status(423, "GET", "/v1/withdraws", name="locked", times=times),
    "used nonces": lambda times: Fault.status(401, "GET", "/v1/withdraws", name="nonce_used", times=times),
}


@pytest.mark.parametrize("what", PASSING)
async def test_temporary_failures_end_no_wait(sandbox: Sandbox, tron: dict[str, Any], what: str) -> None:
    sandbox.account.fund("USDT", 10_000)
    sandbox.withdrawals.transitions = Transitions.after_seconds(20)
    events: list[Event] = []
    client = sandbox.client(observer=events.append)
    made = [await client.withdraws.create(**tron) for _ in range(5)]
    sandbox.faults.add(PASSING[what](6))
    states: Counter[str] = Counter()

    async def wait(uuid: str) -> None:
        states[(await client.withdraws.wait(uuid)).state] += 1

    async with anyio.create_task_group() as tasks:
        for record in made:
            tasks.start_soon(wait, record.uuid)

    assert states == {"DONE": 5}
    assert any(isinstance(event, PollFailed) for event in events)


ENDING: dict[str, tuple[Fault | None, type[UpbitError]]] = {
    "key": (
        Fault.status(401, "GET", "/v1/withdraws", name="expired_access_key", times=None),
        AuthenticationError,
    ),
    "scope": (Fault.status(403, "GET", "/v1/withdraws", name="out_of_scope", times=None), PermissionDenied),
    "ban": (Fault.status(418, "GET", "/v1/withdraws", times=None), Banned),
    "id": (Fault.status(400, "GET", "/v1/withdraws", name="validation_error", times=None), ValidationError),
    "unknown": (None, NotFound),
    "time": (Fault.status(503, "GET", "/v1/withdraws", times=None), PollTimeout),
}


@pytest.mark.parametrize("why", ENDING)
async def test_every_error_that_ends_a_wait_has_a_resume_token(
    sandbox: Sandbox, tron: dict[str, Any], why: str
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(20)
    fault, kind = ENDING[why]
    made = await sandbox.client().withdraws.create(**tron)
    client = sandbox.client(credentials=sandbox.issue_key())
    uuid = "00000000-0000-4000-8000-0000000000ff" if why == "unknown" else made.uuid
    if fault is not None:
        sandbox.faults.add(fault)
    with pytest.raises(kind) as caught:
        await client.withdraws.wait(uuid, timeout=100)
    assert caught.value.resume_token is not None
    assert client.withdraws.resume(caught.value.resume_token).uuid == uuid
    sandbox.faults.clear()
    if why not in {"unknown", "ban"}:
        assert (await client.withdraws.resume(caught.value.resume_token).wait()).state == "DONE"
