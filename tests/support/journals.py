"""Journals for tests in virtual time, which no thread may hold up, and that break on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio.lowlevel

from upbit_async.payouts import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["InlineJournal"]

T = TypeVar("T")


class InlineJournal(SqliteJournal):
    """Works in the event loop itself, a step before and a step after being left for others.

    Attributes:
        before: Called before each piece of work with its name; what it raises happens instead of the work.
        after: Called after each, when the work is done.
    """

    before: Callable[[str], None] | None = None
    after: Callable[[str], None] | None = None

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        await anyio.lowlevel.checkpoint()
        if self.before is not None:
            self.before(work.__name__)
        result = work(*arguments)
        if self.after is not None:
            self.after(work.__name__)
        await anyio.lowlevel.checkpoint()
        return result
