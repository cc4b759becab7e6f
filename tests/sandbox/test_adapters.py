"""Adapters of the sandbox: in process, on a socket, and other ASGI servers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.error import HTTPError
from urllib.request import urlopen

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint
from signed_client import SignedClient, signed_client

from upbit_async.errors import ConfigurationError
from upbit_async.sandbox import Fault, Sandbox, Transitions
from upbit_async.sandbox.adapters.on_socket import Serving
from upbit_async.sandbox.app import CONNECTION
from upbit_async.sandbox.clock import RunningClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.sandbox.app import App

# -- within the process, in virtual time -----------------------------------------------------------


async def test_clock_follows_the_virtual_clock_of_the_loop() -> None:
    sandbox = Sandbox("sg", transitions=Transitions.after_seconds(3600.0))
    async with signed_client(sandbox) as client:
        uuid = (await client.withdraw()).json()["uuid"]
        started = sandbox.now
        await anyio.sleep(7200)
        assert sandbox.now - started == timedelta(hours=2)
        assert (await client.get("/v1/withdraw", f"uuid={uuid}")).json()["state"] == "DONE"


async def test_late_or_missing_response_is_a_read_timeout(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.slow(3600, times=2), Fault.lose_answer(how="hang"))
    async with signed_client(sandbox) as client:
        client.http.timeout = httpx.Timeout(None)
        started = anyio.current_time()
        assert (await client.get("/v1/accounts")).status_code == 200
        assert anyio.current_time() - started == pytest.approx(3600)
        client.http.timeout = httpx.Timeout(None, read=100)
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/v1/accounts")
        assert anyio.current_time() - started == pytest.approx(3800)


async def test_trace_event_comes_before_the_request_is_sent(client: SignedClient, sandbox: Sandbox) -> None:
    events: list[tuple[str, int]] = []

    async def trace(event: str, _info: dict[str, Any]) -> None:
        await checkpoint()
        events.append((event, len(sandbox.requests)))

    headers = {"Authorization": f"Bearer {client.token()}"}
    await client.http.get("/v1/accounts", headers=headers, extensions={"trace": trace})
    assert events == [("http11.send_request_headers.started", 0)]


async def test_cancelled_task_sends_nothing(client: SignedClient, sandbox: Sandbox) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await client.withdraw()
    assert len(sandbox.requests) == 0


async def test_request_is_processed_if_its_task_is_cancelled_after_sending(
    client: SignedClient, sandbox: Sandbox
) -> None:
    with anyio.CancelScope() as scope:

        async def trace(_event: str, _info: dict[str, Any]) -> None:
            scope.cancel()

        await client.http.post("/v1/withdraws/coin", content=b"{}", extensions={"trace": trace})
    assert scope.cancelled_caught
    assert [line.status for line in sandbox.requests] == [401]


def test_clock_stands_still_outside_of_a_loop() -> None:
    clock = RunningClock()
    assert clock() == clock()
    with clock.real():
        assert clock() < clock()


def test_import_loads_no_adapter() -> None:
    code = "import sys, upbit_async.sandbox; print({'httpx', 'jwt', 'msgspec', 'uvicorn'} & {*sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"


def test_seed_repeats_keys() -> None:
    first, second, other = Sandbox("sg", seed=7), Sandbox("sg", seed=7), Sandbox("sg")
    assert first.credentials == second.credentials != other.credentials
    assert len(other.credentials.access_key.reveal()) == 40


async def test_client_is_closed_with_the_sandbox() -> None:
    async with Sandbox("sg", transitions=Transitions.after_seconds(60.0)) as sandbox:
        upbit = sandbox.client(algorithm="HS512")
        assert [wallet.currency for wallet in await upbit.status.wallets("USDT")] == ["USDT"] * 3
        record = await upbit.withdraws.create(
            currency="USDT", net_type="TRX", amount="13", address="TFakeTronWithdrawAddressFakeFakeFa"
        )
        assert (await upbit.withdraws.wait(record.uuid)).state == "DONE"
        assert sandbox.ledger.moved("USDT") == 14
        # what a client remembers of a host must not reach the next sandbox
        assert sandbox.base_url != Sandbox("sg").base_url
    with pytest.raises(ConfigurationError, match="closed"):
        await upbit.status.wallets()


async def test_new_transitions_apply_to_new_withdrawals(client: SignedClient, sandbox: Sandbox) -> None:
    assert sandbox.withdrawals.transitions == Transitions.after_seconds(3.0)
    sandbox.withdrawals.transitions = Transitions.manual()
    await client.withdraw()
    assert sandbox.withdrawals.snapshot()[-1].progress.transitions == sandbox.withdrawals.transitions


# -- the bare application --------------------------------------------------------------------------


async def test_other_asgi_server_answers_but_can_not_break_connections(sandbox: Sandbox) -> None:
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://any") as http:
        assert (await http.get("/v1/accounts")).status_code == 401
        sandbox.faults.add(Fault(before=True, ending="reset", unauthenticated=True))
        with pytest.raises(RuntimeError, match="can't break connections"):
            await http.get("/v1/accounts")


async def test_incomplete_request_is_logged_without_a_status(sandbox: Sandbox) -> None:
    messages = iter([{"type": "http.request", "more_body": True}, {"type": "http.disconnect"}])
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [],
    }

    async def receive() -> Any:
        return next(messages)

    async def send(_message: object) -> None:
        """The client is disconnected."""

    await sandbox.app(scope, receive, send)
    assert [(line.method, line.status) for line in sandbox.requests] == [("POST", None)]


async def test_response_that_hangs_waits_for_a_disconnect(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(ending="hang", unauthenticated=True))
    kinds = iter(["http.request", "http.request", "http.disconnect"])
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}

    async def receive() -> Any:
        return {"type": next(kinds)}

    async def send(_message: object) -> None:
        raise AssertionError

    await sandbox.app(scope, receive, send)
    assert list(kinds) == []
    assert sandbox.requests[0].status is None


# -- on a socket -----------------------------------------------------------------------------------


def test_served_sandbox_answers_blocking_clients() -> None:
    sandbox = Sandbox("sg")
    with sandbox.serve() as url:
        with pytest.raises(HTTPError) as raised:
            urlopen(f"{url}/v1/accounts", timeout=5)  # noqa: S310 - it is our own URL
        with raised.value as answer:
            assert answer.status == 401
    assert [thread.name for thread in threading.enumerate() if "sandbox" in thread.name] == []


def test_served_connections_have_tcp_nodelay() -> None:
    values: list[int] = []

    async def app(scope: Any, receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        connection = scope["extensions"][CONNECTION]._transport.get_extra_info("socket")  # noqa: SLF001 - asyncio's
        values.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with Serving(cast("App", app), nullcontext()) as url:
        assert httpx.get(url).status_code == 204
    assert values == [1]


def test_sandbox_can_be_served_twice_and_again() -> None:
    sandbox = Sandbox("sg")
    with sandbox.serve() as first, sandbox.serve() as second:
        assert first != second
        with pytest.raises(OSError, match="in use"):
            sandbox.serve(port=int(first.rpartition(":")[2])).__enter__()
    with sandbox.serve() as url:
        assert httpx.get(f"{url}/v1/nothing").status_code == 404


def test_open_requests_end_when_serving_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "uvicorn")
    sandbox = Sandbox("sg")
    sandbox.faults.add(Fault(ending="hang", unauthenticated=True), Fault(delay=3600, unauthenticated=True))
    with ThreadPoolExecutor(2) as pool:
        with sandbox.serve() as url:
            calls = [pool.submit(httpx.get, f"{url}/v1/accounts", timeout=30) for _ in range(2)]
            while len(sandbox.requests) < 2:
                assert not any(call.done() for call in calls)
        for call in calls:
            assert isinstance(call.exception(timeout=5), httpx.TransportError)
    assert caplog.records == []


def test_given_clock_is_kept_while_served() -> None:
    started = Sandbox("sg").now
    sandbox = Sandbox("sg", clock=lambda: started)
    with sandbox.serve():
        assert sandbox.now == started


def test_clock_is_real_while_served() -> None:
    sandbox = Sandbox("sg")
    before = sandbox.now
    with sandbox.serve() as url:
        httpx.get(f"{url}/v1/nothing")
        assert sandbox.now > before
