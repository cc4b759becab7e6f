"""Base of the two services that keep transfers and apply their transitions."""

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
        transitions: Transitions of new transfers.

    Attributes:
        states: Documented states of these transfers.
        usual_states: States that a transfer usually has.
        not_found: Refusal of an unknown transfer.
        records: All transfers of this kind.
        transitions: Transitions of new transfers; existing transfers keep theirs.
    """

    states: ClassVar[tuple[str, ...]]
    usual_states: ClassVar[StateSequence]
    not_found: ClassVar[ErrorSpec]

    def __init__(self, state: ExchangeState, transitions: Transitions) -> None:
        self.records: TransferStore[T] = TransferStore()
        self.transitions = transitions
        self._state = state

    def id_of(self, uuid: str) -> str:
        """Return the stored spelling of a client's id; ``Knobs.uuids`` decides whether case matters."""
        return self.records.in_any_case(uuid) if self._state.knobs.uuids == "any case" else uuid

    def find(self, uuid: str, now: datetime) -> T:
        """Return the transfer with an id.

        Raises:
            Refusal: There is none, or it is not visible yet.
        """
        return self.find_first(Search(uuids=frozenset({uuid}), limit=1), now)

    def find_first(self, wanted: Search, now: datetime) -> T:
        """Return the first result of a search.

        Raises:
            Refusal: There is none, or it is not visible yet.
        """
        found = self.records.search(wanted, now, hidden_for=self._state.knobs.get_delay)
        if not found:
            raise Refusal(self.not_found)
        return found[0]

    def read(self, record: T, now: datetime) -> None:
        """Count a read of a record by a client, and apply its next transition if that makes it due."""
        if record.progress.count_read():
            self._apply_next(record, now)

    def set_state(self, uuid: str, state: str, now: datetime) -> T:
        """Put a transfer into a state and cancel its transitions; ``KeyError`` if there is none."""
        record = self.records[uuid]
        record.progress.cancel()
        self._enter(record, state, now)
        return record

    def _start(self, record: T, at: datetime) -> None:
        """Apply the effects of a new record's first state, and schedule its first transition."""
        self._enter(record, record.progress.first, at)  # the first state may also be the last
        self._schedule(record)

    def _apply_next(self, record: T, at: datetime) -> None:
        self._enter(record, record.progress.apply_next(at).state, at)
        self._schedule(record)

    def _schedule(self, record: T) -> None:
        self._state.transition_queue.add(record.progress, lambda due_at: self._apply_next(record, due_at))

    def _enter(self, record: T, state: str, at: datetime) -> None:
        record.state = state
        self._apply_effects(record, at)

    @abstractmethod
    def _apply_effects(self, record: T, at: datetime) -> None:
        """Apply the effects of the state that a record has just entered: times, ids, money."""
