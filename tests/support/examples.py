"""Upbit's documented answers, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["example", "example_bytes", "example_names"]

_EXAMPLES = Path(__file__).parents[1] / "data" / "examples"


def example_bytes(name: str) -> bytes:
    """Return an example as it is on disk."""
    return (_EXAMPLES / f"{name}.json").read_bytes()


def example(name: str) -> Any:
    """Return an example, read by Python's own reader."""
    return json.loads(example_bytes(name))


def example_names() -> set[str]:
    """Return the names of all examples."""
    return {path.stem for path in _EXAMPLES.glob("*.json")}
