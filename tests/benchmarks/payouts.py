"""Payouts that a service runs: how many are accepted, what each costs, and how long many of them take.

The sandbox serves from a separate process, so that only the client's CPU and memory are measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from table import show

from upbit_async import Credentials, UpbitClient, events
from upbit_async.models import Intent, Withdrawal, WithdrawalState
from upbit_async.payouts import Payouts, PayoutState, SqliteJournal, queueing, transitions
from upbit_async.payouts.journal_time import Now
from upbit_async.protocol.send_guard import SigningParams
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

ADDRESS = "TFakeTronWithdrawAddressFakeFakeFa"
MANY = 10_000


async def _serve(modes: list[str]) -> None:
    """Serve a sandbox until standard input ends. Modes: ``manual``, ``lossy``, ``seeded``."""
    pace = Transitions.manual() if "manual" in modes else Transitions.after_seconds(2)
    async with Sandbox("sg", transitions=pace) as sandbox:
        sandbox.account.fund("USDT", 10**9)
        if "lossy" in modes:
            sandbox.faults.add(Fault.lose_answer("POST", "/v1/withdraws/coin", times=None, skip=1))
        if "seeded" in modes:
            for number in range(MANY):
                sandbox.withdrawals.create_on_website(
                    "USDT", "TRX", str(20 + number), address=ADDRESS, uuid=_uuid(number)
                )
        async with sandbox.serve() as url:
            keys = sandbox.credentials
            print(url, keys.access_key.reveal(), keys.secret_key.reveal(), flush=True)
            await anyio.to_thread.run_sync(sys.stdin.read)


@contextlib.contextmanager
def _sandbox(*modes: str) -> Generator[tuple[str, Credentials]]:
    command = [sys.executable, __file__, "serve", *modes]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, access_key, secret_key = process.stdout.readline().split()
            yield url, Credentials(access_key, secret_key)
        finally:
            process.kill()


class _Counting(SqliteJournal):
    """A journal that counts its calls; readings of the machine's clock do not count."""

    calls = 0

    async def _run(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        return await super()._run(*arguments, **options)


@contextlib.asynccontextmanager
async def _payouts(
    sandbox: tuple[str, Credentials], **options: Any
) -> AsyncGenerator[tuple[Payouts, _Counting, list[str]]]:
    url, keys = sandbox
    sent: list[str] = []

    def count(event: events.Event) -> None:
        if isinstance(event, events.AttemptStarted):
            sent.append(event.endpoint)

    with tempfile.TemporaryDirectory() as folder:
        journal = _Counting(Path(folder) / "payouts.db")
        async with UpbitClient("sg", base_url=url, credentials=keys, observer=count) as client:
            yield Payouts(client, journal, **options), journal, sent


async def _enqueue(payouts: Payouts, count: int) -> None:
    """Enqueue payouts whose amounts differ by more than the fee."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(
                payouts.enqueue(
                    f"k{number}", currency="USDT", net_type="TRX", amount=20 + 10 * number, address=ADDRESS
                )
            )


async def _until(journal: SqliteJournal, count: int, *states: str) -> None:
    """Wait until this many payouts are in one of the states, by a journal of our own, whose calls do not count."""
    watching = SqliteJournal(journal.path)
    reached = 0
    while reached < count:
        await anyio.sleep(0.05)
        counts = (await watching.health()).counts
        reached = sum(counts.get(PayoutState(state), 0) for state in states)
    await watching.aclose()


async def _accepted(sandbox: tuple[str, Credentials], count: int, check: bool) -> tuple[str, ...]:
    async with _payouts(sandbox, check=check) as (made, journal, sent), made.running() as payouts:
        began = time.monotonic()
        await _enqueue(payouts, count)
        await _until(journal, count, "accepted", "done")
        seconds, requests = time.monotonic() - began, len(sent)
        await _until(journal, count, "done")
        polls = journal.calls
    return f"{count / seconds:.1f} /s", f"{requests / count:.2f}", f"{polls / count:.1f}"


async def _answered(sandbox: tuple[str, Credentials]) -> tuple[str, ...]:
    async with _payouts(sandbox) as (payouts, journal, sent), payouts:
        began = time.monotonic()
        await _enqueue(payouts, 200)
        return f"{time.monotonic() - began:.2f} s", str(len(sent)), f"{journal.calls / 200:.1f}"


async def _settled(sandbox: tuple[str, Credentials], settling_time: float) -> tuple[str, ...]:
    async with (
        _payouts(sandbox, check=False, settling_time=settling_time) as (made, journal, sent),
        made.running() as payouts,
    ):
        await payouts.send(  # shows whether amounts include the fee
            "known", currency="USDT", net_type="TRX", amount=10_000, address=ADDRESS, until="accepted"
        )
        await _enqueue(payouts, 300)
        await _until(journal, 300, "unknown")
        began, before = time.monotonic(), len(sent)
        await _until(journal, 301, "accepted", "done")
        return f"{time.monotonic() - began:.1f} s", str(len(sent) - before), ""


def _uuid(number: int) -> str:
    return f"10000000-0000-4000-8000-{number:012d}"


def _memory() -> float:
    """Return the memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def _seed(journal: SqliteJournal) -> None:
    """Write payouts that Upbit has accepted."""
    now = Now(dt.datetime.now(dt.UTC), await journal.now())
    signing = transitions.SigningRecord(SigningParams(nonce="n", algorithm="HS256"), signed_by="f")

    async def add(number: int) -> None:
        amount = 20 + number
        members = {"currency": "USDT", "net_type": "TRX", "amount": str(amount), "address": ADDRESS}
        intent = Intent(endpoint="POST /v1/withdraws/coin", host="h", members=members, started_at=now.utc)
        queued = await journal.add(queueing.enqueued(f"k{number}", intent))
        lease = transitions.Lease("benchmark", 45.0)
        sending = await journal.compare_and_swap(
            queued, transitions.departing(queued, lease, now, signing, baseline=())
        )
        record = Withdrawal(
            uuid=_uuid(number),
            currency="USDT",
            net_type="TRX",
            state=WithdrawalState.WAITING,
            amount=Decimal(amount),
        )
        answered = transitions.answered(sending, record, now)
        assert answered is not None
        await journal.compare_and_swap(sending, answered)

    async with asyncio.TaskGroup() as tasks:
        for number in range(MANY):
            tasks.create_task(add(number))


async def _advanced(sandbox: tuple[str, Credentials]) -> tuple[str, ...]:
    async with _payouts(sandbox) as (payouts, journal, sent), payouts:
        await _seed(journal)
        before, began = _memory(), time.monotonic()
        found = await payouts.run_once(timeout=10)
        seconds = time.monotonic() - began
        assert len(found) == MANY
        return f"{seconds:.1f} s", str(len(sent)), f"{_memory() - before:.0f} MiB"


def main() -> None:
    """Print the tables."""
    rows: list[tuple[str, ...]] = []
    for check in (False, True):
        with _sandbox() as sandbox:
            rows.append((f"check={check}", *anyio.run(_accepted, sandbox, 300, check)))
    show(
        "300 distinct payouts at a budget of 30 requests in any second (goals: 24 and 22 /s, 7 journal calls)",
        ("", "accepted", "requests each", "journal calls each"),
        rows,
    )
    with _sandbox() as sandbox:
        answered = anyio.run(_answered, sandbox)
    show(
        "200 calls of enqueue at once (goals: 1 s, no request)",
        ("", "all answered", "requests", "journal calls each"),
        [("enqueue", *answered)],
    )
    with _sandbox("lossy") as sandbox:
        settled = anyio.run(_settled, sandbox, 20.0)
    show(
        "300 payouts whose answers were lost (goals: settling time of 20 s + 5 s from the last loss, 30 requests)",
        ("", "all settled", "requests", ""),
        [("run", *settled)],
    )
    with _sandbox("seeded", "manual") as sandbox:
        advanced = anyio.run(_advanced, sandbox)
    show(
        f"run_once(timeout=10) of {MANY:,} accepted payouts (goals: 12 s, 100 MiB)",
        ("", "took", "requests", "memory"),
        [("run_once", *advanced)],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        anyio.run(_serve, sys.argv[2:])
    else:
        main()
