"""Withdrawals are sent once, whether their answer arrives or not."""

from __future__ import annotations

import socket

import anyio
import pytest
from clients import WITHDRAWAL, client_for, withdrawal_json
from fault_server import Connection, Ending, answers, closes, hangs, http, resets, serve

from upbit_async import Timeouts, errors

BRIEF = Timeouts(connect=2, read=0.2, write=2, total=1)
NAMED = b'{"error":{"name":"some_name","message":"some text"}}'


def _answers_and_closes(data: bytes) -> Ending:
    async def behave(connection: Connection) -> bool:
        await connection.send(data)
        return False

    return behave


async def _drips(connection: Connection) -> bool:
    await connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 300\r\n\r\n")
    while True:
        await connection.send(b" ")
        await anyio.sleep(0.05)


async def _never_ends(connection: Connection) -> bool:
    await connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 209715200\r\n\r\n")
    for _ in range(200):
        await connection.send(b" " * 1024 * 1024)
    return True


CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
UNKNOWN: dict[str, Ending] = {
    "connection reset after the request": resets,
    "connection closed after the request": closes,
    "never answered": hangs,
    "one byte at a time, for ever": _drips,
    "201 cut off in the body": _answers_and_closes(CREATED + b"Content-Length: 300\r\n\r\n{"),
    "201 cut off in the head": _answers_and_closes(CREATED),
    "201 with broken chunks": _answers_and_closes(CREATED + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "201 of 200 MB": _never_ends,
    "201 compressed": answers(http(201, withdrawal_json(), "Content-Encoding: gzip")),
    "no HTTP at all": _answers_and_closes(b"220 smtp.example ESMTP\r\n"),
    "100 and then nothing": _answers_and_closes(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a bare 429": answers(http(429, b"slow down")),
    "nonce_used": answers(http(401, b'{"error":{"name":"nonce_used","message":""}}')),
    "a redirect to itself": answers(http(307, b"", "Location: /v1/withdraws/coin")),
    **{
        f"{status} {kind}": answers(http(status, body))
        for status in (301, 409, 503)  # test_replies has all of them
        for kind, body in (("named", NAMED), ("HTML", b"<html></html>"))
    },
}


@pytest.mark.parametrize("behave", UNKNOWN.values(), ids=UNKNOWN)
async def test_lost_answer_is_unknown_and_not_repeated(behave: Ending) -> None:
    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        if request.startswith(b"POST"):
            return await behave(connection)
        await connection.send(http(200))
        return None

    async with serve(behaviour) as server, client_for(server.url) as client:
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.with_options(timeouts=BRIEF).withdraws.create(**WITHDRAWAL)
        assert len(server.requests) == 1
        assert caught.value.may_have_executed
        assert caught.value.intent.currency == "USDT"
        assert "TFakeTron" not in str(caught.value)
        assert "TFak…keFa" in str(caught.value)
        assert await client.withdraws.list() == []


@pytest.mark.parametrize(
    ("first", "attempts"),
    [
        (http(429, b'{"error":{"name":"too_many_requests","message":"Too many API requests."}}'), 2),
        (http(429, b"slow", "Remaining-Req: group=default; min=1800; sec=0"), 2),
    ],
    ids=["named", "with Remaining-Req"],
)
async def test_named_429_is_retried(first: bytes, attempts: int) -> None:
    answers = iter([first, http(201, withdrawal_json())])

    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(next(answers))

    async with serve(behaviour) as server, client_for(server.url) as client:
        record = await client.withdraws.create(**WITHDRAWAL)
        assert record.uuid
        assert len(server.requests) == attempts
        nonces = [request.split(b"Bearer ")[1].split(b"\r\n")[0] for request in server.requests]
        assert len(set(nonces)) == attempts


async def test_named_refusal_is_certain() -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(400, b'{"error":{"name":"withdraw_insufficient_balance","message":"x"}}'))

    async with serve(behaviour) as server, client_for(server.url) as client:
        with pytest.raises(errors.ValidationError) as caught:
            await client.withdraws.create(**WITHDRAWAL)
        assert not caught.value.may_have_executed
        assert caught.value.name == "withdraw_insufficient_balance"
        assert len(server.requests) == 1


async def test_ban_stops_all_calls_of_the_key() -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(418, b'{"error":{"name":"too_many","message":"blocked for 30 seconds"}}'))

    async with serve(behaviour) as server, client_for(server.url) as client:
        with pytest.raises(errors.Banned):
            await client.withdraws.create(**WITHDRAWAL)
        for call in (client.withdraws.list, client.status.wallets, client.with_options().withdraws.latest):
            with pytest.raises(errors.Banned) as caught:
                await call()
            assert not caught.value.may_have_executed
        assert len(server.requests) == 1


async def test_refused_connection_is_retried_and_then_not_sent() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    events: list[object] = []
    async with client_for(f"http://127.0.0.1:{port}", observer=events.append) as client:
        with pytest.raises(errors.NotSent, match="check the network, then try again") as caught:
            await client.withdraws.create(**WITHDRAWAL)
    assert not caught.value.may_have_executed
    assert [type(event).__name__ for event in events].count("AttemptStarted") == 3


async def test_connection_that_is_never_accepted_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with client_for(
            f"http://127.0.0.1:{port}", timeouts=Timeouts(connect=0.1, read=1, write=1, total=2)
        ) as client:
            with pytest.raises(errors.NotSent):
                await client.withdraws.create(**WITHDRAWAL)
        for filler in fillers:
            filler.close()


async def test_unknown_host_is_not_sent() -> None:
    async with client_for("https://does-not-exist.invalid") as client:
        with pytest.raises(errors.NotSent):
            await client.withdraws.create(**WITHDRAWAL)


async def test_each_withdrawal_uses_a_new_connection() -> None:
    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(201, withdrawal_json()))

    async with serve(behaviour) as server, client_for(server.url) as client:
        for _ in range(3):
            await client.withdraws.create(**WITHDRAWAL)
        assert server.connections == 3
        await anyio.sleep(0.05)
        assert server.open == 1  # the last one is left for reads
