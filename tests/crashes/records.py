"""What the processes of a schedule record for the checks, as lines of JSON in a file that they share."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read", "record"]


def record(folder: Path, name: str, **fields: object) -> None:
    """Append a record to a file, whole or not at all, also if the process is killed."""
    line = f"{json.dumps(fields)}\n".encode()
    file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the records of a file, oldest first."""
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
