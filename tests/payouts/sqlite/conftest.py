"""A journal in a folder that only its owner can use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from journal_files import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upbit_async.payouts.sqlite.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "journals"
    folder.mkdir(0o700)
    return folder


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "payouts.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = opened(path)
    yield store
    store.close()
