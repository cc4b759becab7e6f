"""The command ``upbit-async``.

Importing this module is cheap: commands import what they need when they run.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from upbit_async.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Exit", "main"]

_NEEDED = ("cyclopts", "rich", "uvicorn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: The command line without the name of the command. Default: the arguments of the process.
    """
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        sys.stderr.write(
            f"upbit-async needs {' and '.join(missing)}, which the library alone does not. To install:\n"
            '    pip install "upbit_async[cli]"\n'
        )
        return Exit.FAILED
    from upbit_async.cli.app import run  # noqa: PLC0415 - imports cyclopts and rich, which are an extra

    return run(sys.argv[1:] if arguments is None else arguments)
