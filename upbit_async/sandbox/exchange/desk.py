"""A desk of the exchange: it keeps the transfers of one kind and moves each along its plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.shelf import Search, Shelf
from upbit_async.sandbox.exchange.transfers import Transfer

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.plan import Way
    from upbit_async.sandbox.exchange.shared import Shared
    from upbit_async.sandbox.knobs import Named

__all__ = ["Desk"]

T = TypeVar("T", bound=Transfer)


class Desk(ABC, Generic[T]):
    """What the desks for withdrawals and for deposits have in common.

    Args:
        shared: What it shares with the other desks.

    Attributes:
        states: The documented states of its transfers.
        usual: How they usually go.
        not_found: Refusal where there is no such transfer.
        records: The transfers.
    """

    states: ClassVar[tuple[str, ...]]
    usual: ClassVar[Way]
    not_found: ClassVar[Named]

    def __init__(self, shared: Shared) -> None:
        self.records: Shelf[T] = Shelf()
        self._shared = shared

    def id_of(self, uuid: str) -> str:
        """Return the id under which the transfer is kept that a client names; by knob in any case of letters."""
        return self.records.in_any_case(uuid) if self._shared.knobs.uuids == "any case" else uuid

    def find(self, uuid: str, now: datetime) -> T:
        """The transfer with an id.

        Raises:
            Refusal: There is none, or it does not show yet.
        """
        return self.find_first(Search(uuids=frozenset({uuid}), limit=1), now)

    def find_first(self, wanted: Search, now: datetime) -> T:
        """The first transfer that a search finds.

        Raises:
            Refusal: There is none, or it does not show yet.
        """
        found = self.records.search(wanted, now, hidden_for=self._shared.knobs.get_delay)
        if not found:
            raise Refusal(self.not_found)
        return found[0]

    def look_at(self, record: T, now: datetime) -> None:
        """Notes that a record was shown to the client, which may move it on."""
        if record.journey.look():
            self._step(record, now)

    def advance(self, uuid: str, state: str, now: datetime) -> T:
        """Puts a transfer into a state by hand, off its plan; ``KeyError`` when there is none."""
        record = self.records[uuid]
        record.journey.abandon()
        self._enter(record, state, now)
        return record

    def _set_out(self, record: T, at: datetime) -> None:
        """Starts a record on its journey."""
        self._enter(record, record.journey.first, at)  # a plan may begin at the end
        self._schedule(record)

    def _step(self, record: T, at: datetime) -> None:
        self._enter(record, record.journey.take_step(at).state, at)
        self._schedule(record)

    def _schedule(self, record: T) -> None:
        self._shared.timetable.put(record.journey, lambda due_at: self._step(record, due_at))

    def _enter(self, record: T, state: str, at: datetime) -> None:
        record.state = state
        self._follow_up(record, at)

    @abstractmethod
    def _follow_up(self, record: T, at: datetime) -> None:
        """Does what the state brings with it that a record has just entered: times, ids, money."""
