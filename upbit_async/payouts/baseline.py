"""Reading Upbit's list of withdrawals back to what was seen before, and whether that proves anything.

The list is read newest first, page by page, until it reaches withdrawals that are known. What stands behind them must
then be older. That is an assumption about Upbit's order, so it is checked: `created_at` must not rise by more than
`_TOLERANCE` from row to row, nor be missing. If it does, the list is read to its end, and nothing is concluded from
what it does not show.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import DecodeError
from upbit_async.models import Withdrawal
from upbit_async.resources.paging import PAGE
from upbit_async.resources.withdraws import Withdraws

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Listing", "back_to_mark", "since_baseline"]

_LANDMARKS: Final = 30
"""How many withdrawals of the baseline must be seen again, if it has that many."""
_TOLERANCE: Final = dt.timedelta(seconds=2)
_CONFIRMING_PAGES: Final = 20
"""How far the list is read behind the landmarks, in pages, before a payout is called not sent."""


@attrs.frozen
class Listing:
    """What was read of Upbit's list in one currency.

    Attributes:
        rows: The withdrawals in that currency, in the list's order, each once.
        gap: Why withdrawals may be missing from it; empty if none can be.
    """

    rows: tuple[Withdrawal, ...]
    gap: str = ""

    @property
    def uuids(self) -> tuple[str, ...]:
        """Their ids, in lower case."""
        return tuple(row.uuid.casefold() for row in self.rows)


@attrs.define(eq=False)
class _Reader:
    """Reads page after page."""

    withdraws: Withdraws
    currency: str
    rows: dict[str, Withdrawal] = attrs.field(factory=dict[str, Withdrawal])
    gap: str = ""
    at_end: bool = False
    _cursor: str | None = None
    _lowest: dt.datetime | None = None

    async def page(self) -> Sequence[Withdrawal]:
        """Read one more page and return what is new in it.

        Raises:
            DecodeError: The list does not go on, although its last page was full.
        """
        page = await self.withdraws.list(currency=self.currency, to=self._cursor)
        fresh = {row.uuid.casefold(): row for row in page if row.uuid.casefold() not in self.rows}
        self.rows |= fresh
        for row in fresh.values():
            self._check_order(row)
        if not fresh:
            self.at_end = True
            if len(page) >= PAGE:
                raise self.broken("does not go on behind its last page")
        else:
            self._cursor = page[-1].uuid
        return list(fresh.values())

    def _check_order(self, row: Withdrawal) -> None:
        if row.created_at is None:
            self.gap = f"Upbit's list shows withdrawal {row.uuid} without created_at"
        elif self._lowest is not None and row.created_at > self._lowest + _TOLERANCE:
            self.gap = f"Upbit's list is not newest first (withdrawal {row.uuid} is out of order)"
        elif self._lowest is None or row.created_at < self._lowest:
            self._lowest = row.created_at

    async def read_until(self, reached: Callable[[Sequence[Withdrawal]], bool]) -> None:
        """Read until a condition on a page's new rows holds; to the list's end, if it is out of order."""
        while not self.at_end:
            fresh = await self.page()
            if reached(fresh) and not self.gap:
                return

    def broken(self, what: str) -> DecodeError:
        return DecodeError(
            f"Upbit's list of withdrawals in {self.currency} {what}, so nothing follows from what it shows; "
            "try again later"
        )

    def listing(self, rows: Sequence[Withdrawal] | None = None) -> Listing:
        """Return what was read, without rows in other currencies, which a list may hold by mistake."""
        chosen = self.rows.values() if rows is None else rows
        wanted = self.currency.casefold()
        return Listing(tuple(row for row in chosen if row.currency.casefold() == wanted), self.gap)


async def back_to_mark(withdraws: Withdraws, currency: str, mark: str | None, oldest: dt.datetime) -> Listing:
    """Return the newest withdrawals in a currency, back to a mark, or else to a time.

    That they can be read also proves that the key may read them, which is needed if an answer is lost.

    Args:
        withdraws: Reads the list.
        currency: The currency's code.
        mark: A withdrawal, by its id in lower case, that must be in the list. What stands behind it is not returned
            unless it is on the same page; None to read back to a time.
        oldest: How far to read back without a mark.

    Raises:
        DecodeError: The list lacks the mark, or does not go on.
    """
    reader = _Reader(withdraws, currency)

    def reached(fresh: Sequence[Withdrawal]) -> bool:
        if mark is not None:
            return mark in reader.rows
        times = [row.created_at for row in fresh[-1:]]
        return len(fresh) < PAGE or all(time is not None and time < oldest for time in times)

    await reader.read_until(reached)
    if mark is not None and mark not in reader.rows:
        raise reader.broken(
            f"lacks withdrawal {mark}, which it has shown before (is this the key of another account?)"
        )
    return reader.listing()


async def since_baseline(
    withdraws: Withdraws, currency: str, baseline: Sequence[str], *, confirm: bool = False
) -> Listing:
    """Return all withdrawals in a currency that are new since a baseline was taken.

    Pages are read to their end: a new withdrawal may stand behind old ones of the same second.

    Args:
        withdraws: Reads the list.
        currency: The currency's code.
        baseline: The newest withdrawals of that time, newest first, by their ids in lower case.
        confirm: Whether to read on behind the landmarks, to find rows that the list does not sort by time.

    Raises:
        DecodeError: The list does not reach back to the baseline, so it does not show that anything is missing.
    """
    reader = _Reader(withdraws, currency)
    landmarks = frozenset(baseline[:_LANDMARKS])
    await reader.read_until(lambda _: bool(landmarks) and landmarks <= reader.rows.keys())
    if not landmarks <= reader.rows.keys():
        raise reader.broken("does not reach back to what it has shown before")
    known = frozenset(baseline)
    new = [row for uuid, row in reader.rows.items() if uuid not in known]
    if confirm and not reader.at_end:
        new += await _unsorted_behind(reader, known, new)
    return reader.listing(new)


async def _unsorted_behind(
    reader: _Reader, known: frozenset[str], new: Sequence[Withdrawal]
) -> list[Withdrawal]:
    """Read on, and return the rows that are not provably older than the oldest landmark."""
    times = [row.created_at for uuid, row in reader.rows.items() if uuid in known and row.created_at]
    oldest = min(times, default=None)
    already = {row.uuid for row in new}
    found: list[Withdrawal] = []
    for _ in range(_CONFIRMING_PAGES):
        if reader.at_end:
            break
        for row in await reader.page():
            is_old = (
                row.created_at is not None and oldest is not None and row.created_at <= oldest + _TOLERANCE
            )
            if row.uuid.casefold() not in known and row.uuid not in already and not is_old:
                found.append(row)
    return found
