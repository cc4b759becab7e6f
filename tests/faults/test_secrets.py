"""Keys, tokens and addresses show up nowhere: not in errors, logs, pickles, nor in the frames of a traceback."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
from clients import WITHDRAWAL, canaries, client_for, withdrawal_json
from fault_server import Connection, http, serve

from upbit_async import UpbitClient, errors, events

if TYPE_CHECKING:
    from types import FrameType

Behave = Callable[[Connection, bytes], Awaitable[bool | None]]


async def _echoes(connection: Connection, request: bytes) -> None:
    token = request.split(b"Bearer ")[1].split(b"\r\n")[0].decode()
    body = f'{{"error":{{"name":"jwt_verification","message":"bad token {token}"}}}}'
    await connection.send(http(400, body.encode()))


async def _echoes_in_html(connection: Connection, request: bytes) -> None:
    await connection.send(http(201, request))


async def _resets(connection: Connection, request: bytes) -> bool:
    connection.reset()
    return False


async def _hangs(connection: Connection, request: bytes) -> None:
    await connection.hang()


async def _is_banned(connection: Connection, request: bytes) -> None:
    await connection.send(
        http(418, b'{"error":{"name":"x","message":"' + request[200:400].hex().encode() + b'"}}')
    )


BEHAVIOURS: dict[str, Behave] = {
    "echo": _echoes,
    "echo in HTML": _echoes_in_html,
    "reset": _resets,
    "hang": _hangs,
    "banned": _is_banned,
    "503": lambda connection, request: connection.send(http(503, b"x")),
    "created": lambda connection, request: connection.send(http(201, withdrawal_json())),
}


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            queue += [one.__cause__, one.__context__]


def _our_frames(error: BaseException) -> Iterator[FrameType]:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "upbit_async" in frame.f_code.co_filename and "tests" not in frame.f_code.co_filename:
            yield frame


def _texts(error: BaseException) -> Iterator[str]:
    for one in _chain(error):
        yield from (repr(one), str(one), repr(one.args), repr(vars(one)))
        yield "".join(traceback.format_exception(one))
        request = getattr(one, "_request", None)
        if request is not None:
            yield repr(request.headers.raw)
        for frame in _our_frames(one):
            for value in frame.f_locals.values():
                yield repr(value)
                yield repr(getattr(value, "__dict__", ""))
                headers = getattr(value, "headers", None)
                yield repr(getattr(headers, "raw", headers))


@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS)
@pytest.mark.parametrize("library", [None, httpx, httpx2], ids=["own", "httpx", "httpx2"])
async def test_no_secret_leaves(behave: Behave, library: Any, caplog: pytest.LogCaptureFixture) -> None:
    keys = canaries()
    told: list[events.Event] = []
    problems: list[BaseException] = []
    tokens: set[str] = set()

    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        tokens.add(request.split(b"Bearer ")[1].split(b"\r\n")[0].decode())
        return await behave(connection, request)

    async def attempt(call: Callable[[], Awaitable[object]]) -> None:
        try:
            with anyio.fail_after(0.25):
                await call()
        except (errors.UpbitError, TimeoutError) as error:
            problems.append(error)

    http_client = None if library is None else library.AsyncClient()
    with caplog.at_level(logging.DEBUG):
        async with serve(behaviour) as server:
            client = client_for(server.url, credentials=keys, observer=told.append, http=http_client)
            async with client:
                await attempt(client.withdraws.list)
                await attempt(lambda: client.withdraws.get("some-uuid"))
                await attempt(lambda: client.withdraws.create(**WITHDRAWAL))
            if http_client is not None:
                await http_client.aclose()
    assert tokens
    secrets = {keys.access_key.reveal(), keys.secret_key.reveal(), *tokens}
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("upbit_async")]
    texts = [*caplog.messages, repr(client), repr(vars(client)), repr(keys), *map(repr, told)]
    for problem in problems:
        texts += _texts(problem)
        if isinstance(problem, errors.UpbitError):
            texts.append(repr(pickle.dumps(problem)))
            texts.append(getattr(problem, "raw", ""))
    for secret in secrets:
        assert not [text for text in texts if secret in text]
    assert not [text for text in ours if WITHDRAWAL["address"] in text or "?" in text]
    for problem in problems:
        assert WITHDRAWAL["address"] not in str(problem)
        assert WITHDRAWAL["address"] not in repr(problem)


def test_an_environment_without_keys_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY", "UPBIT_SG_ACCESS_KEY", "UPBIT_SG_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    client = UpbitClient("sg")
    with pytest.raises(errors.ConfigurationError, match="UPBIT_SG_ACCESS_KEY"):
        anyio.run(client.withdraws.list)
