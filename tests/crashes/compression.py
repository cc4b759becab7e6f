"""Shorter waits of the runner and the settler, so that minutes of a service's life fit into seconds of a schedule."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["compressed"]

_SHORTER: Final = {
    "runner._CLAIM_PERIOD": 0.1,
    "claims.CLAIM_LEASE": 1.0,
    "runner._FIRST_WAIT": 0.05,
    "runner._LONGEST_WAIT": 0.5,
    "runner._RECONCILIATION_PERIOD": 1.5,
    "judging._CONFIRMATION_DELAY": 0.1,
    "judging._GATHERING": 0.03,
    "judging._PERIOD": 0.2,
    "preflight.PERIOD": 0.05,
    "unowned.PERIOD": 0.05,
}
"""Seconds, by the name of the constant within `upbit_async.payouts`."""


@contextlib.contextmanager
def compressed() -> Generator[None]:
    """Shorten the waits within the block."""
    with contextlib.ExitStack() as stack:
        for name, seconds in _SHORTER.items():
            stack.enter_context(mock.patch(f"upbit_async.payouts.{name}", seconds))
        yield
