"""Withdrawals: their records, and the shelf on which they are found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Literal

import attrs

from upbit_async.sandbox.exchange.plan import Journey

__all__ = ["GIVEN_BACK", "STATES", "Search", "Withdrawal", "Withdrawals"]

STATES = ("WAITING", "PROCESSING", "DONE", "FAILED", "CANCELLED", "REJECTED")
"""The documented states; see https://global-docs.upbit.com/reference/get-withdrawal."""

GIVEN_BACK = frozenset({"FAILED", "CANCELLED", "REJECTED"})
"""The states in which the money is the account's again."""


@attrs.define(kw_only=True)
class Withdrawal:
    """One withdrawal as the exchange knows it, which is more than it tells.

    Attributes:
        uuid: Its id.
        currency: The currency's code.
        net_type: The network's identifier.
        amount: What was asked for.
        amount_text: The same as it was written in the request.
        fee: The fee.
        total: What it takes from the account.
        address: Where it goes; never told by the API.
        secondary_address: The memo that goes with it; never told by the API.
        transaction_type: ``default`` or ``internal``.
        state: The present state.
        created_at: When it was asked for (aware, UTC).
        done_at: When it ended, or ``None``.
        txid: The chain's id once it is known.
        money: Whether the money is held, left the exchange, or was given back.
        journey: How far it got on its plan.
    """

    uuid: str
    currency: str
    net_type: str
    amount: Decimal
    amount_text: str
    fee: Decimal
    total: Decimal
    address: str
    secondary_address: str | None
    transaction_type: str
    state: str
    created_at: datetime
    done_at: datetime | None = None
    txid: str | None = None
    money: Literal["held", "settled", "released"] = "held"
    journey: Journey

    @property
    def is_cancelable(self) -> bool:
        """Whether it may be cancelled right now."""
        return self.state in self.journey.plan.cancelable


@attrs.frozen(kw_only=True)
class Search:
    """What a listing asks for; see https://global-docs.upbit.com/reference/list-withdrawals.

    Attributes:
        currency: Only this currency.
        state: Only this state.
        uuids: Only these ids; empty means all.
        txids: Only these chain ids; empty means all.
        after: The id of a withdrawal: only those created after it (``from`` on the wire).
        before: The id of a withdrawal: only those created before it (``to`` on the wire).
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

    def wants(self, record: Withdrawal) -> bool:
        """Whether a record passes the filters (cursors aside)."""
        return (
            (self.currency is None or record.currency == self.currency)
            and (self.state is None or record.state == self.state)
            and (not self.uuids or record.uuid in self.uuids)
            and (not self.txids or record.txid in self.txids)
        )


class Withdrawals(Mapping[str, Withdrawal]):
    """All withdrawals by id, in the order in which they were created."""

    def __init__(self) -> None:
        self._records: dict[str, Withdrawal] = {}
        self._order: list[Withdrawal] = []
        self._places: dict[str, int] = {}

    def __getitem__(self, uuid: str) -> Withdrawal:
        """The live record; ``KeyError`` when there is none."""
        return self._records[uuid]

    def __iter__(self) -> Iterator[str]:
        """The ids, oldest first."""
        return iter(self._records)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._records)

    def add(self, record: Withdrawal) -> None:
        """Puts a new withdrawal behind all others."""
        self._places[record.uuid] = len(self._order)
        self._records[record.uuid] = record
        self._order.append(record)

    def search(self, wanted: Search, now: datetime, *, hidden_for: float = 0.0) -> list[Withdrawal]:
        """One page of what is asked for.

        Args:
            wanted: What is asked for; its cursors name withdrawals that exist.
            now: The present time.
            hidden_for: For how many seconds a new withdrawal does not show.
        """
        newest = now - timedelta(seconds=hidden_for)
        hits = (
            record
            for record in self._candidates(wanted)
            if wanted.wants(record) and record.created_at <= newest
        )
        start = (wanted.page - 1) * wanted.limit
        return list(islice(hits, start, start + wanted.limit))

    def _candidates(self, wanted: Search) -> Iterator[Withdrawal]:
        """Whatever the cursors leave, in the order asked for."""
        self_too = int(wanted.inclusive)
        first = 0 if wanted.after is None else self._places[wanted.after] + 1 - self_too
        end = len(self._order) if wanted.before is None else self._places[wanted.before] + self_too
        places: Sequence[int] = range(first, end)
        if wanted.uuids:  # a client that waits for a hundred of ten thousand asks often: look them up
            known = (self._places[uuid] for uuid in wanted.uuids if uuid in self._places)
            places = sorted(place for place in known if first <= place < end)
        return (self._order[place] for place in (places if wanted.ascending else reversed(places)))
