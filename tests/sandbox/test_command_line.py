"""The command line serves sandboxes until a signal stops it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from upbit_async import UpbitRegions
from upbit_async.sandbox import ErrorSpec, Sandbox, Transitions
from upbit_async.sandbox.command_line import (
    argument_parser,
    fault_from,
    knob_from,
    main,
    stop_event,
    transitions_from,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

COMMAND = [sys.executable, "-W", "error", "-m", "upbit_async.sandbox", "--port", "0"]
ACCESS, SECRET = "UPBIT_SANDBOX_ACCESS_KEY", "UPBIT_SANDBOX_SECRET_KEY"


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time, because the sandboxes are in other processes."""
    return "asyncio"


# -- a real process --------------------------------------------------------------------------------


@contextmanager
def running(
    root: Path, *options: str, lines: int = 3
) -> Generator[tuple[dict[str, str], subprocess.Popen[str]]]:
    """Run the command, and provide the variables that it prints and its process."""
    with subprocess.Popen(
        [*COMMAND, *options], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(lines)]
        try:
            yield dict(line.strip().split("=", 1) for line in printed), process
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    """Stop a process; return its exit code and the rest of its output."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=10)
    return process.returncode, out, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_prints_its_variables_serves_and_stops(
    pytestconfig: pytest.Config, number: signal.Signals
) -> None:
    with running(pytestconfig.rootpath) as (variables, process):
        assert list(variables) == ["UPBIT_BASE_URL", "UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY"]
        assert httpx.get(f"{variables['UPBIT_BASE_URL']}/v1/accounts").status_code == 401
        assert stopped(process, number) == (0, "", "")


async def test_several_regions_are_served_to_clients_of_each(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("UPBIT_")]:
        monkeypatch.delenv(name)
    regions = ("--region", "sg", "--region", "id")
    with running(pytestconfig.rootpath, *regions, lines=6) as (variables, process):
        assert list(variables) == [
            f"UPBIT_{region}_{name}"
            for region in ("SG", "ID")
            for name in ("BASE_URL", "ACCESS_KEY", "SECRET_KEY")
        ]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        async with UpbitRegions.from_env("sg", "id") as clients:
            accounts = (await clients.map(lambda client: client.accounts.list())).unwrap()
        assert [rows[0].currency for rows in accounts.values()] == ["SGD", "IDR"]
        assert stopped(process) == (0, "", "")


def test_faults_and_knobs_apply_and_requests_are_logged(pytestconfig: pytest.Config) -> None:
    options = (
        *("--fault", "status 503 GET /v1/market/all times=1 name=down"),
        *("--fault", "slow 0 GET /v1/market/all"),
        *("--knob", "language=ko", "--knob", "not_in_region=451:not_here"),
        "--log",
    )
    with running(pytestconfig.rootpath, *options) as (variables, process):
        base_url = variables["UPBIT_BASE_URL"]
        assert httpx.get(f"{base_url}/v1/market/all?is_details=true").json()["error"]["name"] == "down"
        assert httpx.get(f"{base_url}/v1/market/all").status_code == 200
        assert httpx.get(f"{base_url}/v1/api_keys").json()["error"]["name"] == "not_here"
        message = httpx.get(f"{base_url}/v1/%1b").json()["error"]["message"]
        assert message == "존재하지 않는 경로입니다."
        code, _, log = stopped(process)
    assert code == 0
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in log.splitlines()]
    assert lines == [
        "sg GET /v1/market/all 503",
        "sg GET /v1/market/all 200",
        "sg GET /v1/api_keys 451",
        r"sg GET /v1/\x1b 404",
    ]


def test_log_has_unreadable_requests_too(pytestconfig: pytest.Config) -> None:
    with running(pytestconfig.rootpath, "--log", "--region", "th") as (variables, process):
        host, _, port = variables["UPBIT_BASE_URL"].removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
        _, _, log = stopped(process)
    assert log.splitlines()[-1][9:] == "th unreadable request 400"


# -- keys ------------------------------------------------------------------------------------------


@pytest.fixture
def stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command stop as soon as it serves."""
    stopping = threading.Event()
    stopping.set()
    monkeypatch.setattr("upbit_async.sandbox.command_line.stop_event", lambda: stopping)
    for name in (ACCESS, SECRET):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("stops_at_once")
@pytest.mark.parametrize(
    ("regions", "prefixes"),
    [((), ["UPBIT"]), (("--region", "sg", "--region", "kr"), ["UPBIT_SG", "UPBIT_KR"])],
)
def test_keys_are_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    regions: tuple[str, ...],
    prefixes: list[str],
) -> None:
    monkeypatch.setenv(ACCESS, "a" * 40)
    monkeypatch.setenv(SECRET, "s" * 40)
    assert main(["--port", "0", "--no-limits", *regions]) == 0
    printed = capsys.readouterr().out
    for prefix in prefixes:
        assert f"\n{prefix}_ACCESS_KEY={'a' * 40}\n{prefix}_SECRET_KEY={'s' * 40}\n" in printed


@pytest.mark.usefixtures("stops_at_once")
def test_keys_of_a_real_account_are_not_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY", "UPBIT_SG_ACCESS_KEY", "UPBIT_SG_SECRET_KEY"):
        monkeypatch.setenv(name, "real" * 10)
    assert main(["--port", "0"]) == 0
    assert "real" not in capsys.readouterr().out


@pytest.mark.usefixtures("stops_at_once")
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
    printed = capsys.readouterr()
    assert ACCESS in printed.err
    assert SECRET in printed.err
    assert "s3cret" not in printed.out + printed.err


def test_no_option_takes_a_secret() -> None:
    parser = argument_parser("sandbox")
    assert "secret" not in parser.format_help().replace(SECRET, "")
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--secret-key", "s" * 40])


# -- addresses -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stops_at_once")
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", ""])  # noqa: S104 - they are refused
def test_address_beyond_loopback_is_refused(capsys: pytest.CaptureFixture[str], host: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--port", "0", "--host", host])
    printed = capsys.readouterr()
    assert "--allow-remote" in printed.err
    assert printed.out == ""


@pytest.mark.usefixtures("stops_at_once")
def test_address_beyond_loopback_can_be_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--host", "0.0.0.0", "--allow-remote"]) == 0  # noqa: S104 - what is tested
    assert capsys.readouterr().out.startswith("UPBIT_BASE_URL=http://127.0.0.1:")


@pytest.mark.usefixtures("stops_at_once")
def test_regions_get_consecutive_ports(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert main(["--port", str(port), "--region", "sg", "--region", "id"]) == 0
    printed = capsys.readouterr().out
    assert f"UPBIT_SG_BASE_URL=http://127.0.0.1:{port}\n" in printed
    assert f"UPBIT_ID_BASE_URL=http://127.0.0.1:{port + 1}\n" in printed


@pytest.mark.usefixtures("stops_at_once")
def test_port_that_is_in_use_is_reported_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit, match="2"):
        main(["--port", str(taken.getsockname()[1])])
    assert "can't listen on 127.0.0.1, port" in capsys.readouterr().err


# -- extra packages --------------------------------------------------------------------------------

WITHOUT_THE_EXTRA = """
import sys

sys.modules.update(starlette=None, uvicorn=None)  # as if they were not installed
"""


def test_command_names_the_extra_that_is_missing(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_THE_EXTRA)
    ran = subprocess.run(
        COMMAND,
        cwd=pytestconfig.rootpath,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == (
        "The sandbox needs starlette and uvicorn, which the library does not. To install them:\n"
        '    pip install "upbit_async[sandbox]"\n'
    )


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_sandbox_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    sandbox = Sandbox("sg")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=rf"(?s)needs {missing}.*upbit_async\[sandbox\]"):
        Sandbox("sg") if missing == "starlette" else sandbox.serve()


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_sets_the_stop_event(number: signal.Signals) -> None:
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        stopping = stop_event()
        assert not stopping.is_set()
        signal.raise_signal(number)
        assert stopping.is_set()
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


@pytest.mark.parametrize(
    ("arguments", "transitions"),
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
def test_transitions_are_options(arguments: list[str], transitions: Transitions) -> None:
    assert transitions_from(argument_parser("sandbox").parse_args(arguments)) == transitions


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lose_answer", {"method": None, "ending": "reset", "times": 1}),
        (
            "lose_answer POST /v1/withdraws/coin how=cut times=all",
            {"method": "POST", "path": "/v1/withdraws/coin", "ending": "cut", "times": None},
        ),
        ("reset_before POST skip=2", {"method": "POST", "before": True, "skip": 2}),
        ("status 503 GET before=false", {"method": "GET", "before": False}),
        ("slow 2.5 GET", {"method": "GET", "delay": 2.5}),
        ('garbage GET /v1/withdraws body="wrong json"', {"path": "/v1/withdraws", "ending": "send"}),
    ],
)
def test_fault_is_read_from_a_text(text: str, shown: dict[str, object]) -> None:
    fault = fault_from(text)
    assert {name: getattr(fault, name) for name in shown} == shown


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--fault", "", "fault must be one of lose_answer, reset_before, status, slow, garbage, got ''"),
        ("--fault", "explode GET", "fault must be one of lose_answer, .*, got 'explode'"),
        ("--fault", "status GET", "CODE must be a whole number, got 'GET'"),
        ("--fault", "status", r"status takes CODE \[METHOD \[PATH\]\], got ''"),
        ("--fault", "status 99", "status must be a whole number from 200 to 599, got 99"),
        ("--fault", "slow -1", "delay must be a number from 0 to 10"),
        ("--fault", "lose_answer a b c", r"lose_answer takes \[METHOD \[PATH\]\], got 'a b c'"),
        ("--fault", "lose_answer how=away", "how must be one of 'reset', 'close', 'cut', 'hang', got 'away'"),
        (
            "--fault",
            "lose_answer body=x",
            "option of lose_answer must be one of how, times, skip, got 'body'",
        ),
        ("--fault", "status 503 before=maybe", "before must be true or false, got 'maybe'"),
        ("--fault", "garbage 'GET", "No closing quotation"),
        ("--knob", "nonsense=1", "knob must be one of algorithms, .*, got 'nonsense'"),
        ("--knob", "list_order=newest", "knob list_order must be one of 'created_at', .*, got 'newest'"),
        ("--knob", "list_delay=soon", "knob list_delay must be a number from 0 to 10.9, got 'soon'"),
        ("--knob", "fee_on_top=1", "knob fee_on_top must be True or False, got '1'"),
        ("--knob", "out_of_scope=99:x", "status must be a whole number from 200 to 599, got 99"),
        ("--knob", "out_of_scope=x", "knob out_of_scope must be of type ErrorSpec, got 'x'"),
        ("--region", "sg", "each --region may be given once, got sg, sg"),
    ],
)
def test_option_that_means_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], option: str, value: str, problem: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--port", "0", option, value, *(["--region", "sg"] if option == "--region" else [])])
    assert re.search(problem, capsys.readouterr().err.replace("\n", " "))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("list_delay=20", 20.0),
        ("nonce_memory=none", None),
        ("nonce_memory=60", 60.0),
        ("ban_after=3", 3),
        ("fee_on_top=false", False),
        ("space=plus", "plus"),
        ("ban_message=wait {seconds} = long", "wait {seconds} = long"),
        ("algorithms=HS256,HS512", frozenset({"HS256", "HS512"})),
        ("time_offset=32400", timedelta(hours=9)),
        ("out_of_scope=401:no_permission", ErrorSpec(401, "no_permission")),
        ("deposits_suspended=none", None),
    ],
)
def test_knob_is_read_from_a_text(text: str, value: object) -> None:
    assert knob_from(text) == (text.partition("=")[0], value)
