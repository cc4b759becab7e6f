"""Reader of Upbit's list of withdrawals, and the withdrawals in it that are new since a baseline.

The list is read newest first, page by page, until it reaches a mark or baselines that are known. Those behind them must
then be older. That is an assumption about Upbit's order, so it is checked: `created_at` must be present, and must not
rise by more than `TOLERANCE` from row to row. If the check fails, the list is read to its end, and what the list does
not show proves nothing.

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
from upbit_async.payouts.journal_time import Moment
from upbit_async.protocol.duplicates import by_id
from upbit_async.protocol.endpoint import PAGE_SIZE, Transport
from upbit_async.resources.readable import list_readable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


__all__ = [
    "LANDMARKS",
    "TOLERANCE",
    "Baseline",
    "Listing",
    "does_not_reach_back",
    "new_since",
    "provable_end",
    "reaches",
    "read_list",
    "unreadable_since",
]

_log = logger("upbit_async.payouts")

LANDMARKS: Final = 30
"""Number of withdrawals of the baseline that the list must show again, if the baseline has that many."""

TOLERANCE: Final = dt.timedelta(seconds=2)
"""Largest rise of `created_at` from row to row that still counts as newest first."""

_CONFIRMING_PAGES: Final = 20
"""Number of pages that are read on before payouts are called not sent."""


@attrs.frozen
class Baseline:
    """The account's newest withdrawals before a first copy of a payout.

    Attributes:
        uuids: The withdrawals in the payout's currency, newest first, by their ids in lower case.
        position: Position of the journal's newest change before the list was requested.
        requested_at: Journal time before the list was requested.
    """

    uuids: tuple[str, ...]
    position: int
    requested_at: Moment


@attrs.frozen
class Listing:
    """Part of Upbit's list of withdrawals, from the newest on.

    Attributes:
        rows: The withdrawals, in the list's order, each once.
        gap: Why withdrawals may be missing; empty if none can be.
        unreadable: An error for each row that can't be read. It may be of another currency.
        further: Withdrawals that were read behind `rows` to check the list's order.
        is_whole: Whether the list ends with `rows`.
    """

    rows: tuple[Withdrawal, ...]
    gap: str = ""
    unreadable: tuple[DecodeError, ...] = ()
    further: tuple[Withdrawal, ...] = ()
    is_whole: bool = False

    @property
    def uuids(self) -> tuple[str, ...]:
        """The ids of the withdrawals, in lower case, newest first; then those of rows that can't be read."""
        unreadable = (error.uuid.casefold() for error in self.unreadable if error.uuid)
        return (*(row.uuid.casefold() for row in self.rows), *unreadable)

    def newer_than(self, mark: str | None) -> tuple[Withdrawal, ...]:
        """Return the withdrawals before a mark; all if there is none, or if its row can't be read."""
        for number, row in enumerate(self.rows):
            if row.uuid.casefold() == mark:
                return self.rows[:number]
        return self.rows


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
    currency: str | None
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
        elif self._lowest is not None and row.created_at > self._lowest + TOLERANCE:
            self.gap = f"Upbit's list is not newest first (withdrawal {row.uuid} is out of order)"
        elif self._lowest is None or row.created_at < self._lowest:
            self._lowest = row.created_at

    async def read_until(self, reached: Callable[[_Page], bool]) -> None:
        """Read until a condition on a page holds, or to the list's end if it is out of order."""
        while not self.at_end:
            page = await self.page()
            if reached(page) and not self.gap:
                return

    async def read_on(self, pages: int) -> list[Withdrawal]:
        """Return the withdrawals on further pages."""
        found: list[Withdrawal] = []
        for _ in range(pages):
            if self.at_end:
                break
            found += (await self.page()).fresh
        return found

    def broken(self, what: str) -> DecodeError:
        return DecodeError(_broken(self.currency, what))

    def in_currency(self, rows: Collection[Withdrawal]) -> tuple[Withdrawal, ...]:
        """Return the rows without those in other currencies, which a list may contain by mistake."""
        if self.currency is None:
            return tuple(rows)
        wanted = self.currency.casefold()
        return tuple(row for row in rows if row.currency.casefold() == wanted)


async def read_list(
    transport: Transport,
    currency: str | None,
    *,
    mark: str | None = None,
    oldest: dt.datetime,
    baselines: Collection[Sequence[str]] = (),
    confirm: bool = False,
) -> Listing:
    """Return the newest withdrawals, back to a mark, or else to a time and to baselines.

    Pages are read to their end: a new withdrawal may come after old ones of the same second. A list that can be read
    also proves that the access key may read it, which is needed if an answer is lost.

    Args:
        transport: Transport that reads the list.
        currency: The currency's code; None for all currencies.
        mark: Withdrawal, by its id in lower case, that must be in the list. None to read back to a time.
        oldest: Time to read back to if there is no mark.
        baselines: Baselines to read back to if there is no mark; to the end of the list for one that is empty.
        confirm: Whether to read further pages, to find rows that the list does not sort by time.

    Raises:
        DecodeError: The list lacks the mark, or ends after a full page.
    """
    reader = _ListReader(transport, currency)
    landmarks = frozenset(uuid for baseline in baselines for uuid in baseline[:LANDMARKS])
    to_the_end = not all(baselines)

    def reached(page: _Page) -> bool:
        if mark is not None:
            return reader.has(mark)
        times = [row.created_at for row in page.fresh[-1:]]
        is_old = not page.is_full or all(time is not None and time < oldest for time in times)
        return is_old and not to_the_end and all(map(reader.has, landmarks))

    await reader.read_until(reached)
    if mark is not None and not reader.has(mark):
        raise reader.broken(
            f"lacks withdrawal {mark}, which it has shown before (as it does with another account's key)"
        )
    rows, is_whole = list(reader.rows.values()), reader.at_end
    further = await reader.read_on(_CONFIRMING_PAGES) if confirm else []
    unreadable = tuple(reader.unreadable.values())
    if unreadable:
        text = "Upbit's list of withdrawals in %s has %d rows that can't be read: %s"
        _log.warning(text, currency or "all currencies", len(unreadable), unreadable[0])
    return Listing(
        reader.in_currency(rows), reader.gap, unreadable, reader.in_currency(further), is_whole=is_whole
    )


# -- new since a baseline, pure ----------------------------------------------------------------------


def reaches(listing: Listing, baseline: Sequence[str]) -> bool:
    """Return whether a list shows everything that is new since a baseline.

    Raises:
        DecodeError: It lacks a withdrawal of the baseline that it would have to show, so it proves nothing.
    """
    seen = frozenset(listing.uuids)
    are_seen = [uuid in seen for uuid in baseline[:LANDMARKS]]
    if all(are_seen):
        return bool(are_seen) or listing.is_whole
    first_missing = are_seen.index(False)
    if listing.is_whole or any(are_seen[first_missing:]):
        raise does_not_reach_back()
    return False


def does_not_reach_back() -> DecodeError:
    """Return the error for a list that lacks withdrawals of a baseline."""
    return DecodeError(_broken(None, "does not reach back to the baseline, which it has shown before"))


def new_since(listing: Listing, baseline: Sequence[str]) -> Iterator[Withdrawal]:
    """Yield the withdrawals of a list that reaches a baseline and that may be new since then.

    A row behind the whole baseline is old if the baseline was not the whole list, and the row's time shows it.
    """
    old_uuids = frozenset(baseline)
    positions = [number for number, row in enumerate(listing.rows) if row.uuid.casefold() in old_uuids]
    end = positions[-1] if positions else len(listing.rows)
    times = [time for number in positions if (time := listing.rows[number].created_at) is not None]
    latest_old = min(times) + TOLERANCE if times else None

    def is_old(row: Withdrawal) -> bool:
        return latest_old is not None and row.created_at is not None and row.created_at <= latest_old

    for number, row in enumerate(listing.rows):
        is_behind = number > end and len(baseline) >= PAGE_SIZE
        if row.uuid.casefold() not in old_uuids and not (is_behind and is_old(row)):
            yield row
    yield from (row for row in listing.further if row.uuid.casefold() not in old_uuids and not is_old(row))


def unreadable_since(listing: Listing, baseline: Sequence[str]) -> tuple[DecodeError, ...]:
    """Return an error for each row of a list that can't be read and may be new since a baseline."""
    old_uuids = frozenset(baseline)
    return tuple(error for error in listing.unreadable if (error.uuid or "").casefold() not in old_uuids)


def provable_end(baseline: Sequence[str], times: Callable[[str], dt.datetime | None]) -> dt.datetime | None:
    """Return a time; withdrawals that were made before it are older than a baseline. None if no time proves that.

    Args:
        baseline: The baseline.
        times: Function that returns the time at which a withdrawal was made, by its id; None if that is not known.
    """
    if len(baseline) < PAGE_SIZE:  # it was the whole list, so nothing is older
        return None
    end = times(baseline[-1])
    return None if end is None else end - TOLERANCE


def _broken(currency: str | None, what: str) -> str:
    where = f" in {currency}" if currency is not None else ""
    return f"Upbit's list of withdrawals{where} {what}, so nothing follows from it; try again later"


def _id_of(row: Withdrawal) -> str:
    return row.uuid
