"""Observers and limiters that raise after the answer: an accepted withdrawal is returned or logged."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from clients import WITHDRAWAL, client_for, withdrawal_json
from fault_server import Connection, FaultServer, http, serve

from upbit_async import NoLimiter, errors, events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from upbit_async.transport.limiter import Ticket

UUID = "00000000-0000-4000-8000-000000000003"


class Stop(BaseException):
    """Something that is no `Exception`."""


class RaisingLimiter(NoLimiter):
    """A limiter that raises when a call has ended."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        raise self._error


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(201, withdrawal_json()) if request.startswith(b"POST") else http(200))

    async with serve(behaviour) as server:
        yield server


def _options(who: str, error: BaseException, *, only_at_the_end: bool = False) -> dict[str, Any]:
    def observer(event: events.Event) -> None:
        if not only_at_the_end or isinstance(event, events.AttemptFinished):
            raise error

    return {"observer": observer} if who == "observer" else {"limiter": RaisingLimiter(error)}


@pytest.mark.parametrize("who", ["observer", "limiter"])
@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), Stop(), OSError()], ids=repr)
async def test_answer_is_returned_and_the_observers_fault_logged(
    server: FaultServer, who: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_for(server.url, **_options(who, error)) as client:
        assert (await client.withdraws.create(**WITHDRAWAL)).uuid == UUID
        assert await client.withdraws.list() == []
        assert client.known_withdrawals.unguarded == {UUID}
    assert f"the {who} raised" in caplog.text


@pytest.mark.parametrize("who", ["observer", "limiter"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("injected", [False, True], ids=["own", "injected"])
def test_exit_request_ends_the_program_with_the_answer_logged(
    backend: str, who: str, error: BaseException, injected: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async def behaviour(connection: Connection, request: bytes) -> None:
            await connection.send(http(201, withdrawal_json()))

        async with serve(behaviour) as server, httpx.AsyncClient(trust_env=False) as library:
            options = _options(who, error, only_at_the_end=True) | ({"http": library} if injected else {})
            await client_for(server.url, **options).withdraws.create(**WITHDRAWAL)

    with pytest.raises((type(error), BaseExceptionGroup)):
        anyio.run(main, backend=backend)
    logged = [record for record in caplog.records if UUID in record.getMessage()]
    assert [record.levelno for record in logged] == [logging.WARNING]
    assert type(error).__name__ in logged[0].getMessage()


async def test_limiter_with_a_ban_method_is_notified_of_bans() -> None:
    class Banning(NoLimiter):
        def __init__(self) -> None:
            self.calls: list[tuple[str, Ticket, float | None]] = []

        def observe(self, ticket: Ticket, remaining: int | None) -> None:
            self.calls.append(("observe", ticket, remaining))

        def ban(self, ticket: Ticket, seconds: float) -> None:
            self.calls.append(("ban", ticket, seconds))

    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(next(calls))

    limiter = Banning()
    calls = iter([http(200), http(418, b'{"error":{"name":"too_many","message":""}}', "Retry-After: 30")])
    async with serve(behaviour) as banning, client_for(banning.url, limiter=limiter) as client:
        await client.withdraws.list()
        with pytest.raises(errors.Banned):
            await client.withdraws.list()
    (first, _, _), (second, ticket, seconds) = limiter.calls
    assert (first, second, ticket.group) == ("observe", "ban", "default")
    assert seconds is not None
    assert 29 < seconds <= 60
