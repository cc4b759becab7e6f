"""A journal for tests in virtual time: it works in the event loop, and can fail on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio.lowlevel

from upbit_async.payouts import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.payouts import Payout, Payouts

__all__ = ["InlineJournal", "open_payouts"]

T = TypeVar("T")


class InlineJournal(SqliteJournal):
    """A journal that works in the event loop itself, with a checkpoint before and after each operation.

    Attributes:
        before: Hook before each operation, called with its name; what it raises replaces the operation.
        after: Hook after each operation.
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


async def open_payouts(payouts: Payouts) -> list[Payout]:
    """Return the payouts that still need an action, oldest first."""
    return [payout for payout in reversed(await payouts.list(limit=1000)) if payout.is_open]
