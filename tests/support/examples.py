"""Upbit's documented answers, as its documentation shows them.

A file is named after its endpoint: ``GET /v1/deposits/coin_address`` has ``deposits_coin_address_get.json``. A suffix
tells several examples apart; the body of a request has ``_request`` after the method.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["example", "example_bytes", "example_names", "examples_of"]

_EXAMPLES = Path(__file__).parents[1] / "data" / "examples"


def example_bytes(name: str) -> bytes:
    """Return an example as it is on disk."""
    return (_EXAMPLES / f"{name}.json").read_bytes()


def example(name: str) -> Any:
    """Return an example, decoded by the standard library."""
    return json.loads(example_bytes(name))


def example_names() -> set[str]:
    """Return the names of all examples."""
    return {path.stem for path in _EXAMPLES.glob("*.json")}


def examples_of(method: str, path: str) -> list[str]:
    """Return the names of an endpoint's example answers, sorted."""
    stem = f"{path.removeprefix('/v1/').replace('/', '_')}_{method.lower()}"
    return sorted(
        name
        for name in example_names()
        if (name == stem or name.startswith(f"{stem}_")) and "_request" not in name
    )
