"""Properties that must hold in every state."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from explorer.exchange import FOREIGN, TAMPERED

from upbit_async.errors import PayoutBlocked
from upbit_async.payouts import Payout, PayoutState

if TYPE_CHECKING:
    from explorer.exchange import Exchange
    from explorer.state import State
    from explorer.world import World

__all__ = ["ASKED", "LIMIT", "ONCE", "OWN", "PAUSED", "TRUE", "is_at_rest", "problem_of"]

ONCE: Final = "at most one withdrawal per key"
TRUE: Final = "no payout is not_sent, declined or abandoned while its withdrawal exists"
OWN: Final = "a payout has only its own withdrawal"
ASKED: Final = "only what was asked for is paid"
PAUSED: Final = "nothing departs while the journal is paused"
LIMIT: Final = "no more is sent than the limit per day"

_UNPAID: Final = frozenset({PayoutState.NOT_SENT, PayoutState.DECLINED, PayoutState.ABANDONED})
_RESTING: Final = frozenset(
    {
        PayoutState.NOT_SENT,
        PayoutState.DECLINED,
        PayoutState.ABANDONED,
        PayoutState.ACCEPTED,
        PayoutState.NEEDS_REVIEW,
    }
)


def problem_of(world: World, state: State) -> str:
    """Return the property that a state violates; empty if it violates none."""
    upbit = world.exchange(state)
    if not upbit.withdrawals:
        return ""
    for key in world.setup.keys:
        if len(upbit.of(key)) > 1:
            return ONCE
    own = [Decimal(each.amount) for each in upbit.withdrawals if each.key != FOREIGN]
    if world.setup.per_day is not None and sum(own) > Decimal(world.setup.per_day):
        return LIMIT
    if any(each.amount == TAMPERED for each in upbit.withdrawals):
        return ASKED
    for row in world.journal(state).rows:
        if row.state in _UNPAID and not row.candidates and upbit.of(row.key):
            return TRUE
        if row.uuid is not None and not _is_own(row, upbit):
            return OWN
    return ""


def _is_own(row: Payout, upbit: Exchange) -> bool:
    return any(made.uuid == row.uuid for made in upbit.of(row.key))


def is_at_rest(world: World, state: State) -> bool:
    """Return whether nothing needs to happen: each payout is final, accepted, or waits for people."""
    if any(state.processes) or any(not each.reply for each in world.exchange(state).requests):
        return False
    rows = world.journal(state).rows
    return all(
        row.state in _RESTING
        or _waits_for_people(row, rows)
        or (row.state is PayoutState.QUEUED and not world.has_copies_left(state, row.key))
        for row in rows
    )


def _waits_for_people(row: Payout, rows: tuple[Payout, ...]) -> bool:
    """Return whether a queued payout is blocked by a withdrawal, or by a payout that needs review."""
    if row.state is not PayoutState.QUEUED:
        return False
    return isinstance(row.error, PayoutBlocked) or any(other.holds_up_equals for other in rows)
