"""Everything that is checked, and how: plain ``nox`` runs all of it but the benchmarks and the thousand crashes."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.sessions = ["tests", "lint", "types", "docs", "rivals", "lowest"]
nox.options.error_on_external_run = True

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())
CONSTRAINTS = HERE / "tests" / "constraints.txt"
EXTRAS = "cli,httpx2,aiohttp"
COVERAGE = 95
WORKERS = (os.cpu_count() or 1) + 1  # tests over real sockets leave a core idle
PYTEST = ["pytest", "-q", "-n", str(WORKERS)]
SHORT = [*PYTEST, "-m", "not thorough"]
"""What depends on versions; the newest Python runs the rest too."""
THOROUGH = [*PYTEST, "-m", "thorough"]
BENCHMARKS = ["lost_answers", "limits", "storms", "bursts", "waiting", "cpu", "startup", "decoding"]


def _supported() -> list[str]:
    prefix = "Programming Language :: Python :: 3."
    return [
        name.removeprefix(prefix[:-2])
        for name in PROJECT["project"]["classifiers"]
        if name.startswith(prefix)
    ]


def _switch_pyenv_on() -> None:
    """Let pyenv's commands answer for every version that it has, not only for the chosen one."""
    if shutil.which("pyenv") and "PYENV_VERSION" not in os.environ:
        listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False)
        versions = [line for line in listed.stdout.split() if line.startswith(tuple(_supported()))]
        if versions:
            os.environ["PYENV_VERSION"] = ":".join(versions)


def _answers(version: str) -> bool:
    command = [f"python{version}", "-c", "pass"]
    return (
        bool(shutil.which(command[0]))
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


_switch_pyenv_on()
PYTHONS = [version for version in _supported() if _answers(version)]


@functools.cache
def _group(name: str) -> list[str]:
    """Return the requirements of a dependency group, without the project itself."""
    wanted = nox.project.dependency_groups(PROJECT, name)
    return [requirement for requirement in wanted if not requirement.startswith("upbit_async")]


def _install(session: nox.Session, *groups: str, constraints: Path = CONSTRAINTS) -> None:
    """Build the wheel and install it, with what the groups need."""
    session.install("-q", "-c", str(constraints), "build", "hatchling")
    wheels = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    session.run(
        "python", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(HERE), silent=True
    )
    (wheel,) = wheels.glob("*.whl")
    requirements = [requirement for group in groups for requirement in _group(group)]
    session.install(
        "-q", "-c", str(constraints), f"upbit_async[{EXTRAS}] @ {wheel.resolve().as_uri()}", *requirements
    )


def _test(session: nox.Session, *command: str) -> None:
    """Run tests against the installed wheel: the checkout must not be on the path."""
    env = {"PYTHONSAFEPATH": "1", "PYTHONWARNDEFAULTENCODING": ""}
    where = "import upbit_async, sys; sys.exit('site-packages' not in upbit_async.__file__)"
    session.run("python", "-c", where, env=env)
    session.run(*command, *session.posargs, env=env)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on every Python at hand: all on the newest, with coverage; between the ends without trio."""
    _install(session, "tests")
    if session.posargs:
        _test(session, *PYTEST)
        return
    if session.python != PYTHONS[-1]:
        asyncio_only = ["-k", "not trio"] if session.python in PYTHONS[1:-1] else []
        _test(session, *SHORT, *asyncio_only)
        return
    session.run("coverage", "erase")
    _test(session, "coverage", "run", "-m", *SHORT)
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report", f"--fail-under={COVERAGE}")
    _test(session, *THOROUGH)


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
    """Build the documentation; a warning fails it. The tests run the code that it shows."""
    _install(session, "docs")
    built = Path(session.create_tmp()).resolve()
    sphinx = ["python", "-m", "sphinx", "-EqW", "--keep-going", "-d", f"{built}/doctrees"]
    session.run(*sphinx, "docs", f"{built}/html", env={"PYTHONSAFEPATH": "1"})
    session.log(f"Read it at {built}/html/index.html")


@nox.session(python=PYTHONS[:1])
def lowest(session: nox.Session) -> None:
    """Run the tests on the lowest dependencies that are allowed."""
    with tempfile.TemporaryDirectory() as folder:
        floors = Path(folder) / "floors.txt"
        floors.write_text("\n".join(_floors()))
        _install(session, "tests", constraints=floors)
    _test(session, *SHORT)


def _floors() -> list[str]:
    """Return the constraints with every dependency of ours at its floor."""
    project = PROJECT["project"]
    ours = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    floors: dict[str, str] = {}
    for requirement in ours:
        found = re.match(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", requirement)
        if found:
            floors[_normal(found[1])] = found[2]
    pinned = [line for line in CONSTRAINTS.read_text().splitlines() if "==" in line]
    # What only stands on ours must be free to go down with it; anyio's floor knows no newer pytest.
    kept = [line for line in pinned if _normal(line.partition("==")[0]) in _KEPT]
    return [*(f"{name}=={version}" for name, version in floors.items()), *kept, "pytest<9"]


_KEPT = frozenset(
    {
        "trio",
        "hypothesis",
        "coverage",
        "sybil",
        "pytest-timeout",
        "pytest-xdist",
        "import-linter",
        "hatchling",
    }
)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@nox.session(python=PYTHONS[-1:])
def rivals(session: nox.Session) -> None:
    """Let other people's Upbit clients work against the sandbox, and run the official SDK's examples."""
    _install(session, "rivals")
    session.env["UPBIT_SDK_EXAMPLES"] = str(_sdk_examples(session))
    _test(session, *PYTEST, "tests/rivals")


def _sdk_examples(session: nox.Session) -> Path:
    """Fetch the official SDK's source, the only place where its examples are."""
    place = Path(session.create_tmp()) / "sdk"
    shutil.rmtree(place, ignore_errors=True)
    session.install("-q", "-c", str(CONSTRAINTS), "pip")
    source_only = ["--no-deps", "--no-binary", "upbit-sdk"]
    where = ["-c", str(CONSTRAINTS), "-d", str(place)]
    session.run("python", "-m", "pip", "download", "-q", *source_only, *where, "upbit-sdk")
    (archive,) = place.glob("*.tar.gz")
    session.run("python", "-m", "tarfile", "--filter", "data", "-e", str(archive), str(place))
    (examples,) = place.glob("*/examples")
    return examples.resolve()


@nox.session(python=PYTHONS[-1:])
def bench(session: nox.Session) -> None:
    """Measure side by side with the bare library and with rivals (on request); scripts may be named."""
    _install(session, "tests")
    _install_rivals(session)
    for script in session.posargs or BENCHMARKS:
        session.run("python", f"tests/benchmarks/{script}.py", env={"PYTHONDONTWRITEBYTECODE": "1"})


@nox.session(python=PYTHONS[-1:])
def crashes(session: nox.Session) -> None:
    """Kill who pays, by the thousand schedules (on request); how many and the first seed may be given."""
    _install(session, "tests")
    _install_rivals(session)
    session.run("python", "tests/crashes", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": "1"})


def _install_rivals(session: nox.Session) -> None:
    """Install the rivals, but for those that can't be; the tables say so."""
    for rival in _group("bench"):
        session.install("-q", "-c", str(CONSTRAINTS), rival, success_codes=range(256))
