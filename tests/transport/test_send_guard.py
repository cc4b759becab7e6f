"""The send guard: it supplies nonce and algorithm, and decides whether the first byte may be sent."""

from __future__ import annotations

import functools
import json
import logging
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import httpx
import httpx2
import pytest
from clients import WITHDRAWAL, client_for, withdrawal_json
from fault_server import Connection, FaultServer, http, serve

from upbit_async import errors
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])


@attrs.define
class Guard:
    """A send guard that does what a test prescribes."""

    must_stop = False

    lets_go: bool = True
    raises: Exception | None = None
    breaks: Exception | None = None
    calls: list[str] = attrs.field(factory=list[str])

    async def record_departure(self) -> SigningParams:
        self.calls.append("record_departure")
        if self.raises is not None:
            raise self.raises
        return SigningParams(nonce="the nonce", algorithm="HS512")

    async def may_send(self) -> bool:
        self.calls.append("may_send")
        if self.breaks is not None:
            raise self.breaks
        return self.lets_go


@pytest.fixture
async def server() -> AsyncGenerator[FaultServer]:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(201, withdrawal_json()))

    async with serve(behaviour) as server:
        yield server


@pytest.fixture(params=["own", "httpx", "httpx2"])
async def options(request: pytest.FixtureRequest) -> AsyncGenerator[dict[str, Any]]:
    if request.param == "own":
        yield {}
        return
    library: Any = {"httpx": httpx, "httpx2": httpx2}[request.param]
    async with library.AsyncClient() as client:
        yield {"http": client}


async def test_guard_decides_nonce_and_algorithm(server: FaultServer, options: dict[str, Any]) -> None:
    guard = Guard()
    async with client_for(server.url, **options) as client:
        record = await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL, guard=guard)
        assert record.uuid
        assert client.known_withdrawals.unguarded == set()  # guarded calls keep their own record
        await client.withdraws.create(**WITHDRAWAL)
        assert client.known_withdrawals.unguarded == {record.uuid}
    token = server.requests[0].split(b"Bearer ")[1].split(b"\r\n")[0]
    head, claims = (json.loads(urlsafe_b64decode(part + b"==")) for part in token.split(b".")[:2])
    assert (head["alg"], claims["nonce"]) == ("HS512", "the nonce")
    assert guard.calls[:2] == ["record_departure", "may_send"]


@pytest.mark.parametrize(
    "guard", [Guard(lets_go=False), Guard(breaks=RuntimeError("odd"))], ids=["no", "breaks"]
)
async def test_request_that_the_guard_refuses_is_not_sent(
    server: FaultServer, options: dict[str, Any], guard: Guard
) -> None:
    guard = attrs.evolve(guard, calls=[])
    async with client_for(server.url, **options) as client:
        with pytest.raises(errors.NotSent) as caught:
            await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL, guard=guard)
    assert not caught.value.may_have_executed
    assert "its guard stopped it before its first byte" in str(caught.value)
    assert "check the network" not in str(caught.value)  # which has nothing to do with it
    assert server.requests == []
    assert guard.calls.count("record_departure") == 1  # it is sent once, whatever the retry policy


async def test_guard_error_in_signing_is_raised_and_nothing_sent(
    server: FaultServer, options: dict[str, Any]
) -> None:
    guard = Guard(raises=LookupError("no seal"))
    async with client_for(server.url, **options) as client:
        with pytest.raises(LookupError, match="no seal"):
            await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL, guard=guard)
        assert server.requests == []
        await client.withdraws.create(**WITHDRAWAL)  # the connection is free again
    assert guard.calls == ["record_departure"]


async def test_guard_that_raises_after_its_caller_was_cancelled_leaves_no_warning(
    server: FaultServer, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The guard keeps its own record, and nothing was sent."""
    writes, may_end = anyio.Event(), anyio.Event()

    class SlowGuard(Guard):
        async def record_departure(self) -> SigningParams:
            with anyio.CancelScope(shield=True):  # as a guard that writes to its journal
                writes.set()
                await may_end.wait()
            return await super().record_departure()

    guard = SlowGuard(raises=LookupError("it has changed"))
    async with client_for(server.url, **options) as client:
        async with anyio.create_task_group() as tasks:
            call = functools.partial(client.transport.call, guard=guard)
            tasks.start_soon(call, CREATE_WITHDRAWAL, WITHDRAWAL)
            await writes.wait()
            tasks.cancel_scope.cancel()
            may_end.set()
        assert guard.calls == ["record_departure"]
        assert server.requests == []
        assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []
        await client.withdraws.create(**WITHDRAWAL)  # the connection is free again


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'{"error":{"name":"too_many_requests","message":""}}', errors.RateLimited),
        (503, b"", errors.OutcomeUnknown),
        (401, b'{"error":{"name":"nonce_used","message":""}}', errors.OutcomeUnknown),
        (
            400,
            b'{"error":{"name":"x","message":"no TFakeTronWithdrawAddressFakeFakeFa here"}}',
            errors.ValidationError,
        ),
    ],
)
async def test_guarded_request_is_not_retried(
    status: int, body: bytes, kind: type[errors.UpbitError]
) -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(status, body))

    async with serve(behaviour) as server, client_for(server.url) as client:
        with pytest.raises(kind) as caught:
            await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL, guard=Guard())
        assert len(server.requests) == 1
    error = caught.value
    assert "TFakeTron" not in str(error)
    if isinstance(error, errors.OutcomeUnknown):
        assert (error.status, error.name) == (status, "nonce_used" if status == 401 else "")
