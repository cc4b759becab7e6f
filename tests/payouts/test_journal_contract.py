"""`SqliteJournal` and `MemoryJournal` pass the journal contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from journals import InlineJournal

from upbit_async.payouts import MemoryJournal, SqliteJournal
from upbit_async.testing.journal_contract import JournalContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from upbit_async.payouts import Journal


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    async def journal(self, path: Path) -> AsyncIterator[Journal]:
        journal = SqliteJournal(path)
        yield journal
        await journal.aclose()

    @pytest.fixture
    async def second_journal(self, path: Path, journal: Journal) -> AsyncIterator[Journal]:
        second = SqliteJournal(path)
        yield second
        await second.aclose()


class TestInlineJournal(JournalContract):
    @pytest.fixture
    async def journal(self, path: Path) -> AsyncIterator[Journal]:
        journal = InlineJournal(path)
        yield journal
        await journal.aclose()


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal()
