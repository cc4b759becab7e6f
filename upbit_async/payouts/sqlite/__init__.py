"""The journal that comes with the library: one SQLite file."""

from __future__ import annotations

from upbit_async.payouts.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
