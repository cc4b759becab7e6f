"""The ways in: within the process, on a socket, by any ASGI server."""

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

from upbit_async.errors import ConfigurationError
from upbit_async.sandbox import Fault, Sandbox, Transitions
from upbit_async.sandbox.adapters.on_socket import Serving
from upbit_async.sandbox.app import WIRE
from upbit_async.sandbox.clock import RunningClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from tests.sandbox.conftest import SignedClient
    from upbit_async.sandbox.app import App

# -- within the process, in virtual time -----------------------------------------------------------


async def test_time_is_the_loops(hand_at: Callable[..., AbstractAsyncContextManager[SignedClient]]) -> None:
    sandbox = Sandbox("sg", transitions=Transitions.after_seconds(3600.0))
    async with hand_at(sandbox) as hand:
        uuid = (await hand.withdraw()).json()["uuid"]
        started = sandbox.now
        await anyio.sleep(7200)
        assert sandbox.now - started == timedelta(hours=2)
        assert (await hand.get("/v1/withdraw", f"uuid={uuid}")).json()["state"] == "DONE"


async def test_a_silent_exchange_is_a_read_timeout(
    sandbox: Sandbox, hand_at: Callable[..., AbstractAsyncContextManager[SignedClient]]
) -> None:
    sandbox.faults.add(Fault.slow(3600, times=2), Fault.lose_answer(how="hang"))
    async with hand_at(sandbox) as hand:
        hand.http.timeout = httpx.Timeout(None)
        started = anyio.current_time()
        assert (await hand.get("/v1/accounts")).status_code == 200
        assert anyio.current_time() - started == pytest.approx(3600)
        hand.http.timeout = httpx.Timeout(None, read=100)
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                await hand.get("/v1/accounts")
        assert anyio.current_time() - started == pytest.approx(3800)


async def test_the_wire_is_announced_just_before(hand: SignedClient, sandbox: Sandbox) -> None:
    events: list[tuple[str, int]] = []

    async def trace(event: str, _info: dict[str, Any]) -> None:
        await checkpoint()
        events.append((event, len(sandbox.requests)))

    headers = {"Authorization": f"Bearer {hand.token()}"}
    await hand.http.get("/v1/accounts", headers=headers, extensions={"trace": trace})
    assert events == [("http11.send_request_headers.started", 0)]


async def test_nothing_is_sent_by_a_caller_who_is_cancelled_already(
    hand: SignedClient, sandbox: Sandbox
) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await hand.withdraw()
    assert len(sandbox.requests) == 0


async def test_a_caller_who_is_cancelled_too_late_does_not_stop_the_work(
    hand: SignedClient, sandbox: Sandbox
) -> None:
    with anyio.CancelScope() as scope:

        async def trace(_event: str, _info: dict[str, Any]) -> None:
            scope.cancel()

        await hand.http.post("/v1/withdraws/coin", content=b"{}", extensions={"trace": trace})
    assert scope.cancelled_caught
    assert [line.status for line in sandbox.requests] == [401]


def test_time_stands_still_outside_of_a_loop() -> None:
    clock = RunningClock()
    assert clock() == clock()
    with clock.real():
        assert clock() < clock()


def test_nothing_heavy_is_loaded_before_a_door_is_opened() -> None:
    code = "import sys, upbit_async.sandbox; print({'httpx', 'jwt', 'msgspec', 'uvicorn'} & {*sys.modules})"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "set()"


def test_a_seed_repeats_a_run() -> None:
    first, second, other = Sandbox("sg", seed=7), Sandbox("sg", seed=7), Sandbox("sg")
    assert first.credentials == second.credentials != other.credentials
    assert len(other.credentials.access_key.reveal()) == 40


async def test_a_client_of_this_library_is_closed_with_the_sandbox() -> None:
    async with Sandbox("sg", transitions=Transitions.after_seconds(60.0)) as sandbox:
        client = sandbox.client(algorithm="HS512")
        assert [wallet.currency for wallet in await client.status.wallets("USDT")] == ["USDT"] * 3
        record = await client.withdraws.create(
            currency="USDT", net_type="TRX", amount="13", address="TFakeTronWithdrawAddressFakeFakeFa"
        )
        assert (await client.withdraws.wait(record.uuid)).state == "DONE"
        assert sandbox.ledger.moved("USDT") == 14
        # what a client remembers of a host must not reach the next sandbox
        assert sandbox.base_url != Sandbox("sg").base_url
    with pytest.raises(ConfigurationError, match="closed"):
        await client.status.wallets()


async def test_the_plan_may_change(hand: SignedClient, sandbox: Sandbox) -> None:
    assert sandbox.withdrawals.transitions == Transitions.after_seconds(3.0)
    sandbox.withdrawals.transitions = Transitions.manual()
    await hand.withdraw()
    assert sandbox.withdrawals.snapshot()[-1].progress.transitions == sandbox.withdrawals.transitions


# -- the bare application --------------------------------------------------------------------------


async def test_any_asgi_server_will_do_but_breaks_nothing(sandbox: Sandbox) -> None:
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://any") as http:
        assert (await http.get("/v1/accounts")).status_code == 401
        sandbox.faults.add(Fault(before=True, ending="reset", unauthenticated=True))
        with pytest.raises(RuntimeError, match="can't break connections"):
            await http.get("/v1/accounts")


async def test_a_client_may_leave_in_the_middle_of_its_request(sandbox: Sandbox) -> None:
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
        """Nobody is there to hear it."""

    await sandbox.app(scope, receive, send)
    assert [(line.method, line.status) for line in sandbox.requests] == [("POST", None)]


async def test_what_a_client_still_sends_is_no_good_bye(sandbox: Sandbox) -> None:
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


def test_blocking_clients_can_call_a_served_sandbox() -> None:
    sandbox = Sandbox("sg")
    with sandbox.serve() as url:
        with pytest.raises(HTTPError) as raised:
            urlopen(f"{url}/v1/accounts", timeout=5)  # noqa: S310 - it is our own URL
        with raised.value as answer:
            assert answer.status == 401
    assert [thread.name for thread in threading.enumerate() if "sandbox" in thread.name] == []


def test_an_answers_body_does_not_wait_for_its_head_to_be_acknowledged() -> None:
    told: list[int] = []

    async def app(scope: Any, receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        connection = scope["extensions"][WIRE]._transport.get_extra_info("socket")  # noqa: SLF001 - asyncio's
        told.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with Serving(cast("App", app), nullcontext()) as url:
        assert httpx.get(url).status_code == 204
    assert told == [1]


def test_a_served_sandbox_can_be_served_again_and_twice() -> None:
    sandbox = Sandbox("sg")
    with sandbox.serve() as first, sandbox.serve() as second:
        assert first != second
        with pytest.raises(OSError, match="in use"):
            sandbox.serve(port=int(first.rpartition(":")[2])).__enter__()
    with sandbox.serve() as url:
        assert httpx.get(f"{url}/v1/nothing").status_code == 404


def test_requests_that_hang_are_cut_when_serving_ends(caplog: pytest.LogCaptureFixture) -> None:
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


def test_an_own_clock_is_kept_while_served() -> None:
    started = Sandbox("sg").now
    sandbox = Sandbox("sg", clock=lambda: started)
    with sandbox.serve():
        assert sandbox.now == started


def test_plans_go_by_real_time_while_served() -> None:
    sandbox = Sandbox("sg")
    before = sandbox.now
    with sandbox.serve() as url:
        httpx.get(f"{url}/v1/nothing")
        assert sandbox.now > before
