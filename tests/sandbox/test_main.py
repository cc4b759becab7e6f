"""``python -m upbit_async.sandbox`` serves until it is told to stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from upbit_async.sandbox import Sandbox, Transitions
from upbit_async.sandbox.command_line import argument_parser, main, stop_event, transitions_from

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


ACCESS, SECRET = "UPBIT_SANDBOX_ACCESS_KEY", "UPBIT_SANDBOX_SECRET_KEY"


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command stop as soon as it serves."""
    told_to_stop = threading.Event()
    told_to_stop.set()
    monkeypatch.setattr("upbit_async.sandbox.command_line.stop_event", lambda: told_to_stop)
    for name in (ACCESS, SECRET):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("stopped")
def test_the_keys_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ACCESS, "a" * 40)
    monkeypatch.setenv(SECRET, "s" * 40)
    assert main(["--port", "0", "--no-limits"]) == 0
    assert re.search(
        "^UPBIT_ACCESS_KEY=a{40}\nUPBIT_SECRET_KEY=s{40}$", capsys.readouterr().out, re.MULTILINE
    )


@pytest.mark.usefixtures("stopped")
def test_the_keys_of_a_real_account_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY", "UPBIT_SG_ACCESS_KEY", "UPBIT_SG_SECRET_KEY"):
        monkeypatch.setenv(name, "real" * 10)
    assert main(["--port", "0"]) == 0
    assert "real" not in capsys.readouterr().out


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    ("access_key", "secret_key"),
    [
        ("a" * 40, None),
        (None, "s3cret" * 7),
        ("a" * 40, ""),
        ("", "s3cret" * 7),
        ("", ""),
        ("a" * 40, " s3cret"),
    ],
)
def test_half_a_pair_of_keys_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    access_key: str | None,
    secret_key: str | None,
) -> None:
    for name, value in ((ACCESS, access_key), (SECRET, secret_key)):
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="2"):
        main(["--port", "0"])
    told = capsys.readouterr()
    assert ACCESS in told.err
    assert SECRET in told.err
    assert "s3cret" not in told.out + told.err


def test_no_option_takes_a_secret() -> None:
    assert "secret" not in argument_parser("sandbox").format_help().replace(SECRET, "")
    with pytest.raises(SystemExit, match="2"):
        argument_parser("sandbox").parse_args(["--secret-key", "s" * 40])


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", ""])  # noqa: S104 - they are refused
def test_other_machines_are_kept_out(capsys: pytest.CaptureFixture[str], host: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--port", "0", "--host", host])
    told = capsys.readouterr()
    assert "--allow-remote" in told.err
    assert told.out == ""


@pytest.mark.usefixtures("stopped")
def test_other_machines_can_be_let_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--host", "0.0.0.0", "--allow-remote"]) == 0  # noqa: S104 - what is tested
    assert capsys.readouterr().out.startswith("UPBIT_BASE_URL=http://127.0.0.1:")


WITHOUT_THE_EXTRA = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"starlette", "uvicorn"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def test_the_command_names_the_extra_that_is_missing(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_THE_EXTRA)
    told = subprocess.run(
        COMMAND,
        cwd=pytestconfig.rootpath,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert told.returncode == 1
    assert told.stdout == ""
    assert told.stderr == (
        "The sandbox needs starlette and uvicorn, which the library does not. To install them:\n"
        '    pip install "upbit_async[sandbox]"\n'
    )


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_the_class_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    sandbox = Sandbox("sg")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=rf"(?s)needs {missing}.*upbit_async\[sandbox\]"):
        Sandbox("sg") if missing == "starlette" else sandbox.serve()


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
        ([], Transitions.after_seconds(3.0)),
        (
            ["--every", "0.5", "--end", "FAILED"],
            Transitions.after_seconds(0.5, states=("PROCESSING", "FAILED")),
        ),
        (["--transitions", "after-reads"], Transitions.after_reads(1)),
        (["--transitions", "after-reads", "--every", "3"], Transitions.after_reads(3)),
        (["--transitions", "immediate"], Transitions.immediate()),
        (["--transitions", "immediate", "--end", "REJECTED"], Transitions.immediate("REJECTED")),
        (["--transitions", "manual"], Transitions.manual()),
    ],
)
def test_the_progress_is_an_option(arguments: list[str], plan: Transitions) -> None:
    assert transitions_from(argument_parser("sandbox").parse_args(arguments)) == plan


def test_a_port_that_is_taken_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit):
            main(["--port", str(taken.getsockname()[1])])
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    assert "can't listen on 127.0.0.1, port" in capsys.readouterr().err
