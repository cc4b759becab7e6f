"""The shelf on which transfers of one kind are found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import attrs

from upbit_async.sandbox.exchange.transfers import Transfer

__all__ = ["Search", "Shelf"]

T = TypeVar("T", bound=Transfer)


@attrs.frozen(kw_only=True)
class Search:
    """What a listing asks for.

    See https://global-docs.upbit.com/reference/list-withdrawals and
    https://global-docs.upbit.com/reference/list-deposits.

    Attributes:
        currency: Only this currency.
        state: Only this state.
        uuids: Only these ids; empty means all.
        txids: Only these ids of chains or banks; empty means all.
        after: The id of a transfer: only those created after it (``from`` on the wire).
        before: The id of a transfer: only those created before it (``to`` on the wire).
        inclusive: Whether these two count themselves.
        ascending: Oldest first.
        limit: How many a page holds.
        page: Which page, from 1.
    """

    currency: str | None = None
    state: str | None = None
    uuids: frozenset[str] = frozenset()
    txids: frozenset[str] = frozenset()
    after: str | None = None
    before: str | None = None
    inclusive: bool = False
    ascending: bool = False
    limit: int = 100
    page: int = 1

    def wants(self, record: Transfer) -> bool:
        """Whether a record passes the filters (cursors aside)."""
        return (
            (self.currency is None or record.currency == self.currency)
            and (self.state is None or record.state == self.state)
            and (not self.uuids or record.uuid in self.uuids)
            and (not self.txids or record.txid in self.txids)
        )


class Shelf(Mapping[str, T]):
    """All transfers of one kind by id, in the order in which they were created."""

    def __init__(self) -> None:
        self._records: dict[str, T] = {}
        self._order: list[T] = []
        self._places: dict[str, int] = {}

    def __getitem__(self, uuid: str) -> T:
        """The live record; ``KeyError`` when there is none."""
        return self._records[uuid]

    def __iter__(self) -> Iterator[str]:
        """The ids, oldest first."""
        return iter(self._records)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._records)

    def add(self, record: T) -> None:
        """Puts a new transfer behind all others."""
        self._places[record.uuid] = len(self._order)
        self._records[record.uuid] = record
        self._order.append(record)

    def search(self, wanted: Search, now: datetime, *, hidden_for: float = 0.0) -> list[T]:
        """One page of what is asked for.

        Args:
            wanted: What is asked for; its cursors name transfers that exist.
            now: The present time.
            hidden_for: For how many seconds a new transfer does not show.
        """
        newest = now - timedelta(seconds=hidden_for)
        hits = (
            record
            for record in self._candidates(wanted)
            if wanted.wants(record) and record.created_at <= newest
        )
        start = (wanted.page - 1) * wanted.limit
        return list(islice(hits, start, start + wanted.limit))

    def _candidates(self, wanted: Search) -> Iterator[T]:
        """Whatever the cursors leave, in the order asked for."""
        self_too = int(wanted.inclusive)
        first = 0 if wanted.after is None else self._places[wanted.after] + 1 - self_too
        end = len(self._order) if wanted.before is None else self._places[wanted.before] + self_too
        places: Sequence[int] = range(first, end)
        if wanted.uuids:  # a client that waits for a hundred of ten thousand asks often: look them up
            known = (self._places[uuid] for uuid in wanted.uuids if uuid in self._places)
            places = sorted(place for place in known if first <= place < end)
        return (self._order[place] for place in (places if wanted.ascending else reversed(places)))
