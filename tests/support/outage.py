"""A network that fails at the first byte of a withdrawal, in a separate network namespace.

Run as a program it is one scenario: a server, a client in another process, and a link that goes down as
soon as the client has connected, and comes back later. It prints what happened as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from upbit_async import errors
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.send_guard import SigningParams
from upbit_async.transport import bounding

if TYPE_CHECKING:
    from upbit_async import UpbitClient

__all__ = ["SCENARIOS", "command", "obstacle"]

DOWN_FOR = 27.0
WATCHED_FOR = 57.0
"""The kernel repeats a request 51 seconds after it was written; until then it may still arrive."""
SCENARIOS = ("own", "httpx", "httpx2", "killed", "stopped", "forked", "unbounded")


def command(scenario: str) -> list[str]:
    """Return the command that runs a scenario."""
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    return [*alone, sys.executable, __file__, scenario]


def obstacle() -> str | None:
    """Say why this machine can't run a scenario, if it can't."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    missing = [tool for tool in ("unshare", "ip") if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    tried = subprocess.run(
        [*command("")[:-3], "ip", "link", "set", "lo", "up"], capture_output=True, check=False
    )
    return f"not permitted: {tried.stderr.decode().strip()}" if tried.returncode else None


def _set_link(state: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", state], check=True)  # noqa: S607 - wherever it is installed


# -- the client ------------------------------------------------------------------------------------


@attrs.define
class _Guard:
    """Takes the link down when the first byte is about to leave."""

    must_stop = False

    scenario: str
    asked: int = 0

    async def record_departure(self) -> SigningParams:
        return SigningParams(nonce="7d9a8a39-6f0c-4b3f-8f0e-2f3f8a6d1c11", algorithm="HS256")

    async def may_send(self) -> bool:
        self.asked += 1
        if self.asked == 1 and self.scenario in {"httpx", "httpx2"}:
            return True  # through an injected client it is asked once more, when it has connected
        _set_link("down")
        if self.scenario == "forked" and not os.fork():
            time.sleep(2 * WATCHED_FOR)  # noqa: ASYNC251 - a child that has inherited the socket
            os._exit(0)
        print("leaves", flush=True)  # noqa: T201 - the other process waits for it
        return True


def _unbounded(sock: object, seconds: float) -> bool:
    return False


async def _withdraw(scenario: str, url: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(await _client(scenario, url, stack))
        if scenario == "unbounded":
            bounding.bound = _unbounded
            bounding.is_supported.cache_clear()  # it finds out again that there is nothing to set
        started = time.monotonic()
        try:
            await client.transport.call(
                CREATE_WITHDRAWAL,
                {"currency": "USDT", "net_type": "TRX", "amount": "13", "address": "TFakeTron"},
                guard=_Guard(scenario),
            )
        except errors.UpbitError as error:
            outcome = type(error).__name__
        else:
            outcome = "accepted"
        print(json.dumps({"outcome": outcome, "after": time.monotonic() - started}), flush=True)  # noqa: T201


async def _client(scenario: str, url: str, stack: contextlib.AsyncExitStack) -> UpbitClient:
    from upbit_async import Credentials, UpbitClient  # noqa: PLC0415 - the server needs none

    options: dict[str, Any] = {}
    if scenario in {"httpx", "httpx2"}:
        import importlib  # noqa: PLC0415 - likewise

        library: Any = importlib.import_module(scenario)
        options["http"] = await stack.enter_async_context(library.AsyncClient(trust_env=False))
    return UpbitClient("sg", credentials=Credentials("A" * 40, "S" * 40), base_url=url, **options)


# -- the server and the network --------------------------------------------------------------------


def _serve(listener: socket.socket, came: list[float]) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection, came), daemon=True).start()


def _answer(connection: socket.socket, came: list[float]) -> None:
    with connection, contextlib.suppress(OSError):
        request = b""
        while not request.endswith(b"}"):
            piece = connection.recv(65536)
            if not piece:
                return
            request += piece
        came.append(time.monotonic())
        connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")


def _play(scenario: str) -> dict[str, Any]:
    _set_link("up")
    came: list[float] = []
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(listener, came), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = subprocess.Popen(
        [sys.executable, __file__, scenario, url], stdout=subprocess.PIPE, start_new_session=True
    )
    assert client.stdout is not None
    try:
        assert client.stdout.readline() == b"leaves\n"
        left_at = time.monotonic()
        time.sleep(0.3)
        if scenario == "killed":
            client.kill()
        elif scenario == "stopped":
            client.send_signal(signal.SIGSTOP)
        time.sleep(left_at + DOWN_FOR - time.monotonic())
        _set_link("up")
        time.sleep(left_at + WATCHED_FOR - time.monotonic())
        report: dict[str, Any] = (
            {} if scenario in {"killed", "stopped"} else json.loads(client.stdout.readline())
        )
        return {"delivered": [at - left_at for at in came], **report}
    finally:
        os.killpg(client.pid, signal.SIGKILL)
        client.wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case [scenario]:
            print(json.dumps(_play(scenario)))  # noqa: T201 - the test reads it
        case [scenario, url]:
            anyio.run(_withdraw, scenario, url)
        case _:
            sys.exit("usage: outage.py SCENARIO")
