"""Conditions under which a journal lets a copy of a payout depart, checked in the transaction that records it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.payouts.amount_limit import AmountLimit

if TYPE_CHECKING:
    from upbit_async.payouts.manual import ManualDecision

__all__ = ["UNCONDITIONAL", "DepartureConditions", "DeparturePaused", "StaleBaseline"]


@attrs.frozen(kw_only=True)
class DepartureConditions:
    """What must hold when a copy is recorded, besides the rules between payouts.

    A journal that is paused lets nothing depart in any case.

    Attributes:
        baseline_position: Position of the journal's newest change when the copy's baseline was requested. No payout
            with the same criteria may have changed since, except those that are planned or queued. None if the copy
            keeps the baseline of an earlier one.
        amount_limits: Limits that the amounts must not exceed.

    Example:
        .. code-block:: python

            from upbit_async.payouts import AmountLimit, DepartureConditions

            conditions = DepartureConditions(amount_limits=[AmountLimit("USDT", per_day="20000")])
    """

    baseline_position: int | None = None
    amount_limits: Sequence[AmountLimit] = ()


UNCONDITIONAL: Final = DepartureConditions()


class StaleBaseline(Exception):
    """A payout with the same criteria has changed since the baseline was requested. Take another baseline.

    Attributes:
        by_key: That payout's key.
    """

    def __init__(self, by_key: str) -> None:
        super().__init__(f"payout {by_key!r} has changed since the baseline was requested")
        self.by_key = by_key


class DeparturePaused(Exception):
    """The journal is paused, so that nothing departs.

    Attributes:
        decision: The decision to pause.
    """

    def __init__(self, decision: ManualDecision) -> None:
        super().__init__("payouts are paused")
        self.decision = decision
