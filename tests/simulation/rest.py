"""Whether a payout is at rest: nothing more happens to it by itself, and it says what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.errors import (
    AmountLimitExceeded,
    ConfigurationError,
    JournalError,
    PayoutBlocked,
    UpbitError,
)
from upbit_async.payouts import Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_at_rest", "waits_for_a_decision"]


def is_at_rest(payout: Payout, payouts: Mapping[str, Payout]) -> bool:
    """Return whether a payout has ended, or waits for a decision."""
    if payout.state.is_final or payout.state in {PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT}:
        return True
    return payout.state.may_be_sent and waits_for_a_decision(payout.error, payouts)


def waits_for_a_decision(error: UpbitError | None, payouts: Mapping[str, Payout]) -> bool:
    """Return whether what prevents a payout from being sent ends only by a decision of a person."""
    match error:
        case PayoutBlocked(by_key=str(by_key)):
            other = payouts.get(by_key)
            return other is not None and other.state is PayoutState.NEEDS_REVIEW
        case PayoutBlocked():
            return True
        case JournalError(key=str()):  # its row was authorised with another journal key
            return True
        case AmountLimitExceeded() | ConfigurationError():
            return True
        case _:
            return False
