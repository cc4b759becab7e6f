"""One client in several threads and event loops, and in loops that are closed with tasks running."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import anyio
import attrs
import httpx
import pytest
from clients import WITHDRAWAL, client_for, withdrawal_json
from sockets import open_to

from upbit_async import LocalLimiter
from upbit_async.models import Intent, Withdrawal
from upbit_async.protocol.decode import decode
from upbit_async.resources.known_withdrawals import KnownWithdrawals
from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

MINE = Intent(endpoint="x", host="y", members={"a": "b"}, started_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
OTHERS = attrs.evolve(MINE, members={"a": "c"})
RECORD = decode(Withdrawal, withdrawal_json(), asked="POST /v1/withdraws/coin")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it reads the process's file descriptors")


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Let the interpreter switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def _silent() -> httpx.AsyncClient:
    """Return an HTTP client that answers by itself, with another withdrawal each time."""
    numbers = iter(range(10**6))

    def answer(request: httpx.Request) -> httpx.Response:
        body = withdrawal_json(f"00000000-0000-4000-8000-{next(numbers):012}")
        return httpx.Response(200, content=body if request.method == "POST" else b"[" + body + b"]")

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


@pytest.mark.usefixtures("fast_switching")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_client_serves_many_threads(backend: str) -> None:
    client = client_for("http://127.0.0.1:1", http=_silent(), limiter=LocalLimiter({"default": 100_000}))

    async def work() -> None:
        for _ in range(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.withdraws.list)
                tasks.start_soon(lambda: client.withdraws.create(**WITHDRAWAL))
            client.known_withdrawals.claimed_by_others(MINE)
            assert len(client.known_withdrawals.unguarded | client.known_withdrawals.unproven)

    def loops() -> None:
        for _ in range(12):
            anyio.run(work, backend=backend)

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(loops) for _ in range(8)]:
            done.result()
    assert len(client.known_withdrawals.unguarded) == 8 * 12 * 5


@pytest.mark.usefixtures("fast_switching")
def test_recorded_ids_can_be_read_while_another_thread_writes() -> None:
    known, ended = KnownWithdrawals(), threading.Event()

    def write() -> None:
        for number in range(11_000):
            record = attrs.evolve(RECORD, uuid=str(number))
            known.accept(MINE, record, is_guarded=False, is_fresh=False)
            known.see(b'{"uuid": "%d"}' % number)
        ended.set()
        ended.set()

    def read() -> None:
        while not ended.wait(0.001):
            known.claimed_by_others(MINE)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(each) for each in (write, write, read, read)]:
            done.result()
    assert len(known.unguarded) == len(known.unproven) == len(known.claimed_by_others(OTHERS)) == 10_000
    assert "earlier answer named" in known.doubt_about(MINE, attrs.evolve(RECORD, uuid="10999"))


@LINUX
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("trio", "asyncio"), ("asyncio", "trio")])
def test_sockets_of_an_ended_loop_are_closed_with_the_client(backends: tuple[str, str]) -> None:
    sandbox = Sandbox("sg")
    with sandbox.serve() as url:
        client = client_for(url, credentials=sandbox.credentials)
        port = int(url.rpartition(":")[2])
        first, second = backends

        async def use() -> None:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(client.status.wallets)

        anyio.run(use, backend=first)
        assert open_to(port) == 3
        anyio.run(client.aclose, backend=second)
        assert open_to(port) == 0
    gc.collect()  # this test ignores warnings about the first loop's sockets, the next one would not


# -- a loop that is closed without cancelling its tasks --------------------------------------------

_SCRIPT = """
import asyncio, logging, socket, sys, threading
from upbit_async import Credentials, UpbitClient

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
logging.getLogger("asyncio").disabled = True
server = socket.create_server(("127.0.0.1", 0))
came = threading.Event()

def hold():
    connection, _ = server.accept()
    while b"amount" not in connection.recv(65536):
        pass
    came.set()
    threading.Event().wait()

threading.Thread(target=hold, daemon=True).start()
client = UpbitClient("sg", credentials=Credentials("A" * 40, "S" * 40),
                     base_url=f"http://127.0.0.1:{server.getsockname()[1]}")
loop = asyncio.new_event_loop()
what = sys.argv[1]
call = (client.withdraws.create(currency="USDT", net_type="TRX", amount="13", address="TFakeTronFake")
        if what != "read" else client.withdraws.list())
task = loop.create_task(call)

async def until_it_is_on_the_wire():
    while not came.is_set():
        if what in {"read", "early"}:
            await asyncio.sleep(0)
            break
        await asyncio.sleep(0.01)

loop.run_until_complete(until_it_is_on_the_wire())
if what != "never closed":
    loop.close()
print("closed", flush=True)
"""


@pytest.mark.parametrize(
    ("what", "lines"),
    [
        ("withdrawal", ["ERROR", "closed"]),
        ("never closed", ["closed", "ERROR"]),
        ("early", ["closed"]),
        ("read", ["closed"]),
    ],
)
def test_sent_withdrawal_of_a_closed_loop_is_logged(what: str, lines: list[str]) -> None:
    command = [sys.executable, "-c", _SCRIPT, what]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    shown = [line for line in done.stdout.splitlines() if line.startswith(("ERROR upbit_async", "closed"))]
    assert [line.split()[0] for line in shown] == lines, done.stdout + done.stderr
    assert ("POST /v1/withdraws/coin" in done.stdout or "withdrawal of 13 USDT" in done.stdout) == (
        "ERROR" in lines
    )


def test_finished_withdrawal_of_a_closed_loop_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with client_for("http://127.0.0.1:1", http=_silent()) as client:
            await client.withdraws.create(**WITHDRAWAL)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
