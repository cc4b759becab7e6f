"""The version of the package; ``pyproject.toml`` has the same."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
