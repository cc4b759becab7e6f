"""Progress of a transfer: state changes from successive records. Pure.

The rules:

- Each change of state is reported once, in the order in which the records were received.
- A change is marked ``skipped`` if a state between the previous and the new one was missed. A withdrawal passes
  ``WAITING``, ``PROCESSING``, then ``DONE`` or ``FAILED``. A deposit passes ``PROCESSING`` or
  ``TRAVEL_RULE_SUSPECTED``, then ``ACCEPTED``, or ``REFUNDING`` and ``REFUNDED``. ``CANCELLED`` and ``REJECTED`` can
  follow any state, so a change to them is never marked.
- The first change is never marked ``skipped``.
- A change to an earlier state is reported like any other.
- A state that this library does not know is reported. It is not final and has no position in the order of states.
- Nothing is reported after a final state.
"""

from __future__ import annotations

import datetime as dt
from typing import Generic, Protocol, TypeAlias, TypeVar

import attrs

from upbit_async.models import DepositState, WithdrawalState

__all__ = ["Progress", "StateChange", "TransferSnapshot", "TransferState", "goes_back"]

TransferState: TypeAlias = WithdrawalState | DepositState
"""State of a withdrawal or deposit."""

_RANKS = {
    "WAITING": 0,
    "PROCESSING": 1,
    "TRAVEL_RULE_SUSPECTED": 1,
    "DONE": 2,
    "FAILED": 2,
    "ACCEPTED": 2,
    "REFUNDING": 2,
    "REFUNDED": 3,
}
"""Positions of the states in the order in which a transfer passes them."""


class TransferSnapshot(Protocol):
    """Record of a withdrawal or deposit."""

    @property
    def uuid(self) -> str:
        """The transfer's id."""
        ...

    @property
    def state(self) -> TransferState:
        """The transfer's state."""
        ...


R = TypeVar("R", bound=TransferSnapshot)


@attrs.frozen(kw_only=True)
class StateChange(Generic[R]):
    """Change of a transfer's state.

    Attributes:
        previous: The previous state; None for the first change.
        state: The new state.
        record: The transfer's record with the new state.
        skipped: Whether a state between the two was missed. The change itself is delivered.
        at: When the new state was seen, UTC, by this machine's clock.

    Example:
        .. code-block:: python

            poller = await client.withdraws.send(
                currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
            )
            async for change in poller.changes():
                before = change.previous or "new"
                print(f"{change.at:%H:%M:%S}  {before} -> {change.state}: {change.record.amount}")
    """

    previous: TransferState | None
    state: TransferState
    record: R
    skipped: bool
    at: dt.datetime


def goes_back(change: StateChange[R]) -> bool:
    """Return whether a change leads to an earlier state than the previous one."""
    if change.previous is None:
        return False
    before, after = _RANKS.get(change.previous.value), _RANKS.get(change.state.value)
    return before is not None and after is not None and after < before


class Progress(Generic[R]):
    """Progress of one transfer through its states."""

    __slots__ = ("_rank", "_state")

    def __init__(self) -> None:
        self._state: TransferState | None = None
        self._rank: int | None = None

    def feed(self, record: R, at: dt.datetime) -> StateChange[R] | None:
        """Process the newest record; return the change of state, or None if there is none.

        Args:
            record: The transfer's newest record.
            at: When it was received.
        """
        previous, state = self._state, record.state
        if previous is not None and (previous.is_final or previous.value == state.value):
            return None
        rank = _RANKS.get(state.value)
        skipped = rank is not None and self._rank is not None and rank > self._rank + 1
        self._state = state
        self._rank = self._rank if rank is None else rank
        return StateChange(previous=previous, state=state, record=record, skipped=skipped, at=at)
