"""Progress of a transfer: changes of state from successive records. Pure.

The rules:

- Each state is told once, in the order in which it was seen; the same state again is no change.
- A state that lies on the road between two others and was never seen makes the later change ``skipped``.
  A withdrawal's road is ``WAITING``, ``PROCESSING``, then ``DONE`` or ``FAILED``. A deposit's is
  ``PROCESSING`` (beside it ``TRAVEL_RULE_SUSPECTED``), then ``ACCEPTED``, or ``REFUNDING`` and ``REFUNDED``.
  Any transfer can be cancelled or rejected from anywhere, so those two skip nothing.
- Whatever is seen first skips nothing: nobody was there to miss anything.
- A state that lies further back is told like any other.
- A state that this library has not heard of is told, is not final and has no place on the road.
- After a final state nothing is told any more.
"""

from __future__ import annotations

import datetime as dt
from typing import Generic, Protocol, TypeAlias, TypeVar

import attrs

from upbit_async.models import DepositState, WithdrawalState

__all__ = ["Progress", "StateChange", "Transfer", "TransferState", "goes_back"]

TransferState: TypeAlias = WithdrawalState | DepositState
"""How far a transfer is."""

_ROAD = {
    "WAITING": 0,
    "PROCESSING": 1,
    "TRAVEL_RULE_SUSPECTED": 1,
    "DONE": 2,
    "FAILED": 2,
    "ACCEPTED": 2,
    "REFUNDING": 2,
    "REFUNDED": 3,
}


class Transfer(Protocol):
    """What withdrawals and deposits have in common."""

    @property
    def uuid(self) -> str:
        """The transfer's id."""
        ...

    @property
    def state(self) -> TransferState:
        """How far it is."""
        ...


R = TypeVar("R", bound=Transfer)


@attrs.frozen(kw_only=True)
class StateChange(Generic[R]):
    """A transfer is in another state than before.

    Attributes:
        previous: The state before, or None at first sight.
        state: The state now.
        record: The transfer as it was seen.
        skipped: Whether states that lie between the two were never seen.
        at: When this was seen, UTC, by this machine's clock.
    """

    previous: TransferState | None
    state: TransferState
    record: R
    skipped: bool
    at: dt.datetime


def goes_back(change: StateChange[R]) -> bool:
    """Whether a change leads to a state that lies before the previous one."""
    if change.previous is None:
        return False
    before, after = _ROAD.get(change.previous.value), _ROAD.get(change.state.value)
    return before is not None and after is not None and after < before


class Progress(Generic[R]):
    """One transfer's way through its states."""

    __slots__ = ("_place", "_state")

    def __init__(self) -> None:
        self._state: TransferState | None = None
        self._place: int | None = None

    def feed(self, record: R, at: dt.datetime) -> StateChange[R] | None:
        """Record what was seen `at` a moment; return the change, if it is one."""
        previous, state = self._state, record.state
        if previous is not None and (previous.is_final or previous.value == state.value):
            return None
        place = _ROAD.get(state.value)
        skipped = place is not None and self._place is not None and place > self._place + 1
        self._state = state
        self._place = self._place if place is None else place
        return StateChange(previous=previous, state=state, record=record, skipped=skipped, at=at)
