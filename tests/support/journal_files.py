"""Journals as files: opening, filling and refusing them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest
from payout_samples import PLANNED

from upbit_async import errors
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["hold", "mode", "opened", "refused", "write"]


def opened(path: Path, **options: Any) -> Store:
    """Open a journal, which is created if it does not exist."""
    store = Store(str(path), 0.2, **options)
    store.bind("h", "sg")
    return store


def write(path: Path, **options: Any) -> None:
    """Create a journal that holds one payout, and close it."""
    hold(path, **options).close()


def hold(path: Path, **options: Any) -> Store:
    """Return an open journal that holds one payout, so that its -wal and -shm files exist."""
    store = opened(path, **options)
    store.add(PLANNED)
    return store


def refused(path: Path, **options: Any) -> str:
    """Return the error with which a journal is refused."""
    with pytest.raises(errors.JournalError) as caught:
        opened(path, **options)
    assert not caught.value.may_have_executed
    return str(caught.value)


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)
