"""A server that answers twice: later requests still get their own answers, and withdrawals their own uuid."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
from clients import WITHDRAWAL, client_for, withdrawal_json
from fault_server import Connection, http, serve
from tls import client_context, server_context

from upbit_async import errors
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.transport import http_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from upbit_async import UpbitClient


def _aiohttp() -> httpx.AsyncClient:
    from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - an extra, and asyncio's only

    return httpx.AsyncClient(transport=AiohttpTransport(verify=client_context()), trust_env=False)


LIBRARIES: dict[str, Callable[[], Any]] = {
    "httpx": lambda: httpx.AsyncClient(verify=client_context(), trust_env=False),
    "httpx2": lambda: httpx2.AsyncClient(verify=client_context(), trust_env=False),
}
HTTP: dict[str, Callable[[], Any] | None] = {"own": None, **LIBRARIES}
EVERY_HTTP = pytest.mark.parametrize("make_http", HTTP.values(), ids=HTTP)
EVERY_LIBRARY = pytest.mark.parametrize("make_http", LIBRARIES.values(), ids=LIBRARIES)
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])
PLAIN_AND_TLS = pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])

OTHER = "00000000-0000-4000-8000-00000000000a"
ACCOUNTS = (
    b'[{"currency":"USDT","balance":"1","locked":"0","avg_buy_price":"0","avg_buy_price_modified":true,'
    b'"unit_currency":"USDT"}]'
)


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_port, "_tls_context", functools.cache(client_context))


@contextlib.asynccontextmanager
async def _client(url: str, http_client: Any) -> AsyncGenerator[UpbitClient]:
    async with contextlib.AsyncExitStack() as stack:
        options = {} if http_client is None else {"http": await stack.enter_async_context(http_client)}
        yield await stack.enter_async_context(client_for(url, **options))


def _answer_to(request: bytes) -> bytes:
    if request.startswith(b"POST"):
        return http(201, withdrawal_json())
    if b"/v1/accounts" in request:
        return http(200, ACCOUNTS)
    return http(200, b"[" + withdrawal_json(OTHER) + b"]")


async def _twice_at_once(connection: Connection, request: bytes) -> None:
    await connection.send(_answer_to(request) * 2)


async def _twice_in_two_records(connection: Connection, request: bytes) -> None:
    await connection.send(_answer_to(request))
    await connection.send(_answer_to(request))


async def _again_a_little_later(connection: Connection, request: bytes) -> None:
    await connection.send(_answer_to(request))
    await anyio.sleep(0.05)
    await connection.send(_answer_to(request))


@EVERY_HTTP
@PLAIN_AND_TLS
@pytest.mark.parametrize(
    "behaviour",
    [_twice_at_once, _twice_in_two_records, _again_a_little_later],
    ids=lambda each: each.__name__,
)
async def test_each_request_gets_its_own_answer(
    make_http: Callable[[], Any] | None, secure: bool, behaviour: Any
) -> None:
    ended: list[bytes] = []

    async def behave(connection: Connection, request: bytes) -> None:
        await behaviour(connection, request)
        ended.append(request)

    async def until_all_is_sent() -> None:
        while len(ended) < len(server.requests):  # noqa: ASYNC110 - two lists are compared
            await anyio.sleep(0.01)
        await anyio.sleep(0.02)  # and has arrived

    async with (
        serve(behave, tls=server_context() if secure else None) as server,
        _client(server.url, make_http and make_http()) as client,
    ):
        for _ in range(3):
            assert [each.uuid for each in await client.withdraws.list()] == [OTHER]
            await until_all_is_sent()
            assert [each.currency for each in await client.accounts.list()] == ["USDT"]
            await until_all_is_sent()
            assert (await client.withdraws.create(**WITHDRAWAL)).uuid != OTHER
            await until_all_is_sent()
        assert sum(request.startswith(b"POST") for request in server.requests) == 3


@EVERY_HTTP
async def test_bytes_after_an_answer_are_logged_and_close_the_connection(
    make_http: Callable[[], Any] | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serve(_twice_at_once) as server,
        _client(server.url, make_http and make_http()) as client,
    ):
        await client.withdraws.list()
        await client.accounts.list()
        assert server.connections == 2
    logged = [record for record in caplog.records if "bytes follow an answer" in record.getMessage()]
    assert [record.levelno for record in logged] == [logging.WARNING] * 2


@EVERY_HTTP
@PLAIN_AND_TLS
async def test_connection_without_leftover_bytes_is_kept(
    make_http: Callable[[], Any] | None, secure: bool
) -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(_answer_to(request))

    async with (
        serve(behaviour, tls=server_context() if secure else None) as server,
        _client(server.url, make_http and make_http()) as client,
    ):
        for _ in range(5):
            await client.withdraws.list()
        assert server.connections == 1


@EVERY_LIBRARY
@PLAIN_AND_TLS
async def test_injected_client_sends_withdrawals_on_fresh_connections(
    make_http: Callable[[], Any], secure: bool
) -> None:
    used: list[tuple[bytes, int]] = []

    async def behaviour(connection: Connection, request: bytes) -> None:
        used.append((request.split(b" ")[0], connection.client_address[1]))
        await anyio.sleep(0.05)  # so that requests at once take a connection each
        await connection.send(_answer_to(request))

    async with (
        serve(behaviour, tls=server_context() if secure else None) as server,
        make_http() as library,
        client_for(server.url, http=library) as client,
    ):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(library.get, server.url)  # the user's own requests, on five connections
        assert server.connections == 5
        for _ in range(2):
            await client.withdraws.create(**WITHDRAWAL)
            await client.withdraws.list()
    numbers = [index for index, (method, _) in enumerate(used) if method == b"POST"]
    assert len(numbers) == 2
    for number in numbers:
        assert used[number][1] not in {port for _, port in used[:number]}


@EVERY_LIBRARY
async def test_stale_answer_in_an_injected_pool_is_not_a_withdrawals(
    make_http: Callable[[], Any],
) -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        stale = http(201, withdrawal_json(OTHER))
        await connection.send(_answer_to(request) + (b"" if request.startswith(b"POST") else stale))

    async with (
        serve(behaviour) as server,
        make_http() as library,
        client_for(server.url, http=library) as client,
    ):
        await library.get(server.url)
        assert (await client.withdraws.create(**WITHDRAWAL)).uuid != OTHER


@ON_ASYNCIO
@pytest.mark.parametrize("behaviour", [_twice_at_once, _again_a_little_later], ids=lambda each: each.__name__)
async def test_aiohttp_withdrawal_never_takes_an_answer_seen_before(behaviour: Any) -> None:
    async def behave(connection: Connection, request: bytes) -> None:
        number = sum(each.startswith(b"POST") for each in server.requests)
        mine = withdrawal_json(f"00000000-0000-4000-8000-0000000000{number:02}")
        if request.startswith(b"POST"):
            await connection.send(http(201, mine))
            await anyio.sleep(0.05)
            await connection.send(http(201, mine))
        else:
            await behaviour(connection, request)

    async with serve(behave) as server, _client(server.url, _aiohttp()) as client:
        got: list[str] = []
        for _ in range(4):
            with contextlib.suppress(errors.OutcomeUnknown):
                got.append((await client.withdraws.create(**WITHDRAWAL)).uuid)
            await anyio.sleep(0.1)
        assert got
        assert len(got) == len(set(got))


# -- an HTTP client that tells nothing of its connections ------------------------------------------


class Silent(httpx.AsyncBaseTransport):
    """A transport without trace, which gives the prepared answers."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        return httpx.Response(201, content=self._answers.pop(0))


@contextlib.asynccontextmanager
async def _silent(*answers: bytes) -> AsyncGenerator[UpbitClient]:
    async with _client("http://127.0.0.1:1", httpx.AsyncClient(transport=Silent(*answers))) as client:
        yield client


async def test_matching_answer_with_a_new_uuid_is_accepted_as_unproven() -> None:
    async with _silent(withdrawal_json(OTHER.upper())) as client:
        assert client.known_withdrawals.unproven == set()
        assert (await client.withdraws.create(**WITHDRAWAL)).uuid == OTHER.upper()
        assert client.known_withdrawals.unproven == {OTHER}


@pytest.mark.parametrize("seen_as", ["record", "list", "answer"])
async def test_answer_with_a_known_uuid_is_unknown(seen_as: str) -> None:
    record = withdrawal_json(OTHER)
    first = b"[" + record + b"]" if seen_as == "list" else record
    async with _silent(first, withdrawal_json(OTHER.upper())) as client:
        match seen_as:
            case "record":
                await client.withdraws.get(OTHER)
            case "list":
                await client.request("GET", "/v1/withdraws")
            case _:
                await client.withdraws.create(**WITHDRAWAL)
        with pytest.raises(errors.OutcomeUnknown, match="earlier answer named the same") as caught:
            await client.withdraws.create(**WITHDRAWAL)
    assert OTHER.upper() in caught.value.raw


@pytest.mark.parametrize(
    "change",
    [(b'"13.0"', b'"14.0"'), (b'"USDT"', b'"BTC"'), (b'"TRX"', b'"ETH"'), (b'"default"', b'"internal"')],
    ids=["amount", "currency", "network", "kind"],
)
async def test_answer_about_something_else_is_unknown(change: tuple[bytes, bytes]) -> None:
    async with _silent(withdrawal_json(OTHER).replace(*change)) as client:
        with pytest.raises(errors.OutcomeUnknown):
            await client.withdraws.create(**WITHDRAWAL)


async def test_answer_without_comparable_fields_is_unknown() -> None:
    async with _silent(b"{}") as client:
        with pytest.raises(errors.OutcomeUnknown, match="nothing in it shows"):
            await client.request("POST", "/v1/something")


@EVERY_HTTP
async def test_answers_on_fresh_connections_are_not_unproven(make_http: Callable[[], Any] | None) -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(_answer_to(request))

    async with (
        serve(behaviour) as server,
        _client(server.url, make_http and make_http()) as client,
    ):
        await client.withdraws.create(**WITHDRAWAL)
        await client.transport.call(CREATE_WITHDRAWAL, WITHDRAWAL)  # a uuid seen before proves nothing here
        assert client.known_withdrawals.unproven == set()


async def test_client_with_only_used_connections_sends_no_withdrawal() -> None:
    class Used(Silent):
        asked = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.asked += 1
            await request.extensions["trace"]("http11.send_request_headers.started", {})
            return await super().handle_async_request(request)

    transport = Used(withdrawal_json())
    async with _client("http://127.0.0.1:1", httpx.AsyncClient(transport=transport)) as client:
        with pytest.raises(errors.NotSent, match="offers only used connections"):
            await client.withdraws.create(**WITHDRAWAL)
        assert transport.asked >= 100
