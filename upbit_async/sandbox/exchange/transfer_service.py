"""Base of the services that keep the transfers of one kind and move each through its transitions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.transfer_store import Search, TransferStore
from upbit_async.sandbox.exchange.transfers import TransferRecord

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.state import ExchangeState
    from upbit_async.sandbox.exchange.transitions import StateSequence, Transitions
    from upbit_async.sandbox.knobs import ErrorSpec

__all__ = ["TransferService"]

T = TypeVar("T", bound=TransferRecord)


class TransferService(ABC, Generic[T]):
    """Base of the services for withdrawals and for deposits.

    Args:
        state: State that all services share.
        transitions: How new transfers progress.

    Attributes:
        states: The documented states of its transfers.
        usual_states: The states that a transfer usually passes through.
        not_found: Refusal where there is no such transfer.
        records: The transfers.
        transitions: How new transfers progress; those under way keep theirs.
    """

    states: ClassVar[tuple[str, ...]]
    usual_states: ClassVar[StateSequence]
    not_found: ClassVar[ErrorSpec]

    def __init__(self, state: ExchangeState, transitions: Transitions) -> None:
        self.records: TransferStore[T] = TransferStore()
        self.transitions = transitions
        self._state = state

    def id_of(self, uuid: str) -> str:
        """Return the id under which the transfer is kept that a client names; by knob in any case of letters."""
        return self.records.in_any_case(uuid) if self._state.knobs.uuids == "any case" else uuid

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
        found = self.records.search(wanted, now, hidden_for=self._state.knobs.get_delay)
        if not found:
            raise Refusal(self.not_found)
        return found[0]

    def read(self, record: T, now: datetime) -> None:
        """Count a read of a record by the client, which may move it on."""
        if record.progress.count_read():
            self._advance(record, now)

    def set_state(self, uuid: str, state: str, now: datetime) -> T:
        """Put a transfer into a state and end its transitions; ``KeyError`` when there is none."""
        record = self.records[uuid]
        record.progress.abandon()
        self._enter(record, state, now)
        return record

    def _start(self, record: T, at: datetime) -> None:
        """Put a new record into its first state."""
        self._enter(record, record.progress.first, at)  # which may be the last
        self._schedule(record)

    def _advance(self, record: T, at: datetime) -> None:
        self._enter(record, record.progress.take(at).state, at)
        self._schedule(record)

    def _schedule(self, record: T) -> None:
        self._state.transition_queue.add(record.progress, lambda due_at: self._advance(record, due_at))

    def _enter(self, record: T, state: str, at: datetime) -> None:
        record.state = state
        self._follow_up(record, at)

    @abstractmethod
    def _follow_up(self, record: T, at: datetime) -> None:
        """Apply what the state brings with it that a record has just entered: times, ids, money."""
