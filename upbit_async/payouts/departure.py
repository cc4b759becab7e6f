"""Conditions under which a journal lets a copy of a payout depart, checked in the transaction that records it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.payouts.amount_limit import LIMIT_HOURS, AmountLimit
from upbit_async.payouts.journal_time import JournalTime, Now, is_recent
from upbit_async.payouts.payout import Payout, PayoutState

if TYPE_CHECKING:
    from decimal import Decimal

    from upbit_async.payouts.manual import ManualDecision

__all__ = [
    "LIMIT_PERIOD",
    "UNCONDITIONAL",
    "DepartureConditions",
    "DeparturePaused",
    "StaleBaseline",
    "check_amounts",
    "departed_lately",
    "departure_time",
    "is_departure",
    "makes_baseline_stale",
]

LIMIT_PERIOD: Final = dt.timedelta(hours=LIMIT_HOURS)
"""Length of the rolling period of a limit per day."""


@attrs.frozen(kw_only=True)
class DepartureConditions:
    """What must hold when a copy is recorded, in addition to the rules between payouts.

    A journal that is paused lets nothing depart in any case.

    Attributes:
        baseline_position: Position of the journal's newest change when the copy's baseline was requested. No payout
            with the same criteria may have changed since, except for one that is planned or queued and of which no
            copy counts. None if the copy keeps the baseline of an earlier one.
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

    Example:
        .. code-block:: python

            async def depart(journal, payout, departing, take_baseline):
                while True:
                    position = await journal.position()
                    baseline = await take_baseline()  # requested after the position was read
                    conditions = DepartureConditions(baseline_position=position)
                    try:
                        return await journal.compare_and_swap(payout, departing(payout, baseline), conditions)
                    except StaleBaseline as stale:
                        print(stale.by_key, "has changed meanwhile")
    """

    def __init__(self, by_key: str) -> None:
        super().__init__(f"payout {by_key!r} has changed since the baseline was requested")
        self.by_key = by_key


class DeparturePaused(Exception):
    """The journal is paused, so that nothing departs.

    Attributes:
        decision: The decision to pause.

    Example:
        .. code-block:: python

            import datetime as dt

            maintenance = ManualDecision(note="maintenance", actor="Ann")
            async with payouts:
                await journal.pause(maintenance, dt.datetime.now(dt.UTC))
                assert (await journal.health()).paused
                await journal.resume(maintenance, dt.datetime.now(dt.UTC))
    """

    def __init__(self, decision: ManualDecision) -> None:
        super().__init__("payouts are paused")
        self.decision = decision


# -- the rules, for the journals of this library ---------------------------------------------------


def is_departure(old: Payout, new: Payout) -> bool:
    """Return whether a change records a copy. A payout in ``sending`` may also change without one."""
    if new.state is not PayoutState.SENDING:
        return False
    return old.state is not PayoutState.SENDING or old.required_request.copies != new.required_request.copies


def departure_time(payout: Payout) -> Now:
    """Return the time at which the last copy of a payout was recorded, by both clocks."""
    sent_request = payout.required_request
    epoch, seconds = sent_request.left_at.readings[-1]
    return Now(sent_request.left_utc, JournalTime(seconds, epoch))


def makes_baseline_stale(other: Payout) -> bool:
    """Return whether a change of a payout invalidates the baselines of those with the same criteria.

    It does not if the payout is planned or queued and no copy of it counts: then none of it can appear in a list.
    """
    return not other.state.may_be_sent or other.sent_request is not None


def departed_lately(other: Payout, now: Now) -> bool:
    """Return whether a payout counts for a limit per day."""
    sent_request = other.sent_request
    return sent_request is not None and is_recent(
        sent_request.left_at, sent_request.left_utc, LIMIT_PERIOD, now
    )


def check_amounts(payout: Payout, limits: Sequence[AmountLimit], departed: Callable[[], Decimal]) -> None:
    """Check the limits of a payout that departs.

    Args:
        payout: The payout.
        limits: The limits.
        departed: Returns the sum of the other payouts in the currency that count for a limit per day.

    Raises:
        AmountLimitExceeded: It would exceed one of them.
    """
    for limit in limits:
        if limit.currency == payout.criteria.currency:
            limit.check_amount(payout)
            if limit.per_day is not None:
                limit.check_day(payout, departed())
