"""Keys, tokens and addresses appear in no error, log line, pickle or traceback frame."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx
import httpx2
import httpx_aiohttp
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


def _token_of(request: bytes) -> bytes:
    return request.split(b"Bearer ")[1].split(b"\r\n")[0]


def _says(head: str, *, length: int | None = None) -> Behave:
    """Answer with bytes that contain the request's token, whole or cut, and close the connection."""

    async def behave(connection: Connection, request: bytes) -> bool:
        await connection.send(head.encode().replace(b"TOKEN", _token_of(request)[:length]))
        return False

    return behave


async def _echoes_the_request_in_its_status_line(connection: Connection, request: bytes) -> bool:
    await connection.send(b"HTTP/1.1 " + request.replace(b"\r\n", b" ") + b"\r\n\r\n")
    return False


async def _echoes_half_the_token(connection: Connection, request: bytes) -> None:
    token = _token_of(request).decode()
    message = f"bad tokens {token[:200]} and {token[100:]}, key {_access_key(token)[:20]}"
    await connection.send(http(400, json.dumps({"error": {"name": "x", "message": message}}).encode()))


async def _echoes_where_raw_is_cut(connection: Connection, request: bytes) -> None:
    token = _token_of(request)
    await connection.send(http(201, b"x" * (errors.RAW_CAP - 250) + b" " + token + b"x" * 1000))


async def _echoes_the_claims_as_made(connection: Connection, request: bytes) -> None:
    await connection.send(http(201, _claims(_token_of(request).decode())))


async def _echoes_the_claims(connection: Connection, request: bytes) -> None:
    await connection.send(http(400, _claims(_token_of(request).decode())))


def _claims(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


def _access_key(token: str) -> str:
    return json.loads(_claims(token))["access_key"]  # type: ignore[no-any-return]


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
    "echo in the status line": _echoes_the_request_in_its_status_line,
    "half a token": _echoes_half_the_token,
    "claims": _echoes_the_claims,
    "claims in a good answer": _echoes_the_claims_as_made,
    "token where raw is cut": _echoes_where_raw_is_cut,
    "bad version": _says("HTTP/9.9 TOKEN\r\n\r\n"),
    "no HTTP": _says("TOKEN\r\n\r\n"),
    "half a token and no HTTP": _says("TOKEN\r\n\r\n", length=200),
    "reason": _says("HTTP/1.1 502 TOKEN\r\nContent-Length: 1\r\n\r\nx"),
    "bad header": _says("HTTP/1.1 200 OK\r\nBearer TOKEN\r\n\r\n"),
    "bad header name": _says("HTTP/1.1 200 OK\r\nTOKEN: x\r\n\r\n"),
    "bad length": _says("HTTP/1.1 200 OK\r\nContent-Length: TOKEN\r\n\r\n"),
    "bad coding": _says("HTTP/1.1 200 OK\r\nTransfer-Encoding: TOKEN\r\n\r\n"),
    "compressed": _says("HTTP/1.1 200 OK\r\nContent-Encoding: TOKEN\r\nContent-Length: 2\r\n\r\n[]"),
    "limits": _says(
        "HTTP/1.1 429 OK\r\nRemaining-Req: group=TOKEN; sec=1\r\nRetry-After: TOKEN\r\nContent-Length: 0\r\n\r\n"
    ),
    "bad chunk": _says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nTOKEN\r\n"),
    "short body": _says("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nTOKEN"),
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


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.startswith("upbit_async")


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
                yield from _deep(value, 4)


def _deep(value: object, depth: int) -> Iterator[str]:
    """Yield the texts of a value and of everything that it refers to."""
    yield repr(value)
    if isinstance(value, bytes):
        yield value.decode("latin-1")
    headers = getattr(value, "headers", None)
    yield repr(getattr(headers, "raw", headers))
    if depth and not isinstance(value, ModuleType | type):
        slots = (slot for kind in type(value).__mro__ for slot in getattr(kind, "__slots__", ()))
        members = [getattr(value, slot, None) for slot in slots] + list(
            getattr(value, "__dict__", {}).values()
        )
        if isinstance(value, list | tuple | set | frozenset):
            members += list(cast("Iterable[object]", value))
        if isinstance(value, dict):
            members += list(cast("dict[object, object]", value).values())
        for member in members:
            if type(member).__module__.startswith(("upbit_async", "builtins", "httpx", "httpcore")):
                yield from _deep(member, depth - 1)


def _library(name: str | None) -> Any:
    """Return an HTTP client to inject; None for the library's own."""
    match name:
        case None:
            return None
        case "httpx-aiohttp":
            return httpx_aiohttp.HttpxAiohttpClient()
        case "httpx":
            return httpx.AsyncClient()
        case _:
            return httpx2.AsyncClient()


ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS)
@pytest.mark.parametrize("library", [None, "httpx", "httpx2"])
async def test_secrets_appear_in_no_error_log_or_frame(
    behave: Behave, library: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    await _keeps_its_secrets(behave, library, caplog)


@ON_ASYNCIO
@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS)
async def test_secrets_appear_nowhere_through_aiohttp(
    behave: Behave, caplog: pytest.LogCaptureFixture
) -> None:
    await _keeps_its_secrets(behave, "httpx-aiohttp", caplog)


async def _keeps_its_secrets(behave: Behave, library: str | None, caplog: pytest.LogCaptureFixture) -> None:
    keys = canaries()
    observed: list[events.Event] = []
    problems: list[BaseException] = []
    tokens: set[str] = set()

    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        tokens.add(_token_of(request).decode())
        return await behave(connection, request)

    async def attempt(call: Callable[[], Awaitable[object]]) -> None:
        try:
            with anyio.fail_after(0.25):
                await call()
        except (errors.UpbitError, TimeoutError) as error:
            problems.append(error)

    http_client = _library(library)
    with caplog.at_level(logging.DEBUG):
        async with serve(behaviour) as server:
            client = client_for(server.url, credentials=keys, observer=observed.append, http=http_client)
            async with client:
                await attempt(client.withdraws.list)
                await attempt(lambda: client.withdraws.get("some-uuid"))
                await attempt(lambda: client.withdraws.create(**WITHDRAWAL))
            if http_client is not None:
                await http_client.aclose()
    assert tokens
    whole = {keys.access_key.reveal(), keys.secret_key.reveal(), *tokens}
    half = {part for token in tokens for part in (token[:100], token[40:90], token[-50:])}
    secrets = whole | half | {keys.access_key.reveal()[:20]}
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("upbit_async")]
    texts = [*caplog.messages, repr(client), repr(vars(client)), repr(keys), *map(repr, observed)]
    for problem in problems:
        texts += _texts(problem)
        if isinstance(problem, errors.UpbitError):
            texts.append(repr(pickle.dumps(problem)))
            texts.append(getattr(problem, "raw", ""))
            assert [one for one in _chain(problem) if not _is_ours(one)] == []
    for secret in secrets:
        assert not [text for text in texts if secret in text]
    assert not [text for text in ours if WITHDRAWAL["address"] in text or "?" in text]
    for problem in problems:
        assert WITHDRAWAL["address"] not in str(problem)
        assert WITHDRAWAL["address"] not in repr(problem)


def test_missing_keys_are_named_by_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY", "UPBIT_SG_ACCESS_KEY", "UPBIT_SG_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    client = UpbitClient("sg")
    with pytest.raises(errors.ConfigurationError, match="UPBIT_SG_ACCESS_KEY"):
        anyio.run(client.withdraws.list)
