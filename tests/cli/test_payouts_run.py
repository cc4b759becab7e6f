"""``upbit-async payouts run``: a process that sends payouts until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import signal
import subprocess
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from clients import CREATE
from command_journals import INVOICE, payouts_command, served_sandbox, states_in
from commands import command, environment

from upbit_async import UpbitClient
from upbit_async.cli import Exit
from upbit_async.cli.exits import CommandError
from upbit_async.cli.payouts import session
from upbit_async.cli.payouts.running import amount_limit_from, run
from upbit_async.payouts import AmountLimit, Payouts, SqliteJournal
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from upbit_async.sandbox import Sandbox

LOG_KEYS = ["at", "level", "logger", "message", "key", "state", "uuid"]

with_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@contextlib.contextmanager
def running(journal: Path, *flags: str) -> Generator[subprocess.Popen[str]]:
    """Run the command, whose first line says that it runs; it is killed if the block fails."""
    words = command("payouts", "run", "--journal", str(journal), "--region", "sg", *flags)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            assert "run begins, of " in next(lines_of(process))
            yield process
        except BaseException:
            process.kill()
            raise


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    return iter(process.stdout.readline, "")


def wait_for_request(sandbox: Sandbox) -> None:
    """Wait until a withdrawal was requested."""
    while not sandbox.requests.of("POST"):
        time.sleep(0.01)


async def enqueue(journal: Path, key: str, amount: str = "13") -> None:
    """Enqueue a payout, as a service does in another process."""
    async with UpbitClient("sg") as client, Payouts(client, SqliteJournal(journal)) as payouts:
        await payouts.enqueue(key, amount=amount, **INVOICE)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A new account for each test: withdrawals of another journal would block equal payouts."""
    with served_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def new(tmp_path: Path, sandbox: Sandbox) -> Path:
    """The path of a journal that does not exist yet."""
    return tmp_path / "payouts.db"


@with_signals
def test_run_sends_what_is_enqueued_until_sigterm(new: Path, sandbox: Sandbox) -> None:
    with running(new, "--json") as process:
        assert new.stat().st_mode & 0o777 == 0o600
        asyncio.run(enqueue(new, "invoice-1"))
        lines: list[dict[str, Any]] = []
        for line in lines_of(process):
            lines.append(json.loads(line))
            if lines[-1]["state"] == "done":
                process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=20)[1]
    assert (process.returncode, errors) == (Exit.OK, "")
    assert all([*line] == LOG_KEYS for line in lines)
    changes = [line for line in lines if line["state"]]
    assert [line["state"] for line in changes] == ["sending", "accepted", "done"]
    assert {line["key"] for line in changes} == {"invoice-1"}
    assert changes[-1]["uuid"] == sandbox.ledger.created[-1].uuid
    assert lines[-1]["message"].startswith("run has ended")
    assert states_in(new) == {"invoice-1": "done"}


@with_signals
def test_ctrl_c_ends_run_in_order(new: Path) -> None:
    with running(new) as process:
        asyncio.run(enqueue(new, "invoice-1"))
        lines: list[str] = []
        for line in lines_of(process):
            lines.append(line)
            if " is done: " in line:
                process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=20)[1]
    assert " INFO     run has ended, of " in lines[-1]
    assert (process.returncode, errors) == (Exit.INTERRUPTED, "upbit-async: interrupted\n")


@with_signals
def test_a_request_on_the_wire_is_finished(new: Path, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.slow(1.5, *CREATE))
    with running(new) as process:
        asyncio.run(enqueue(new, "invoice-1"))
        wait_for_request(sandbox)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == Exit.OK
    assert states_in(new)["invoice-1"] in {"accepted", "done"}


@with_signals
def test_a_second_sigterm_ends_run_at_once(new: Path, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.slow(30, *CREATE))
    with running(new) as process:
        asyncio.run(enqueue(new, "invoice-1"))
        wait_for_request(sandbox)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
        process.communicate()
    sandbox.faults.clear()
    assert process.returncode == -signal.SIGTERM
    assert states_in(new) == {"invoice-1": "sending"}


@with_signals
def test_payouts_continue_when_nobody_reads_the_log(new: Path) -> None:
    with running(new) as process:
        assert process.stdout is not None
        process.stdout.close()
        asyncio.run(enqueue(new, "invoice-1"))
        asyncio.run(_wait_until_done(new, "invoice-1"))
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == Exit.OK


async def _wait_until_done(journal: Path, key: str) -> None:
    async with UpbitClient("sg") as client, Payouts(client, SqliteJournal(journal)) as payouts:
        (await payouts.wait(key, timeout=30)).raise_for_state()


@with_signals
def test_amount_limits_hold_payouts_back(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record: dict[str, Any] = {"error": None}
    with running(new, "--amount-limit", "USDT:per_day=12") as process:
        asyncio.run(enqueue(new, "invoice-1"))
        while record["error"] is None:
            assert payouts_command(str(new), "show", "invoice-1", "--json") == Exit.OK
            record = json.loads(capsys.readouterr().out)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert (record["state"], record["error"]["type"]) == ("queued", "AmountLimitExceeded")


# -- options ---------------------------------------------------------------------------------------


class RecordedPayouts(Payouts):
    """Payouts whose `run` ends at once, and that keep their arguments."""

    made: dict[str, Any]

    def __init__(self, *_: Any, **settings: Any) -> None:
        super().__init__(*_, **settings)
        RecordedPayouts.made = settings

    async def run(self, **settings: Any) -> None:
        RecordedPayouts.made |= settings


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ((), {}),
        (("--no-check",), {"check": False}),
        (("--resend", "automatic"), {"resend": "automatic"}),
        (("--settling-time", "60"), {"settling_time": 60.0}),
        (("--concurrency", "4", "--shutdown-timeout", "5"), {"concurrency": 4, "shutdown_timeout": 5.0}),
        (
            ("--amount-limit", "USDT:per_payout=500,per_day=20000", "--amount-limit", "BTC:per_payout=0.1"),
            {
                "amount_limits": [
                    AmountLimit("USDT", per_payout=500, per_day=20000),
                    AmountLimit("BTC", per_payout="0.1"),
                ]
            },
        ),
    ],
)
def test_options_reach_the_payouts(
    new: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(session, "Payouts", RecordedPayouts)
    assert payouts_command(str(new), "run", *flags) == Exit.OK
    defaults: dict[str, Any] = {
        "settling_time": 30.0,
        "check": True,
        "resend": "manual",
        "amount_limits": [],
        "concurrency": 32,
        "shutdown_timeout": 25.0,
    }
    assert RecordedPayouts.made == defaults | settings


def test_the_defaults_of_run_are_those_of_the_library() -> None:
    library = {
        **inspect.signature(Payouts.__init__).parameters,
        **inspect.signature(Payouts.run).parameters,
    }
    for name in ("settling_time", "check", "resend", "concurrency", "shutdown_timeout"):
        assert inspect.signature(run).parameters[name].default == library[name].default


@pytest.mark.parametrize(
    "value",
    [
        "USDT",
        "USDT:",
        "USDT:per_week=1",
        "USDT:per_day=1,per_day=2",
        "USDT:per_day=-1",
        "USDT:per_day=much",
        ":per_day=1",
        "per_day=1",
        "",
    ],
)
def test_a_wrong_limit_is_a_usage_error(capsys: pytest.CaptureFixture[str], new: Path, value: str) -> None:
    assert payouts_command(str(new), "run", "--amount-limit", value) == Exit.USAGE
    assert "--amount-limit must be like USDT:per_payout=500,per_day=20000, got " in capsys.readouterr().err
    assert not new.exists()


def test_a_limit_has_exact_amounts() -> None:
    assert amount_limit_from("BTC:per_day=0.10").per_day == Decimal("0.10")
    with pytest.raises(CommandError):
        amount_limit_from("BTC")


@pytest.mark.parametrize(
    "flags", [("--resend", "always"), ("--concurrency", "many"), ("--settling-time", "x")]
)
def test_a_wrong_option_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], new: Path, flags: tuple[str, str]
) -> None:
    assert payouts_command(str(new), "run", *flags) == Exit.USAGE
    assert flags[0] in capsys.readouterr().err
    assert not new.exists()


@pytest.mark.parametrize("flags", [("--concurrency", "0"), ("--settling-time", "-1")])
def test_an_impossible_value_fails(
    capsys: pytest.CaptureFixture[str], new: Path, flags: tuple[str, str]
) -> None:
    assert payouts_command(str(new), "run", *flags) == Exit.FAILED
    assert flags[0][2:].replace("-", "_") in capsys.readouterr().err
