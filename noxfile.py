"""Sessions for nox: plain ``nox`` runs all checks but the benchmarks, crashes, simulations and explorations."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_external_run = True

HERE = Path(__file__).parent
PROJECT = nox.project.load_toml(HERE / "pyproject.toml")
CONSTRAINTS = HERE / "tests" / "constraints.txt"
EXTRAS = "cli,httpx2,aiohttp"
COVERAGE = 95
WORKERS = (os.cpu_count() or 1) + 1  # tests with real sockets leave a core idle
PYTEST = ["pytest", "-q", "-n", str(WORKERS)]
SHORT = [*PYTEST, "-m", "not thorough"]
BENCHMARKS = [
    "lost_answers",
    "payouts",
    "limits",
    "storms",
    "bursts",
    "waiting",
    "cpu",
    "startup",
    "decoding",
]
KEPT = {
    "coverage",
    "grimp",
    "hatchling",
    "hypothesis",
    "import-linter",
    "pytest-timeout",
    "pytest-xdist",
    "sybil",
    "trio",
}
"""Tools that keep their pinned versions when the dependencies are at their lower bounds."""


def _installed(supported: list[str]) -> list[str]:
    """Return the Pythons that run here. A shim of pyenv runs the versions in ``PYENV_VERSION`` only."""
    if shutil.which("pyenv") and "PYENV_VERSION" not in os.environ:
        listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False)
        if found := [line for line in listed.stdout.split() if line.startswith(tuple(supported))]:
            os.environ["PYENV_VERSION"] = ":".join(found)
    commands = {
        version: [f"python{version}", "-c", "pass"]
        for version in supported
        if shutil.which(f"python{version}")
    }
    return [
        version
        for version, command in commands.items()
        if not subprocess.run(command, capture_output=True, check=False).returncode
    ]


PYTHONS = _installed(nox.project.python_versions(PROJECT))
# The oldest Python runs the tests with the lowest dependencies instead of the newest.
TESTS = [f"tests-{version}" for version in PYTHONS[1:] or PYTHONS]
nox.options.sessions = [*TESTS, "lint", "types", "docs", "rivals", "lowest"]


def _group(name: str) -> list[str]:
    """Return the requirements of a dependency group, without the project itself."""
    wanted = nox.project.dependency_groups(PROJECT, name)
    return [requirement for requirement in wanted if not requirement.startswith("upbit_async")]


def _install(session: nox.Session, group: str, constraints: Path = CONSTRAINTS) -> None:
    """Build a wheel and install it together with a dependency group."""
    session.install("-q", "-c", str(constraints), "build", "hatchling")
    wheels = Path(session.create_tmp()).resolve() / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    build = ["python", "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    session.run(*build, str(wheels), str(HERE), silent=True)
    (wheel,) = wheels.glob("*.whl")
    project = f"upbit_async[{EXTRAS}] @ {wheel.as_uri()}"
    session.install("-q", "-c", str(constraints), project, *_group(group))


def _test(session: nox.Session, *command: str) -> None:
    """Run tests of the installed wheel: the checkout must not be on the path."""
    env = {"PYTHONSAFEPATH": "1", "PYTHONWARNDEFAULTENCODING": ""}
    check = "import upbit_async, sys; sys.exit('site-packages' not in upbit_async.__file__)"
    session.run("python", "-c", check, env=env)
    session.run(*command, *session.posargs, env=env)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run all tests on the newest Python; on the others without trio and the long ones, but with coverage."""
    _install(session, "tests")
    if session.posargs or session.python == PYTHONS[-1]:
        _test(session, *PYTEST)
        return
    session.run("coverage", "erase")
    _test(session, "coverage", "run", "-m", *SHORT, "-k", "not trio")
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report", f"--fail-under={COVERAGE}")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("-q", "-c", str(CONSTRAINTS), *_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright."""
    _install(session, "types")
    session.run("mypy")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; warnings are errors. The tests run the code in it."""
    _install(session, "docs")
    built = Path(session.create_tmp()).resolve()
    sphinx = ["python", "-m", "sphinx", "-EqW", "--keep-going", "-d", f"{built}/doctrees"]
    session.run(*sphinx, "docs", f"{built}/html", env={"PYTHONSAFEPATH": "1"})
    session.log(f"Read it at {built}/html/index.html")


@nox.session(python=PYTHONS[:1])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest dependencies that are allowed."""
    floors = Path(session.create_tmp()) / "floors.txt"
    floors.write_text("\n".join(_floors()))
    _install(session, "tests", floors)
    _test(session, *SHORT)


def _floors() -> Iterator[str]:
    """Yield constraints that hold every dependency at its lower bound; other versions are free to follow."""
    project = PROJECT["project"]
    for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
        requirement = Requirement(line)
        yield from (
            f"{requirement.name}=={it.version}" for it in requirement.specifier if it.operator == ">="
        )
    pinned = CONSTRAINTS.read_text().splitlines()
    yield from (line for line in pinned if canonicalize_name(line.partition("==")[0]) in KEPT)
    yield "pytest<9"  # the lowest anyio does not support pytest 9


@nox.session(python=PYTHONS[-1:])
def rivals(session: nox.Session) -> None:
    """Run other Upbit clients, and the examples of the official SDK, against the sandbox."""
    _install(session, "rivals")
    session.env["UPBIT_SDK_EXAMPLES"] = str(_sdk_examples(session))
    _test(session, *PYTEST, "tests/rivals")


def _sdk_examples(session: nox.Session) -> Path:
    """Download the source of the official SDK: only the source archive has its examples."""
    folder = Path(session.create_tmp()).resolve() / "sdk"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("-q", "-c", str(CONSTRAINTS), "pip")
    download = ["python", "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "upbit-sdk"]
    session.run(*download, "-c", str(CONSTRAINTS), "-d", str(folder), "upbit-sdk")
    (archive,) = folder.glob("*.tar.gz")
    session.run("python", "-m", "tarfile", "--filter", "data", "-e", str(archive), str(folder))
    (examples,) = folder.glob("*/examples")
    return examples


@nox.session(python=PYTHONS[-1:])
def bench(session: nox.Session) -> None:
    """Measure beside httpx and other Upbit clients (on request). Arguments: the scripts to run."""
    _run_beside_rivals(
        session, *(f"tests/benchmarks/{script}.py" for script in session.posargs or BENCHMARKS)
    )


@nox.session(python=PYTHONS[-1:])
def crashes(session: nox.Session) -> None:
    """Kill paying processes in a thousand schedules (on request). Arguments: how many, and the first seed."""
    _run_beside_rivals(session, "tests/crashes", arguments=session.posargs)


@nox.session(python=PYTHONS[-1:])
def simulation(session: nox.Session) -> None:
    """Simulate a paying service in ten thousand scenarios (on request). Arguments: how many, and the first seed."""
    _install(session, "tests")
    session.run("python", "tests/simulation", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": "1"})


@nox.session(python=PYTHONS[-1:])
def explore(session: nox.Session) -> None:
    """Explore all states of payouts within wide bounds (on request). Arguments: a command."""
    _install(session, "tests")
    session.run(
        "python",
        "tests/model/explore.py",
        *(session.posargs or ["long"]),
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    )


def _run_beside_rivals(session: nox.Session, *scripts: str, arguments: list[str] | None = None) -> None:
    """Run scripts with other Upbit clients installed, except for those that can't be; the results say so."""
    _install(session, "tests")
    for rival in _group("bench"):
        session.install("-q", "-c", str(CONSTRAINTS), rival, success_codes=range(256))
    for script in scripts:
        session.run("python", script, *(arguments or []), env={"PYTHONDONTWRITEBYTECODE": "1"})
