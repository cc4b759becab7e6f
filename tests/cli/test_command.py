"""The command line: options, exit codes and missing dependencies."""

from __future__ import annotations

import runpy
import subprocess
import sys

import pytest

from upbit_async import __version__
from upbit_async.cli import Exit, demo, main


def test_version_option_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Exit.OK
    assert capsys.readouterr() == (f"upbit-async {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == Exit.OK
    out, err = capsys.readouterr()
    assert out.startswith("Usage: upbit-async COMMAND\n")
    assert "demo" in out
    assert not err


def test_demo_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--help"]) == Exit.OK
    out = capsys.readouterr().out
    for option in ("--region", "--end", "--lose-answer", "--speed", "--amount", "--currency", "--net-type"):
        assert option in out
    assert "sg, id, th, kr" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "usage", "error"),
    [
        (["bogus"], "COMMAND", "bogus"),
        (["demo", "--end", "lost"], "demo", "lost"),
        (["demo", "--region", "us"], "demo", "us"),
        (["demo", "--speed", "0"], "demo", "greater than zero"),
        (["demo", "--speed", "-1"], "demo", "greater than zero"),
        (["demo", "--speed", "nan"], "demo", "greater than zero"),
        (["demo", "--speed", "1e9"], "demo", "at most"),
        (["demo", "--speed", "fast"], "demo", "fast"),
        (["demo", "--amount", "-1"], "demo", "greater than zero"),
        (["demo", "--amount", "NaN"], "demo", "greater than zero"),
        (["demo", "--amount", "much"], "demo", "much"),
        (["demo", "--bogus"], "demo", "--bogus"),
        (["demo", "more"], "demo", "more"),
    ],
)
def test_wrong_command_line_prints_usage_and_reason(
    capsys: pytest.CaptureFixture[str], arguments: list[str], usage: str, error: str
) -> None:
    assert main(arguments) == Exit.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"Usage: upbit-async {usage}")
    *_, reason = err.splitlines()
    assert reason.startswith("upbit-async: ")
    assert error in reason


def test_unexpected_error_prints_a_message_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("no port is free")

    monkeypatch.setattr(demo, "tell", fail)
    assert main(["demo"]) == Exit.FAILED
    assert capsys.readouterr() == ("", "upbit-async: OSError: no port is free\n")


def test_interrupt_exits_with_status_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "tell", interrupt)
    assert main(["demo"]) == Exit.INTERRUPTED
    assert capsys.readouterr().err == "upbit-async: interrupted\n"


@pytest.mark.parametrize("missing", ["cyclopts", "rich", "uvicorn"])
def test_missing_dependency_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["demo"]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert not out
    assert missing in err
    assert 'pip install "upbit_async[cli]"' in err


def test_python_m_runs_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["upbit-async", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("upbit_async.cli", run_name="__main__")
    assert ended.value.code == Exit.OK
    assert __version__ in capsys.readouterr().out


def test_importing_the_command_imports_no_heavy_library() -> None:
    code = """
import sys, upbit_async.cli
heavy = {"anyio", "asyncio", "attrs", "cyclopts", "httpx", "jwt", "msgspec", "rich", "uvicorn"}
sys.exit(" ".join(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.stderr.strip() == b""
