"""Reader of Upbit's list of withdrawals, back to a baseline or a mark, with a check whether the list is complete.

The list is read newest first, page by page, until it reaches withdrawals that are known. Those behind them must then
be older. That is an assumption about Upbit's order, so it is checked: `created_at` must be present, and must not rise
by more than `_TOLERANCE` from row to row. If the check fails, the list is read to its end, and what the list does not
show proves nothing.

A row that can't be read may be any withdrawal. It is reported in `Listing.unreadable`, and the other rows are read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import DecodeError
from upbit_async.logs import logger
from upbit_async.models import Withdrawal
from upbit_async.protocol.duplicates import by_id
from upbit_async.protocol.endpoint import PAGE_SIZE, Transport
from upbit_async.resources.readable import list_readable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


__all__ = ["Listing", "back_to_mark", "since_baseline"]

_log = logger("upbit_async.payouts")

_LANDMARKS: Final = 30
"""Number of withdrawals of the baseline that the list must show again, if the baseline has that many."""

_TOLERANCE: Final = dt.timedelta(seconds=2)
"""Largest rise of `created_at` from row to row that still counts as newest first."""

_CONFIRMING_PAGES: Final = 20
"""Number of pages that are read behind the landmarks before a payout is called not sent."""


@attrs.frozen
class Listing:
    """Part of Upbit's list of withdrawals in one currency.

    Attributes:
        rows: The withdrawals in that currency, in the list's order, each once.
        gap: Why withdrawals may be missing; empty if none can be.
        unreadable: An error for each row that can't be read and may be new. It may be of another currency.
    """

    rows: tuple[Withdrawal, ...]
    gap: str = ""
    unreadable: tuple[DecodeError, ...] = ()

    @property
    def uuids(self) -> tuple[str, ...]:
        """The ids of the withdrawals, in lower case, newest first; then those of rows that can't be read."""
        unreadable = (error.uuid.casefold() for error in self.unreadable if error.uuid)
        return (*(row.uuid.casefold() for row in self.rows), *unreadable)


@attrs.frozen
class _Page:
    """New rows of one page.

    Attributes:
        fresh: The withdrawals that no earlier page had.
        is_full: Whether the list may continue after it.
    """

    fresh: Sequence[Withdrawal]
    is_full: bool


@attrs.define(eq=False)
class _ListReader:
    """Reader of the list, page by page."""

    transport: Transport
    currency: str
    rows: dict[str, Withdrawal] = attrs.field(factory=dict[str, Withdrawal])
    unreadable: dict[str, DecodeError] = attrs.field(factory=dict[str, DecodeError])
    gap: str = ""
    at_end: bool = False
    _cursor: str | None = None
    _lowest: dt.datetime | None = None

    async def page(self) -> _Page:
        """Read one more page.

        Raises:
            DecodeError: The list does not continue, although its last page was full.
        """
        page = await list_readable(self.transport, currency=self.currency, to=self._cursor)
        fresh = {uuid: row for uuid, row in by_id(page.rows, _id_of).items() if uuid not in self.rows}
        self.rows |= fresh
        self.unreadable |= {(error.uuid or str(error)).casefold(): error for error in page.unreadable}
        for row in fresh.values():
            self._check_order(row)
        is_full = len(page.rows) + len(page.unreadable) >= PAGE_SIZE
        if fresh:
            self._cursor = page.rows[-1].uuid
        else:
            self.at_end = True
            if is_full:
                raise self.broken("does not continue after a full page")
        return _Page(list(fresh.values()), is_full)

    def has(self, uuid: str) -> bool:
        """Return whether a withdrawal, by its id in lower case, was read."""
        return uuid in self.rows or uuid in self.unreadable

    def _check_order(self, row: Withdrawal) -> None:
        if row.created_at is None:
            self.gap = f"Upbit's list shows withdrawal {row.uuid} without created_at"
        elif self._lowest is not None and row.created_at > self._lowest + _TOLERANCE:
            self.gap = f"Upbit's list is not newest first (withdrawal {row.uuid} is out of order)"
        elif self._lowest is None or row.created_at < self._lowest:
            self._lowest = row.created_at

    async def read_until(self, reached: Callable[[_Page], bool]) -> None:
        """Read until a condition on a page holds, or to the list's end if it is out of order."""
        while not self.at_end:
            page = await self.page()
            if reached(page) and not self.gap:
                return

    def broken(self, what: str) -> DecodeError:
        return DecodeError(
            f"Upbit's list of withdrawals in {self.currency} {what}, so nothing follows from it; try again later"
        )

    def listing(self, rows: Sequence[Withdrawal] | None = None, old_uuids: Collection[str] = ()) -> Listing:
        """Return the rows that were read, without those in other currencies that a list may contain by mistake.

        Args:
            rows: The rows to return; None for all.
            old_uuids: Withdrawals of the baseline, by their ids in lower case, that are not reported as unreadable.
        """
        chosen = self.rows.values() if rows is None else rows
        wanted = self.currency.casefold()
        unreadable = tuple(error for uuid, error in self.unreadable.items() if uuid not in old_uuids)
        if unreadable:
            text = "Upbit's list of withdrawals in %s has %d rows that can't be read: %s"
            _log.warning(text, self.currency, len(unreadable), unreadable[0])
        return Listing(
            tuple(row for row in chosen if row.currency.casefold() == wanted), self.gap, unreadable
        )


async def back_to_mark(transport: Transport, currency: str, mark: str | None, oldest: dt.datetime) -> Listing:
    """Return the newest withdrawals in a currency, back to a mark, or else to a time.

    A list that can be read also proves that the access key may read it, which is needed if an answer is lost.

    Args:
        transport: Transport that reads the list.
        currency: The currency's code.
        mark: Withdrawal, by its id in lower case, that must be in the list. Older ones are returned only if they are
            on the same page. None to read back to a time.
        oldest: Time to read back to if there is no mark.

    Raises:
        DecodeError: The list lacks the mark, or ends after a full page.
    """
    reader = _ListReader(transport, currency)

    def reached(page: _Page) -> bool:
        if mark is not None:
            return reader.has(mark)
        times = [row.created_at for row in page.fresh[-1:]]
        return not page.is_full or all(time is not None and time < oldest for time in times)

    await reader.read_until(reached)
    if mark is not None and not reader.has(mark):
        raise reader.broken(
            f"lacks withdrawal {mark}, which it has shown before (as it does with another account's key)"
        )
    return reader.listing()


async def since_baseline(
    transport: Transport, currency: str, baseline: Sequence[str], *, confirm: bool = False
) -> Listing:
    """Return all withdrawals in a currency that are new since a baseline was taken.

    Pages are read to their end: a new withdrawal may come after old ones of the same second.

    Args:
        transport: Transport that reads the list.
        currency: The currency's code.
        baseline: The newest withdrawals of that time, newest first, by their ids in lower case.
        confirm: Whether to read on after the landmarks, to find rows that the list does not sort by time.

    Raises:
        DecodeError: The list does not reach back to the baseline, so it does not show that anything is missing.
    """
    reader = _ListReader(transport, currency)
    landmarks = frozenset(baseline[:_LANDMARKS])
    await reader.read_until(lambda _: bool(landmarks) and all(map(reader.has, landmarks)))
    if not all(map(reader.has, landmarks)):
        raise reader.broken("does not reach back to the baseline, which it has shown before")
    old_uuids = frozenset(baseline)
    new = [row for uuid, row in reader.rows.items() if uuid not in old_uuids]
    if confirm and not reader.at_end:
        new += await _unsorted_after(reader, old_uuids, new)
    return reader.listing(new, old_uuids)


async def _unsorted_after(
    reader: _ListReader, old_uuids: frozenset[str], new: Sequence[Withdrawal]
) -> list[Withdrawal]:
    """Read on, and return the rows that are not provably older than the oldest landmark."""
    times = [row.created_at for uuid, row in reader.rows.items() if uuid in old_uuids and row.created_at]
    oldest = min(times, default=None)
    already = {row.uuid for row in new}
    found: list[Withdrawal] = []
    for _ in range(_CONFIRMING_PAGES):
        if reader.at_end:
            break
        for row in (await reader.page()).fresh:
            is_old = (
                row.created_at is not None and oldest is not None and row.created_at <= oldest + _TOLERANCE
            )
            if row.uuid.casefold() not in old_uuids and row.uuid not in already and not is_old:
                found.append(row)
    return found


def _id_of(row: Withdrawal) -> str:
    return row.uuid
