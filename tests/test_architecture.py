"""The house stands as drawn: rooms import only from rooms below them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import upbit_async

HERE = Path(__file__).parent
PACKAGE = Path(upbit_async.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 420


def test_the_import_contracts_are_kept() -> None:
    # In a process of its own: it configures logging for the whole of it.
    code = "import sys; from importlinter.cli import lint_imports as lint; "
    code += "sys.exit(lint(config_filename=sys.argv[1], no_cache=True))"
    subprocess.run([sys.executable, "-c", code, HERE.parent / "pyproject.toml"], check=True)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_holds_one_concept(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text)), "a module says what it is for"


def test_nothing_inside_imports_from_the_package_root() -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "upbit_async"
                and module != PACKAGE / "__init__.py"
            ):
                names = {alias.name for alias in node.names}
                assert names <= {"errors", "events", "models", "settings"}, (module, names)


def test_every_logger_escapes_what_it_is_given() -> None:
    askers = [module for module in MODULES if "getLogger" in module.read_text()]
    assert askers == [PACKAGE / "logs.py", PACKAGE / "transport" / "foreign_logs.py"]
