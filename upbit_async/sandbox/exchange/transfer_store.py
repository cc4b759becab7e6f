"""In-memory store of the transfers of one kind, with search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import attrs

from upbit_async.sandbox.exchange.transfers import TransferRecord

__all__ = ["Search", "TransferStore"]

T = TypeVar("T", bound=TransferRecord)


@attrs.frozen(kw_only=True)
class Search:
    """Filters, cursors, order and page of a listing.

    See https://global-docs.upbit.com/reference/list-withdrawals and
    https://global-docs.upbit.com/reference/list-deposits.

    Attributes:
        currency: Currency to include; ``None`` for all.
        state: State to include; ``None`` for all.
        uuids: Ids to include; empty for all.
        txids: Ids of chains or banks to include; empty for all.
        after: Id of a transfer; only later ones are included (``from`` in the query).
        before: Id of a transfer; only earlier ones are included (``to`` in the query).
        inclusive: Whether ``after`` and ``before`` include the transfer that they name.
        ascending: Whether the oldest comes first.
        by_end: Whether to sort by ``done_at``; transfers without one come last.
        undated_after: Time of creation after which a transfer has no date and comes last.
        limit: Rows per page.
        page: Number of the page, from 1.
    """

    currency: str | None = None
    state: str | None = None
    uuids: frozenset[str] = frozenset()
    txids: frozenset[str] = frozenset()
    after: str | None = None
    before: str | None = None
    inclusive: bool = False
    ascending: bool = False
    by_end: bool = False
    undated_after: datetime | None = None
    limit: int = 100
    page: int = 1

    def wants(self, record: TransferRecord) -> bool:
        """Return whether a record passes the filters (cursors aside)."""
        return (
            (self.currency is None or record.currency == self.currency)
            and (self.state is None or record.state == self.state)
            and (not self.uuids or record.uuid in self.uuids)
            and (not self.txids or record.txid in self.txids)
        )

    @property
    def is_filtered(self) -> bool:
        """Whether there is any filter (cursors aside)."""
        return bool(self.currency or self.state or self.uuids or self.txids)

    def is_undated(self, record: TransferRecord) -> bool:
        """Return whether a record has no date in this listing."""
        return self.undated_after is not None and record.created_at > self.undated_after

    def rank(self, record: TransferRecord) -> tuple[bool, bool, float]:
        """Return the sort key of a record, for listings that are not sorted by creation alone."""
        ended_at = record.done_at.timestamp() if self.by_end and record.done_at else 0.0
        has_not_ended = self.by_end and record.done_at is None
        return self.is_undated(record), has_not_ended, ended_at if self.ascending else -ended_at


class TransferStore(Mapping[str, T]):
    """All transfers of one kind by id, oldest first."""

    def __init__(self) -> None:
        self._records: dict[str, T] = {}
        self._in_any_case: dict[str, str] = {}
        self._order: list[T] = []
        self._positions: dict[str, int] = {}

    def __getitem__(self, uuid: str) -> T:
        """Return the live record; ``KeyError`` if there is none."""
        return self._records[uuid]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids, oldest first."""
        return iter(self._records)

    def __len__(self) -> int:
        """Return the number of transfers."""
        return len(self._records)

    def add(self, record: T) -> None:
        """Add a new transfer as the latest one."""
        self._positions[record.uuid] = len(self._order)
        self._records[record.uuid] = record
        self._in_any_case.setdefault(record.uuid.casefold(), record.uuid)
        self._order.append(record)

    def in_any_case(self, uuid: str) -> str:
        """Return the stored id that equals this one regardless of case, or this one if there is none."""
        return self._in_any_case.get(uuid.casefold(), uuid)

    def search(self, wanted: Search, now: datetime, *, hidden_for: float = 0.0) -> list[T]:
        """Return one page of results.

        Args:
            wanted: What to search for; its cursors must name existing transfers.
            now: Current time.
            hidden_for: Seconds for which a new transfer is not visible.
        """
        newest = now - timedelta(seconds=hidden_for)
        hits: Iterator[T] = (
            record
            for record in self._candidates(wanted)
            if wanted.wants(record) and record.created_at <= newest
        )
        if wanted.by_end or wanted.undated_after is not None:
            hits = iter(sorted(hits, key=wanted.rank))
        start = (wanted.page - 1) * wanted.limit
        return list(islice(hits, start, start + wanted.limit))

    def _candidates(self, wanted: Search) -> Iterator[T]:
        """Return the transfers between the cursors, in the requested order."""
        including = int(wanted.inclusive)
        first = 0 if wanted.after is None else self._positions[wanted.after] + 1 - including
        end = len(self._order) if wanted.before is None else self._positions[wanted.before] + including
        positions: Sequence[int] = range(first, end)
        if wanted.uuids:  # clients poll a hundred of ten thousand: look these up instead of scanning all
            known = (self._positions[uuid] for uuid in wanted.uuids if uuid in self._positions)
            positions = sorted(position for position in known if first <= position < end)
        return (self._order[each] for each in (positions if wanted.ascending else reversed(positions)))
