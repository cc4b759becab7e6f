"""What pages run against: a sandbox for each region, with its keys in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pages import Page

from upbit_async import Region
from upbit_async.sandbox import Sandbox
from upbit_async.sandbox.adapters.in_process import http_client
from upbit_async.transport import assembly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


@pytest.fixture
def sandboxes(monkeypatch: pytest.MonkeyPatch) -> dict[Region, Sandbox]:
    """Make a sandbox for each region, and let every client that is made reach it without a network."""
    for name in [each for each in os.environ if each.startswith("UPBIT_")]:
        monkeypatch.delenv(name)
    made = {region: Sandbox(region) for region in Region}
    for region, sandbox in made.items():
        for half in ("access_key", "secret_key"):
            key = getattr(sandbox.credentials, half).reveal()
            monkeypatch.setenv(f"UPBIT_{region.upper()}_{half.upper()}", key)
    assemble = assembly.assemble

    def assemble_here(**asked: Any) -> Any:
        if asked["http"] is None:
            asked["http"] = http_client(made[asked["region"]].transport())
        return assemble(**asked)

    monkeypatch.setattr(assembly, "assemble", assemble_here)
    return made


class Terminal:
    """Runs the commands that pages show.

    Args:
        stack: Stops servers at the end of the page.
        monkeypatch: Sets the variables that a server prints, as the pages ask their readers to do.
    """

    def __init__(self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stack = stack
        self._monkeypatch = monkeypatch

    def __call__(self, words: list[str]) -> str:
        """Run a command. One that would install or check everything is only compared with the project."""
        match words:
            case ["pip", "install", *wanted]:
                return self._install(wanted)
            case ["upbit-async", *arguments]:
                return self._run("upbit_async.cli", *arguments)
            case ["python", "-m", "upbit_async.sandbox", *arguments]:
                return self._serve(arguments)
            case ["nox"] | ["python", "-m", "venv", ".venv"] | ["source", ".venv/bin/activate"]:
                pass
            case ["nox", "-s", session]:
                assert f"\ndef {session}(" in (ROOT / "noxfile.py").read_text(encoding="utf-8")
            case ["pytest", *arguments]:
                return self._run("pytest", "-p", "no:cacheprovider", *arguments, cwd=ROOT)
            case ["python", "-m", module, *arguments]:
                return self._run(module, *arguments)
            case _:
                pytest.fail(f"no rule to run {words}")
        return ""

    def _install(self, wanted: list[str]) -> str:
        names = iter(wanted)
        for each in names:
            match each:
                case "-e":
                    continue
                case "-c":
                    assert (ROOT / next(names)).is_file()
                case "--group":
                    assert next(names) in PYPROJECT["dependency-groups"]
                case _:
                    name, _, extra = each.partition("[")
                    assert name in {".", PROJECT["name"], "nox", "pip>=25.1"}, each
                    assert not extra or extra.removesuffix("]") in PROJECT["optional-dependencies"], each
        return ""

    def _run(self, module: str, *arguments: str, cwd: Path | None = None) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def _serve(self, arguments: list[str]) -> str:
        """Start a sandbox on any free port, and set the variables that it prints."""
        shown = arguments[arguments.index("--port") + 1] if "--port" in arguments else "8787"
        command = [sys.executable, "-m", "upbit_async.sandbox", *arguments, "--port", "0"]
        server = self._stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        self._stack.callback(server.terminate)
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(3)]
        for line in lines:
            name, _, value = line.strip().partition("=")
            self._monkeypatch.setenv(name, value)
        port = lines[0].strip().rpartition(":")[2]
        return "".join(lines).replace(f":{port}", f":{shown}")


@pytest.fixture
def page(
    anyio_backend: tuple[str, dict[str, Any]],
    sandboxes: dict[Region, Sandbox],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Path], None]]:
    """Return a function that runs a page in virtual time."""
    sandbox = sandboxes[Region.SG]
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        terminal = Terminal(stack, monkeypatch)

        def run(path: Path) -> None:
            page = Page(
                path, folder=tmp_path, loop_factory=anyio_backend[1]["loop_factory"], console=terminal
            )
            page.run(client=sandbox.client(), sandbox=sandbox, sandboxes=sandboxes)

        yield run
