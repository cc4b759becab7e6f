"""Properties that must hold in every state."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from explorer.exchange import FOREIGN, TAMPERED
from upbit_async.errors import PayoutBlocked
from upbit_async.payouts import Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.state import State
    from explorer.world import World

__all__ = ["ASKED", "ENDED", "LIMIT", "ONCE", "OWN", "PAUSED", "SERIAL", "TRUE", "is_at_rest", "problem_of"]

ONCE: Final = "at most one withdrawal per key"
TRUE: Final = "no payout is not_sent, declined or abandoned while its withdrawal exists"
OWN: Final = "a payout has only its own withdrawal"
ENDED: Final = "a payout has ended only as its withdrawal has"
SERIAL: Final = "no two equal payouts are under way at once"
ASKED: Final = "only what was asked for is paid"
PAUSED: Final = "nothing departs while the journal is paused"
LIMIT: Final = "no more is sent than the limit per day"

_UNPAID: Final = frozenset({PayoutState.NOT_SENT, PayoutState.DECLINED, PayoutState.ABANDONED})
_ENDED: Final = frozenset({PayoutState.DONE, PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED})
_RESTING: Final = frozenset({PayoutState.NOT_SENT, PayoutState.ACCEPTED, PayoutState.NEEDS_REVIEW})


def problem_of(world: World, state: State) -> str:
    """Return the property that a state violates; empty if it violates none."""
    checks = (problem for problem, is_violated in _CHECKS.items() if is_violated(world, state))
    return next(checks, "")


def _is_paid_twice(world: World, state: State) -> bool:
    return any(len(world.exchange(state).of(key)) > 1 for key in world.setup.keys)


def _is_unpaid_wrongly(world: World, state: State) -> bool:
    upbit = world.exchange(state)
    unpaid = (row for row in world.journal(state).rows if row.state in _UNPAID and not row.candidates)
    return any(upbit.of(row.key) for row in unpaid)


def _has_anothers(world: World, state: State) -> bool:
    upbit = world.exchange(state)
    known = (row for row in world.journal(state).rows if row.uuid is not None)
    return any(all(made.uuid != row.uuid for made in upbit.of(row.key)) for row in known)


def _has_ended_otherwise(world: World, state: State) -> bool:
    ends = {made.uuid: made.state.value for made in world.exchange(state).withdrawals}
    ended = (row for row in world.journal(state).rows if row.state in _ENDED)
    return any(ends.get(row.uuid or "") != row.state.name for row in ended)


def _are_equals_under_way(world: World, state: State) -> bool:
    under_way = [row.criteria for row in world.journal(state).rows if row.state.is_under_way]
    return len(set(under_way)) < len(under_way)


def _is_over_the_limit(world: World, state: State) -> bool:
    made = world.exchange(state).withdrawals
    own = sum(Decimal(each.amount) for each in made if each.key != FOREIGN)
    return world.setup.per_day is not None and own > Decimal(world.setup.per_day)


def _is_another_amount(world: World, state: State) -> bool:
    return any(each.amount == TAMPERED for each in world.exchange(state).withdrawals)


_CHECKS: Final = {
    ONCE: _is_paid_twice,
    TRUE: _is_unpaid_wrongly,
    OWN: _has_anothers,
    ENDED: _has_ended_otherwise,
    SERIAL: _are_equals_under_way,
    LIMIT: _is_over_the_limit,
    ASKED: _is_another_amount,
}


def is_at_rest(world: World, state: State) -> bool:
    """Return whether nothing needs to happen: each payout is final, accepted, or waits for people."""
    if any(state.processes) or any(not each.reply for each in world.exchange(state).requests):
        return False
    rows = world.journal(state).rows
    return all(
        row.state in _RESTING
        or row.state.is_final
        or (row.state is PayoutState.QUEUED and _is_held_back(world, state, row, rows))
        for row in rows
    )


def _is_held_back(world: World, state: State, row: Payout, rows: Sequence[Payout]) -> bool:
    """Return whether a queued payout waits for people, for another day, or is beyond the bounds."""
    limit = world.setup.per_day
    departed = sum(
        other.criteria.amount for other in rows if other.sent_request is not None and other is not row
    )
    return (
        isinstance(row.error, PayoutBlocked)
        or any(other.holds_up_equals for other in rows)
        or row.intent.members["amount"] == TAMPERED
        or not world.has_copies_left(state, row.key)
        or (limit is not None and departed + row.criteria.amount > Decimal(limit))
    )
