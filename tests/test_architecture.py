"""The rules of the architecture: import contracts, and one concept per file."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import grimp
import pytest
from source_tree import parsed

import upbit_async

HERE = Path(__file__).parent
PACKAGE = Path(upbit_async.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400
"""How many lines a file may have: beyond that it usually holds two concepts."""

PROJECT = HERE.parent / "pyproject.toml"
CONTRACTS: list[dict[str, Any]] = tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the package in a folder, in a subprocess because import-linter configures logging."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from importlinter.cli import lint_imports as lint; "
    code += "sys.exit(lint(config_filename=sys.argv[2], no_cache=True))"
    command = [sys.executable, "-c", code, str(folder), str(PROJECT)]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)


def test_the_import_contracts_are_kept() -> None:
    done = lint(PACKAGE.parent)
    assert done.returncode == 0, done.stdout + done.stderr


BREAKAGES = {
    "A room imports only from rooms below it": ("models/account.py", "import upbit_async.client"),
    "Only the client builds on the transport; others see a Transport": (
        "payouts/brand_new.py",
        "import upbit_async.transport.call",
    ),
    "Only the HTTP port and the sandbox's adapters use an HTTP library": (
        "transport/brand_new.py",
        "import httpx",
    ),
    "Pure modules do no I/O; time and randomness are arguments": (
        "protocol/brand_new.py",
        "import anyio",
    ),
    "Polling and payouts wait through anyio; journals do the I/O": (
        "polling/brand_new.py",
        "import time",
    ),
    "The sandbox implements Upbit's rules independently": (
        "sandbox/brand_new.py",
        "import upbit_async.models",
    ),
    "Namespaces do not import each other": (
        "resources/brand_new.py",
        "import upbit_async.resources.accounts",
    ),
    "Only decode uses msgspec": ("settings.py", "import msgspec"),
}
"""A line that breaks each contract, and the file that it is added to."""


def test_each_contract_finds_a_breakage(tmp_path: Path) -> None:
    copy = tmp_path / "upbit_async"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path, line in BREAKAGES.values():
        with (copy / path).open("a") as file:
            file.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    _, _, details = done.stdout.partition("Broken contracts")
    assert set(BREAKAGES) == {contract["name"] for contract in CONTRACTS}
    for name, (path, line) in BREAKAGES.items():
        assert f"{name} BROKEN" in done.stdout
        module = "upbit_async." + path.removesuffix(".py").replace("/", ".")
        assert f"{module} -> {line.removeprefix('import ')}" in details


def test_only_the_client_among_the_rooms_above_imports_the_transport() -> None:
    layers: list[str] = CONTRACTS[0]["layers"]
    above = [f"upbit_async.{room}" for room in layers[: layers.index("transport")] if room != "client"]
    (contract,) = (each for each in CONTRACTS if each["name"].startswith("Only the client"))
    assert contract["source_modules"] == above


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_short_and_has_a_docstring(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(parsed(text)), "a module needs a docstring"


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    """Imports for type checkers count: modules in a circle can be understood only together."""
    graph = grimp.build_graph("upbit_async", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the modules


def test_nothing_inside_imports_from_the_package_root() -> None:
    for module in MODULES:
        for node in ast.walk(parsed(module.read_text())):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "upbit_async"
                and module != PACKAGE / "__init__.py"
            ):
                names = {alias.name for alias in node.names}
                assert names <= {"errors", "events", "models", "settings"}, (module, names)


def test_loggers_are_created_where_their_texts_are_escaped() -> None:
    creators = [module for module in MODULES if "getLogger" in module.read_text()]
    assert creators == [PACKAGE / "logs.py", PACKAGE / "transport" / "foreign_logs.py"]
