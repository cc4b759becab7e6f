"""Public names of the package, and what importing it imports."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from source_tree import parsed

import upbit_async

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = Path(upbit_async.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    "httpx",
    "httpx2",
    "httpcore",
    "jwt",
    "starlette",
    "uvicorn",
    "rich",
    "cyclopts",
    "ssl",
    "hypothesis",
)


def _imported_after(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has imported after running a program."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment
    )
    return set(done.stdout.split())


def test_every_public_name_can_be_imported() -> None:
    for name in upbit_async.__all__:
        assert getattr(upbit_async, name) is not None
    assert list(upbit_async.__all__) == sorted(upbit_async.__all__)
    assert dir(upbit_async) == sorted(upbit_async.__all__)


@pytest.mark.parametrize(
    "name",
    [
        "Credentials",
        "LocalLimiter",
        "NoLimiter",
        "Observer",
        "PollSchedule",
        "RateLimiter",
        "Region",
        "RetryPolicy",
        "Safety",
        "Timeouts",
        "UpbitClient",
        "errors",
        "models",
    ],
)
def test_promised_names_are_public(name: str) -> None:
    scope: dict[str, object] = {}
    exec(f"from upbit_async import {name}", scope)  # noqa: S102 - the statement is what is tested
    assert name in upbit_async.__all__
    assert scope[name] is getattr(upbit_async, name)


def test_star_import_binds_every_public_name() -> None:
    scope: dict[str, object] = {}
    exec("from upbit_async import *", scope)  # noqa: S102
    assert set(upbit_async.__all__) <= set(scope)


def test_names_for_type_checkers_match_those_at_run_time() -> None:
    tree = parsed((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in ast.walk(checked) if isinstance(node, ast.ImportFrom)]
    said = {alias.name: node.module for node in imports for alias in node.names}
    assert set(said) | {"__version__"} == set(upbit_async.__all__)
    for name, module in said.items():
        home = importlib.import_module(module or "")
        assert getattr(home, name, None) is getattr(upbit_async, name), name


def test_missing_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'upbit_async' has no attribute 'nothing'"):
        upbit_async.nothing  # noqa: B018  # pyright: ignore[reportUnusedExpression]
    with pytest.raises(ImportError):
        exec("from upbit_async import nothing")  # noqa: S102


def test_public_modules_are_attributes_of_the_package() -> None:
    assert upbit_async.__getattr__("errors") is upbit_async.errors
    code = "import upbit_async\nassert upbit_async.errors.UpbitError and upbit_async.models.Withdrawal"
    assert "upbit_async.errors" in _imported_after(f"{code} and upbit_async.events.Event")


def test_importing_the_package_imports_no_other_module() -> None:
    ours = {name for name in _imported_after("import upbit_async") if name.startswith("upbit_async")}
    assert ours == {"upbit_async", "upbit_async._version"}


def test_importing_every_name_imports_no_heavy_library() -> None:
    code = "import upbit_async\n[getattr(upbit_async, name) for name in upbit_async.__all__]"
    brought = _imported_after(code) - _imported_after("import asyncio, anyio, attrs, msgspec")
    assert brought & set(HEAVY) == set()


def test_importing_the_client_does_not_import_what_it_uses() -> None:
    names = "UpbitClient, UpbitRegions, Credentials, LocalLimiter, Observer, RetryPolicy, errors, models"
    brought = _imported_after(f"from upbit_async import {names}")
    assert "upbit_async.client" in brought
    assert (
        brought
        & {"asyncio", "upbit_async.polling", "upbit_async.checks", "upbit_async.transport.http_transport"}
        == set()
    )


def test_pure_modules_import_no_event_loop() -> None:
    rooms = ["models", "errors", "policy", "region", "credentials"]
    rooms += [
        f"protocol.{name}"
        for name in ("endpoints", "message", "decode", "replies", "retry", "rates", "token")
    ]
    code = "\n".join(f"import upbit_async.{room}" for room in rooms)
    assert _imported_after(code) & {"asyncio", "anyio", "httpx", "trio"} == set()


def test_version_matches_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert upbit_async.__version__ == project["project"]["version"]


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _top_level([*node.body, *node.orelse])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_has_a_docstring_and_an_accurate_all(path: Path) -> None:
    tree = parsed(path.read_text(encoding="utf-8"))
    defined: set[str] = set()
    offered: list[str] | None = None
    for node in _top_level(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            defined |= names
            if "__all__" in names and node.value is not None:
                offered = ast.literal_eval(node.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name for alias in node.names}
    assert ast.get_docstring(tree)
    if offered is None:
        own = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert [name for name in own if not name.startswith("_")] == []
    elif path != PACKAGE / "__init__.py":
        assert set(offered) <= defined
        assert len(offered) == len(set(offered))
