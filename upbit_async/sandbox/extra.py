"""The packages of the extra ``upbit_async[sandbox]``, which only a sandbox needs."""

from __future__ import annotations

from importlib import import_module
from typing import Final

__all__ = ["PACKAGES", "require"]

PACKAGES: Final = ("starlette", "uvicorn")


def require(*packages: str) -> None:
    """Check that packages of the extra are installed.

    Raises:
        ModuleNotFoundError: Some are missing; the text says how to install them.
    """
    missing = [package for package in packages if not _is_installed(package)]
    if missing:
        them = "them" if len(missing) > 1 else "it"
        raise ModuleNotFoundError(
            f"The sandbox needs {' and '.join(missing)}, which the library does not. To install {them}:\n"
            '    pip install "upbit_async[sandbox]"',
            name=missing[0],
        )


def _is_installed(package: str) -> bool:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:  # it is there, but lacks something itself
            raise
        return False
    return True
