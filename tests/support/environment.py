"""An environment without the variables that the library reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["clear_environment"]


def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every variable of the library from the environment, for the time of a test."""
    for name in [each for each in os.environ if each.startswith("UPBIT_")]:
        monkeypatch.delenv(name)
