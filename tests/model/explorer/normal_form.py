"""Normal form of records: what an operation remembers, without what nothing depends on any more.

Two records that lead to the same future should be the same state. So replies that were only needed for earlier
decisions are replaced by fixed ones that lead to the same decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from explorer.ages import NOW
from explorer.journal_state import STALE
from explorer.values import rewritten
from upbit_async.payouts import Payout, PayoutState
from upbit_async.payouts.baseline import Baseline
from upbit_async.payouts.journal_time import JournalTime, Moment

if TYPE_CHECKING:
    from explorer.replay import Record

__all__ = ["holds_baseline", "normal"]

_UNTIMED: Final = frozenset({"settle", "reconcile"})
"""Operations that decide by the clock only at their beginning."""


def normal(operation: str, owner: str, record: Record) -> Record:
    """Return the normal form of a record.

    Args:
        operation: Name of the operation.
        owner: Name of the process.
        record: The record.
    """
    if operation == "drive":
        return _after_departure(owner, _without_earlier_times(record))
    at = NOW if operation in _UNTIMED else None
    return tuple(_without_position(each, at) for each in record)


def _without_earlier_times(record: Record) -> Record:
    """Before a departure, only the time of the newest baseline counts."""
    last = max((number for number, each in enumerate(record) if type(each) is int), default=0)
    return (*(NOW if isinstance(each, JournalTime) else each for each in record[:last]), *record[last:])


def _without_position(reply: Any, at: JournalTime | None) -> Any:
    """Only a departure compares positions."""
    if type(reply) is int:
        return 0
    return at if isinstance(reply, JournalTime) and at is not None else reply


def _after_departure(owner: str, record: Record) -> Record:
    """Forget the baseline and the revisions that a departure was decided by, and the check after it."""
    departed = (number for number, reply in enumerate(record) if _is_departed(reply, owner))
    number = next(departed, None)
    if number is None:
        return record
    reply: Payout = record[number]
    ((_, seconds), *_) = reply.required_request.left_at.readings
    at = attrs.evolve(NOW, seconds=seconds)
    last = max((i for i, each in enumerate(record[:number]) if holds_baseline(each)), default=0)
    before = (*map(_forgotten, record[:last]), *(_decided(each, at) for each in record[last:number]))
    after = record[number + 1 :]
    if True in after:  # the first byte was sent
        end = after.index(True)
        after = (*(reply if isinstance(each, Payout) else at for each in after[:end]), *after[end:])
    return (*before, reply, *after)


def _is_departed(reply: Any, owner: str) -> bool:
    """Return whether a reply is a payout of which a process has recorded a copy."""
    return (
        isinstance(reply, Payout)
        and reply.state is PayoutState.SENDING
        and reply.required_request.owner.startswith(f"{owner} of")
    )


def holds_baseline(reply: Any) -> bool:
    """Return whether a reply sums up the search for a baseline."""
    return isinstance(getattr(reply, "result", None), Baseline)


def _forgotten(reply: Any) -> Any:
    """Return a reply of an earlier attempt, without the revisions of the payouts in it."""

    def rewrite(part: Any) -> Any:
        return attrs.evolve(part, revision=STALE) if isinstance(part, Payout) else part

    return rewritten(reply, rewrite)


def _decided(reply: Any, at: JournalTime) -> Any:
    def rewrite(part: Any) -> Any:
        match part:
            case Payout():
                return attrs.evolve(part, revision=STALE)
            case Baseline():
                return attrs.evolve(part, position=0, requested_at=Moment.at(at))
            case JournalTime():
                return at
            case _:
                return part

    return rewritten(reply, rewrite)
