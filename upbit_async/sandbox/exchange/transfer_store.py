"""Store of the transfers of one kind, with search."""

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
        by_end: Whether what ended last is the newest; what has not ended comes last.
        undated_after: What was created after this has no date, and comes last.
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
    by_end: bool = False
    undated_after: datetime | None = None
    limit: int = 100
    page: int = 1

    def wants(self, record: TransferRecord) -> bool:
        """Whether a record passes the filters (cursors aside)."""
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
        """Whether a record has no date."""
        return self.undated_after is not None and record.created_at > self.undated_after

    def rank(self, record: TransferRecord) -> tuple[bool, bool, float]:
        """Where a record stands among others, where it is not by creation alone."""
        ended_at = record.done_at.timestamp() if self.by_end and record.done_at else 0.0
        has_not_ended = self.by_end and record.done_at is None
        return self.is_undated(record), has_not_ended, ended_at if self.ascending else -ended_at


class TransferStore(Mapping[str, T]):
    """All transfers of one kind by id, in the order in which they were created."""

    def __init__(self) -> None:
        self._records: dict[str, T] = {}
        self._in_any_case: dict[str, str] = {}
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
        self._in_any_case.setdefault(record.uuid.casefold(), record.uuid)
        self._order.append(record)

    def in_any_case(self, uuid: str) -> str:
        """Return the id that differs from this one in the case of letters only, or this one itself."""
        return self._in_any_case.get(uuid.casefold(), uuid)

    def search(self, wanted: Search, now: datetime, *, hidden_for: float = 0.0) -> list[T]:
        """One page of what is asked for.

        Args:
            wanted: What is asked for; its cursors name transfers that exist.
            now: The present time.
            hidden_for: For how many seconds a new transfer does not show.
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
        """Whatever the cursors leave, in the order asked for."""
        self_too = int(wanted.inclusive)
        first = 0 if wanted.after is None else self._places[wanted.after] + 1 - self_too
        end = len(self._order) if wanted.before is None else self._places[wanted.before] + self_too
        places: Sequence[int] = range(first, end)
        if wanted.uuids:  # a client that waits for a hundred of ten thousand asks often: look them up
            known = (self._places[uuid] for uuid in wanted.uuids if uuid in self._places)
            places = sorted(place for place in known if first <= place < end)
        return (self._order[place] for place in (places if wanted.ascending else reversed(places)))
