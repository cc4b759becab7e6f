"""``python -m upbit_async.sandbox`` serves until it is told to stop."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from upbit_async.sandbox import Plan
from upbit_async.sandbox.__main__ import command_line, main, plan_from, stop_event

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-W", "error", "-m", "upbit_async.sandbox", "--port", "0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_greets_serves_and_stops(pytestconfig: pytest.Config, number: signal.Signals) -> None:
    root: Path = pytestconfig.rootpath
    with subprocess.Popen(
        COMMAND, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        greeting = dict(line.strip().split("=") for line in lines)
        assert list(greeting) == ["UPBIT_BASE_URL", "UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY"]
        assert httpx.get(f"{greeting['UPBIT_BASE_URL']}/v1/accounts").status_code == 401
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_the_keys_can_be_given(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told_to_stop = threading.Event()
    told_to_stop.set()
    monkeypatch.setattr("upbit_async.sandbox.__main__.stop_event", lambda: told_to_stop)
    assert main(["--port", "0", "--access-key", "a" * 40, "--secret-key", "s" * 40, "--no-limits"]) == 0
    assert re.search(
        "^UPBIT_ACCESS_KEY=a{40}\nUPBIT_SECRET_KEY=s{40}$", capsys.readouterr().out, re.MULTILINE
    )


def test_the_keys_belong_together(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--access-key", "a"])
    assert "belong together" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_request_to_stop(number: signal.Signals) -> None:
    kept = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        told_to_stop = stop_event()
        assert not told_to_stop.is_set()
        signal.raise_signal(number)
        assert told_to_stop.is_set()
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)


@pytest.mark.parametrize(
    ("arguments", "plan"),
    [
        ([], Plan.after_seconds(3.0)),
        (["--every", "0.5", "--end", "FAILED"], Plan.after_seconds(0.5, path=("PROCESSING", "FAILED"))),
        (["--progress", "looks"], Plan.after_looks(1)),
        (["--progress", "looks", "--every", "3"], Plan.after_looks(3)),
        (["--progress", "at-once"], Plan.at_once()),
        (["--progress", "at-once", "--end", "REJECTED"], Plan.at_once("REJECTED")),
        (["--progress", "never"], Plan.by_hand()),
    ],
)
def test_the_progress_is_an_option(arguments: list[str], plan: Plan) -> None:
    assert plan_from(command_line().parse_args(arguments)) == plan


def test_a_port_that_is_taken_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit):
            main(["--port", str(taken.getsockname()[1])])
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    assert "can't listen on 127.0.0.1, port" in capsys.readouterr().err
