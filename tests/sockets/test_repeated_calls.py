"""Calls that are safe to repeat: what is retried, and which error is raised in the end."""

from __future__ import annotations

import anyio
import pytest
from clients import client_for, withdrawal_json
from fault_server import Connection, Ending, answers, closes, hangs, http, resets, serve
from internals import client_state

from upbit_async import LocalLimiter, RetryPolicy, Timeouts, errors

NAMED = b'{"error":{"name":"server_error","message":"maintenance"}}'


async def _cuts(connection: Connection) -> bool:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n[")
    return False


PASSING: dict[str, Ending] = {
    "reset": resets,
    "closed": closes,
    "hangs": hangs,
    "cut": _cuts,
    "429 bare": answers(http(429, b"")),
    "429 named": answers(http(429, NAMED)),
    "nonce_used": answers(http(401, b'{"error":{"name":"nonce_used","message":""}}')),
    **{str(status): answers(http(status, NAMED)) for status in (408, 500, 502, 503, 504)},
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
async def test_temporary_fault_is_retried_with_a_fresh_token(fault: Ending) -> None:
    behaviours = iter([fault, answers(http(200))])

    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        return await next(behaviours)(connection)

    async with serve(behaviour) as server, client_for(server.url) as client:
        assert await client.withdraws.list() == []
        tokens = [request.split(b"Bearer ")[1].split(b"\r\n")[0] for request in server.requests]
        assert len(tokens) == len(set(tokens)) == 2


LASTING: dict[str, tuple[Ending, type[errors.UpbitError], int]] = {
    "reset": (resets, errors.TransportError, 3),
    "closed": (closes, errors.TransportError, 3),
    "hangs": (hangs, errors.TransportError, 3),
    "cut": (_cuts, errors.TransportError, 3),
    "503": (answers(http(503, NAMED)), errors.ServerError, 3),
    "408": (answers(http(408, NAMED)), errors.APIError, 3),
    "307": (answers(http(307, b"", "Location: https://evil.invalid/")), errors.APIError, 1),
    "409": (answers(http(409, NAMED)), errors.APIError, 1),
    "404 HTML": (answers(http(404, b"<html></html>")), errors.APIError, 1),
    "400 named": (answers(http(400, NAMED)), errors.ValidationError, 1),
    "403": (answers(http(403, NAMED)), errors.PermissionDenied, 1),
    "nonce_used for ever": (
        answers(http(401, b'{"error":{"name":"nonce_used","message":""}}')),
        errors.AuthenticationError,
        2,
    ),
    "HTML": (answers(http(200, b"<html></html>")), errors.DecodeError, 1),
    "nested too deep": (answers(http(200, b"[" * 200_000)), errors.DecodeError, 1),
    "compressed": (answers(http(200, b"[]", "Content-Encoding: gzip")), errors.DecodeError, 1),
    "another type": (answers(http(200, b"{}")), errors.DecodeError, 1),
}


@pytest.mark.parametrize(("fault", "kind", "requests"), LASTING.values(), ids=LASTING)
async def test_lasting_fault_is_raised_and_the_client_stays_usable(
    fault: Ending, kind: type[errors.UpbitError], requests: int
) -> None:
    healthy = False

    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        return await answers(http(200))(connection) if healthy else await fault(connection)

    async with serve(behaviour) as server, client_for(server.url) as client:
        with pytest.raises(kind) as caught:
            await client.withdraws.list()
        assert type(caught.value) is kind
        assert len(server.requests) == requests
        assert not caught.value.may_have_executed
        healthy = True
        assert await client.withdraws.list() == []


async def test_huge_answer_is_not_read_to_its_end() -> None:
    sent = 0

    async def behaviour(connection: Connection, request: bytes) -> bool:
        nonlocal sent
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n")
        for _ in range(200):
            await connection.send(b" " * 1024 * 1024)
            sent += 1
        return True

    async with serve(behaviour) as server, client_for(server.url) as client:
        with pytest.raises(errors.DecodeError, match="larger than 4 MiB"):
            await client.status.wallets()
    assert 4 <= sent < 40


async def test_other_tasks_run_while_a_long_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"[" + b",".join([b'{"currency":"c","wallet_state":"w"}'] * 20_000) + b"]"
    pauses = 0
    checkpoint = anyio.lowlevel.checkpoint

    async def counted() -> None:
        nonlocal pauses
        pauses += 1
        await checkpoint()

    async def behaviour(connection: Connection, request: bytes) -> None:
        await connection.send(http(200, body))

    async with serve(behaviour) as server, client_for(server.url) as client:
        monkeypatch.setattr(anyio.lowlevel, "checkpoint", counted)
        assert len(await client.status.wallets()) == 20_000
    assert pauses >= 20_000 * 256 // (64 * 1024)


async def test_repeated_cancel_may_have_executed() -> None:
    async with serve(lambda connection, _: resets(connection)) as server, client_for(server.url) as client:
        with pytest.raises(errors.TransportError) as caught:
            await client.withdraws.cancel("00000000-0000-4000-8000-000000000003")
        assert caught.value.may_have_executed
        assert len(server.requests) == 3


async def test_cancel_whose_first_copy_worked_is_read_back() -> None:
    answers = iter(
        [
            None,
            http(400, b'{"error":{"name":"withdraw_not_cancelable","message":""}}'),
            http(200, withdrawal_json(state="CANCELLED")),
        ]
    )

    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        answer = next(answers)
        if answer is None:
            return await closes(connection)
        await connection.send(answer)
        return None

    async with serve(behaviour) as server, client_for(server.url) as client:
        record = await client.withdraws.cancel("00000000-0000-4000-8000-000000000003")
        assert record.state == "CANCELLED"
        assert [request.split(b" ")[0] for request in server.requests] == [b"DELETE", b"DELETE", b"GET"]


async def test_retry_after_beyond_the_deadline_fails_at_once() -> None:
    async with (
        serve(lambda connection, _: connection.send(http(503, NAMED, "Retry-After: 90"))) as server,
        client_for(server.url, timeouts=Timeouts(total=50)) as client,
    ):
        with pytest.raises(errors.ServerError), anyio.fail_after(25):  # and not at the deadline
            await client.withdraws.list()
        assert len(server.requests) == 1


async def test_retry_after_beyond_the_callers_deadline_fails_at_once() -> None:
    async with (
        serve(lambda connection, _: connection.send(http(429, NAMED, "Retry-After: 30"))) as server,
        client_for(server.url, timeouts=Timeouts(total=50)) as client,
    ):
        with pytest.raises(errors.RateLimited) as caught, anyio.fail_after(20):
            await client.withdraws.list()
        assert caught.value.retry_after == 30
        assert len(server.requests) == 1


async def test_retry_budget_limits_retries_in_an_outage() -> None:
    async with (
        serve(lambda connection, _: connection.send(http(503, NAMED))) as server,
        client_for(server.url, retry=RetryPolicy(base=0, cap=0)) as client,
    ):
        for _ in range(40):
            with pytest.raises(errors.ServerError):
                await client.withdraws.list()
        assert len(server.requests) == 40 + 500 // 14


async def test_slow_answer_ends_with_the_total_timeout() -> None:
    async def drips(connection: Connection, request: bytes) -> bool:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n")
        while True:
            await connection.send(b" ")
            await anyio.sleep(0.02)

    timeouts = Timeouts(connect=1, read=1, write=1, total=0.2)
    async with serve(drips) as server, client_for(server.url, timeouts=timeouts) as client:
        with pytest.raises(errors.TransportError, match=r"no whole answer in 0\.2 s"):
            await client.withdraws.list()
        assert len(server.requests) == 1


async def test_idle_connection_closed_by_the_server_is_not_used() -> None:
    async def behaviour(connection: Connection, request: bytes) -> bool:
        await connection.send(http(200))
        return False  # closed after a good answer, without a "Connection: close"

    async with serve(behaviour) as server, client_for(server.url) as client:
        for _ in range(5):
            assert await client.withdraws.list() == []
            await anyio.sleep(0.01)
        assert len(server.requests) == 5
        assert server.connections == 5


async def test_timeout_on_a_warm_connection_may_have_executed() -> None:
    behaviours = iter([answers(http(200)), hangs])

    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        return await next(behaviours)(connection)

    patient = Timeouts(connect=2, read=2, write=2, total=0.3)
    async with serve(behaviour) as server, client_for(server.url, timeouts=patient) as client:
        await client.withdraws.list()
        with pytest.raises(errors.TransportError) as error:
            await client.withdraws.cancel("u")
        assert not isinstance(error.value, errors.NotSent)
        assert error.value.may_have_executed
        assert len(server.requests) == 2


async def test_failed_reconnect_means_not_sent() -> None:
    async with serve(lambda connection, _: answers(http(200))(connection)) as server:
        client = client_for(server.url)
        await client.withdraws.list()
    async with client:
        with pytest.raises(errors.NotSent):
            await client.withdraws.list()


async def test_cancel_held_back_after_its_first_copy_may_have_executed() -> None:
    async def behaviour(connection: Connection, request: bytes) -> bool | None:
        if request.startswith(b"GET"):
            return await answers(http(429, NAMED, "Retry-After: 100"))(connection)
        async with anyio.create_task_group() as group:
            group.start_soon(ask_too_often)
        return await answers(http(503, NAMED))(connection)

    async def ask_too_often() -> None:
        with pytest.raises(errors.RateLimited):
            await client.accounts.list()

    async with serve(behaviour) as server, client_for(server.url, limiter=LocalLimiter()) as client:
        with pytest.raises(errors.RateLimited, match="send nothing of group") as error:
            await client.withdraws.cancel("u")
        assert error.value.may_have_executed
        assert error.value.endpoint == "DELETE /v1/withdraws/coin"


async def test_ban_during_a_reconnect_prevents_sending() -> None:
    async def behaviour(connection: Connection, request: bytes) -> bool:
        await answers(http(200, b"[]", "Connection: close"))(connection)
        return False

    async with serve(behaviour) as server, client_for(server.url) as client:
        await client.withdraws.list()
        checks = iter([0.0, 0.0])  # before the pool and after the limiter; the ban comes while it connects
        box = client_state(client).penalty_box
        box.seconds_left = lambda: next(checks, 60.0)  # type: ignore[method-assign]
        with pytest.raises(errors.Banned):
            await client.withdraws.list()
        assert len(server.requests) == 1
