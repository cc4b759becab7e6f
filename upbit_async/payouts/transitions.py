"""How a payout moves from state to state. Pure.

Each function takes a payout as it stands and returns it as it stands then, or None where what has happened
changes nothing any more: two owners may hear of the same request, and the second of them must not undo what the
first has found out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.checks import contradictions
from upbit_async.errors import OutcomeUnknown
from upbit_async.models import WithdrawalState
from upbit_async.payouts.payout import EDGES, Departure, Evidence, Payout, PayoutState, Step

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from upbit_async.errors import APIError, UpbitError
    from upbit_async.models import Intent, Withdrawal
    from upbit_async.protocol.escort import Seal

__all__ = [
    "abandoned",
    "adopted",
    "answered",
    "clashing",
    "departing",
    "departing_again",
    "disproved",
    "doubtful",
    "expired",
    "held_back",
    "held_up",
    "lost",
    "not_found",
    "planned",
    "refused",
    "resolved",
    "resolved_as_not_sent",
    "seen",
    "to_be_tried_again",
]

_NONCE_USED: Final = "nonce_used"
_ENDS: Final = {
    WithdrawalState.DONE: PayoutState.DONE,
    WithdrawalState.FAILED: PayoutState.FAILED,
    WithdrawalState.CANCELLED: PayoutState.CANCELLED,
    WithdrawalState.REJECTED: PayoutState.REJECTED,
}


def planned(key: str, intent: Intent) -> Payout:
    """Begin a payout."""
    step = Step(at=intent.started_at, state=PayoutState.PLANNED, note="asked for")
    return Payout(key=key, state=PayoutState.PLANNED, intent=intent, history=(step,))


# The request


def departing(
    payout: Payout,
    *,
    seal: Seal,
    signed_by: str,
    fence: Sequence[str],
    owner: str,
    lease_until: dt.datetime,
    now: dt.datetime,
) -> Payout:
    """Take note that the first copy is about to leave."""
    departure = Departure(
        seal=seal,
        signed_by=signed_by,
        copies=1,
        owner=owner,
        leased_at=now,
        lease_until=lease_until,
        fence=tuple(fence),
    )
    return _to(payout, PayoutState.SENDING, now, "about to leave", error=None, departure=departure)


def departing_again(payout: Payout, *, owner: str, lease_until: dt.datetime, now: dt.datetime) -> Payout:
    """Take note that one more copy of the very same request is about to leave."""
    known = payout.known_departure
    departure = attrs.evolve(
        known, copies=known.copies + 1, owner=owner, leased_at=now, lease_until=lease_until, lost_at=None
    )
    note = f"copy {departure.copies} of the same request is about to leave"
    return _to(payout, PayoutState.SENDING, now, note, error=None, departure=departure)


def held_up(payout: Payout, error: UpbitError) -> Payout | None:
    """Take note of what has kept the first copy from leaving, before it was noted down as leaving."""
    if payout.state is not PayoutState.PLANNED or str(payout.error) == str(error):
        return None
    return attrs.evolve(payout, error=error)


def held_back(payout: Payout, *, owner: str, why: UpbitError | str, now: dt.datetime) -> Payout | None:
    """Take note that the copy under way has not left, or was turned away unread; earlier ones may have."""
    if payout.state is not PayoutState.SENDING or payout.known_departure.owner != owner:
        return None  # somebody else has it now
    error = None if isinstance(why, str) else why
    note = f"nothing has left: {why}"
    departure = payout.known_departure
    if departure.copies == 1:
        return _to(payout, PayoutState.PLANNED, now, note, error=error, departure=None)
    fewer = attrs.evolve(departure, copies=departure.copies - 1)
    return _to(payout, PayoutState.NOT_SENT, now, note, error=error, departure=fewer)


def answered(payout: Payout, record: Withdrawal, now: dt.datetime) -> Payout | None:
    """Take note of Upbit's answer, which outweighs everything that was concluded without it."""
    if payout.departure is not None:
        payout = attrs.evolve(payout, departure=attrs.evolve(payout.departure, answered=True))
    if payout.uuid is not None and payout.uuid.casefold() != record.uuid.casefold():
        note = f"Upbit's answer names withdrawal {record.uuid}, and the list {payout.uuid}: there may be two"
        return _to_person(payout, now, note, uuid=record.uuid, record=record, evidence=Evidence.ANSWER)
    if payout.uuid is not None and payout.evidence is Evidence.ANSWER:
        return None
    if payout.uuid is not None:  # found already, and rightly so
        return attrs.evolve(payout, evidence=Evidence.ANSWER)
    if wrong := contradictions(payout.intent, record):
        note = f"Upbit's answer is withdrawal {record.uuid}, which is {wrong}"
        return _to_person(payout, now, note, uuid=record.uuid, record=record, evidence=Evidence.ANSWER)
    return _taken(payout, record, now, Evidence.ANSWER, f"Upbit has it as withdrawal {record.uuid}")


def refused(payout: Payout, error: APIError, *, owner: str, now: dt.datetime) -> Payout | None:
    """Take note that Upbit has said no. It speaks of one copy: if there were several it settles nothing."""
    if _has_come_to_something(payout):
        return None
    if payout.known_departure.copies > 1:
        note = f"a further copy was refused, which does not say what became of the first: {error}"
        return _lost(payout, error, now, note, owner=owner)
    note = f"Upbit has refused it: {error}"
    return _to(payout, PayoutState.REFUSED, now, note, error=error, evidence=Evidence.ANSWER, departure=None)


def lost(payout: Payout, error: UpbitError, *, owner: str, now: dt.datetime) -> Payout | None:
    """Take note that the answer to the copy under way is lost."""
    arrived = isinstance(error, OutcomeUnknown) and error.name == _NONCE_USED
    if payout.is_abandoned and arrived:
        departure = attrs.evolve(payout.known_departure, arrived=True)
        return _to_person(payout, now, f"given up, and yet: {error}", evidence=None, departure=departure)
    if _has_come_to_something(payout):
        return None
    return _lost(payout, error, now, str(error), owner=owner, arrived=arrived)


def expired(payout: Payout, now: dt.datetime) -> Payout | None:
    """Take note that the lease of whoever was sending it is over, if it is."""
    if payout.state is not PayoutState.SENDING or _is_leased(payout.known_departure, now):
        return None
    departure = attrs.evolve(payout.known_departure, lost_at=now)
    note = f"{departure.owner} has not told in time what became of it, and may have died"
    return _to(payout, PayoutState.UNKNOWN, now, note, evidence=None, departure=departure)


def _is_leased(departure: Departure, now: dt.datetime) -> bool:
    """Whether a lease holds. One that begins in the future was written by a clock that was wrong."""
    length = departure.lease_until - departure.leased_at
    return departure.leased_at - length < now < departure.lease_until


def _has_come_to_something(payout: Payout) -> bool:
    """Whether its withdrawal is known, or that there is none of it: then a copy without one tells nothing."""
    has_none = payout.is_abandoned or payout.state in {PayoutState.PLANNED, PayoutState.REFUSED}
    return payout.uuid is not None or has_none


def to_be_tried_again(payout: Payout, now: dt.datetime) -> Payout | None:
    """Let a payout that was refused begin anew, since that was asked for."""
    if payout.state is not PayoutState.REFUSED:
        return None
    return _to(payout, PayoutState.PLANNED, now, "to be tried again", evidence=None)


# The list


def adopted(payout: Payout, record: Withdrawal, now: dt.datetime) -> Payout:
    """Take note of the only withdrawal that fits."""
    note = f"withdrawal {record.uuid} is the only new one that fits"
    return _taken(payout, record, now, Evidence.MATCH, note)


def not_found(payout: Payout, now: dt.datetime) -> Payout:
    """Take note that Upbit does not have it."""
    note = (
        "Upbit's whole list shows no new withdrawal that could be it; it can be sent again with resend=True"
    )
    return _to(payout, PayoutState.NOT_SENT, now, note, evidence=Evidence.MATCH, error=None)


def doubtful(payout: Payout, why: str, in_question: Sequence[str], now: dt.datetime) -> Payout:
    """Take note that Upbit's list does not settle it.

    Args:
        payout: The payout.
        why: Why not.
        in_question: The withdrawals that a person is asked about, by their ids in lower case.
        now: The time.
    """
    departure = attrs.evolve(payout.known_departure, in_question=tuple(in_question))
    return _to_person(payout, now, why, departure=departure)


def clashing(payout: Payout, what: str, other: str, now: dt.datetime) -> Payout:
    """Take note that another payout has what was told of this one."""
    note = f"Upbit's answer does not agree with payout {other!r}, which has {what} already"
    return _to_person(payout, now, note)


def disproved(payout: Payout, other: str, now: dt.datetime) -> Payout | None:
    """Take note that the withdrawal which was found for it is another payout's, by Upbit's own answer."""
    if payout.uuid is None or payout.evidence is Evidence.ANSWER:
        return None
    note = f"withdrawal {payout.uuid} has proved to belong to payout {other!r}"
    return _to_person(payout, now, note, uuid=None, record=None, evidence=None)


def seen(payout: Payout, record: Withdrawal, now: dt.datetime) -> Payout | None:
    """Take note of how far the withdrawal is."""
    is_its = payout.uuid is not None and payout.uuid.casefold() == record.uuid.casefold()
    if payout.state is not PayoutState.ACCEPTED or not is_its:
        return None  # a person may have put it right while its former withdrawal was followed
    end = _ENDS.get(record.state)
    if end is not None:
        return _to(payout, end, now, f"the withdrawal is {record.state.value}", record=record, error=None)
    return None if record == payout.record else attrs.evolve(payout, record=record)


# A person


def resolved(payout: Payout, record: Withdrawal, note: str, now: dt.datetime) -> Payout:
    """Take note of a person's word that it is this withdrawal."""
    text = f"a person says that it is withdrawal {record.uuid}{_said(note)}"
    return _taken(payout, record, now, Evidence.PERSON, text)


def resolved_as_not_sent(payout: Payout, note: str, now: dt.datetime) -> Payout:
    """Take note of a person's word that Upbit does not have it."""
    text = f"a person says that Upbit does not have it{_said(note)}"
    known = payout.known_departure
    wrong = () if payout.uuid is None else (payout.uuid.casefold(),)
    ruled_out = tuple(dict.fromkeys((*known.ruled_out, *known.in_question, *wrong)))
    departure = attrs.evolve(known, in_question=(), ruled_out=ruled_out)
    return _to(
        payout,
        PayoutState.NOT_SENT,
        now,
        text,
        uuid=None,
        record=None,
        evidence=Evidence.PERSON,
        error=None,
        departure=departure,
    )


def abandoned(payout: Payout, note: str, now: dt.datetime) -> Payout:
    """Take note that a person does not want it to be sent any more."""
    text = f"a person has given it up{_said(note)}"
    return _to(payout, PayoutState.CANCELLED, now, text, evidence=Evidence.PERSON, error=None)


def _said(note: str) -> str:
    return f": {note}" if note else ""


# All of them


def _to(payout: Payout, state: PayoutState, now: dt.datetime, note: str, **changes: Any) -> Payout:
    if not _may_become(payout, state):
        raise ValueError(f"{payout} is {payout.state} and can't become {state}")
    step = Step(at=now, state=state, note=note)
    return attrs.evolve(payout, state=state, history=(*payout.history, step), **changes)


def _may_become(payout: Payout, state: PayoutState) -> bool:
    """Whether there is an edge; to stay and tell why needs none."""
    return state is payout.state or state in EDGES[payout.state]


def _taken(payout: Payout, record: Withdrawal, now: dt.datetime, evidence: Evidence, note: str) -> Payout:
    """Let the payout have its withdrawal; what was needed to find it is needed no more."""
    state = _ENDS.get(record.state, PayoutState.ACCEPTED)
    known = payout.departure
    # A match or a person may prove wrong, and it be looked for again.
    if known is not None and evidence is Evidence.ANSWER:
        known = attrs.evolve(known, fence=(), in_question=(), ruled_out=())
    if not _may_become(payout, state):
        note = f"nobody was waiting for an answer, and {note}"
        return _to_person(payout, now, note, uuid=record.uuid, record=record, evidence=evidence)
    return _to(
        payout,
        state,
        now,
        note,
        uuid=record.uuid,
        record=record,
        evidence=evidence,
        error=None,
        departure=known,
    )


def _lost(
    payout: Payout, error: UpbitError, now: dt.datetime, note: str, *, owner: str, arrived: bool = False
) -> Payout | None:
    known = payout.known_departure
    departure = attrs.evolve(known, arrived=known.arrived or arrived)
    is_under_way = payout.state is PayoutState.SENDING and known.owner == owner
    if is_under_way or (payout.state is PayoutState.NOT_SENT and arrived):
        departure = attrs.evolve(departure, lost_at=now)
        return _to(payout, PayoutState.UNKNOWN, now, note, error=error, evidence=None, departure=departure)
    if payout.state is PayoutState.UNKNOWN and known.owner == owner:
        # Its lease was held to be over, by a clock that was wrong: it is lost only now, and settles from now on.
        departure = attrs.evolve(departure, lost_at=now)
    # Somebody else sees to it already.
    return None if departure == known else attrs.evolve(payout, departure=departure)


def _to_person(payout: Payout, now: dt.datetime, note: str, **changes: Any) -> Payout:
    text = f"{note}; look at Upbit's website, then resolve it"
    return _to(payout, PayoutState.NEEDS_PERSON, now, text, **{"error": None, **changes})
