"""State changes of a payout by what happens to its request. Pure.

What happens before a request is in `queueing`, manual decisions are in `manual`.

Each function returns the updated payout, or None if nothing changes. Their names are participles: the payout is
`departing` when a copy is recorded, then `answered`, `declined`, `lost`, `reverted` or `expired`.

Two tasks or processes may learn about the same request at different times, so each function asks what is already known:
the second must not undo what the first has found out. Upbit's own answer outweighs the list and manual decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.checks import contradictions
from upbit_async.errors import OutcomeUnknown
from upbit_async.models import WithdrawalState
from upbit_async.payouts.journal_time import Moment, lease_is_over
from upbit_async.payouts.payout import EDGES, Evidence, HistoryEntry, Payout, PayoutState, SentRequest
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.errors import APIError, UpbitError
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.journal_time import Now

__all__ = [
    "Lease",
    "SigningRecord",
    "adopted",
    "answered",
    "cleared",
    "contested",
    "declined",
    "departing",
    "departing_again",
    "disproved",
    "doubtful",
    "expired",
    "followed",
    "identified",
    "lost",
    "moved",
    "not_found",
    "reverted",
    "to_review",
]

_NONCE_USED: Final = "nonce_used"
_ENDS: Final = {
    WithdrawalState.DONE: PayoutState.DONE,
    WithdrawalState.FAILED: PayoutState.FAILED,
    WithdrawalState.CANCELLED: PayoutState.CANCELLED,
    WithdrawalState.REJECTED: PayoutState.REJECTED,
}
_SETTLE_AGAIN: Final = frozenset(
    {PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.NOT_SENT, PayoutState.QUEUED}
)


@attrs.frozen
class Lease:
    """Right to send one copy.

    Attributes:
        holder: Name of the sender.
        seconds: Time for which no other task or process may conclude anything about the payout, in seconds.
        is_bounded: Whether the copy is sent only on a bounded connection; see `upbit_async.transport.bounding`.
    """

    holder: str
    seconds: float
    is_bounded: bool = True


@attrs.frozen
class SigningRecord:
    """What the journal records of a copy's signature.

    Attributes:
        signing: Nonce and algorithm of the copy's token.
        signed_by: Digest of the access key that signs the token.
        mac: MAC of the departure; see `upbit_async.payouts.row_mac`.
    """

    signing: SigningParams
    signed_by: str
    mac: str = ""


# -- before an answer ------------------------------------------------------------------------------


def departing(
    payout: Payout, lease: Lease, now: Now, signing_record: SigningRecord, *, baseline: Sequence[str]
) -> Payout:
    """Record the first copy, before any of it is sent."""
    sent_request = SentRequest(
        signing=signing_record.signing,
        signed_by=signing_record.signed_by,
        copies=1,
        previous_state=payout.state,
        owner=lease.holder,
        left_at=Moment.at(now.journal),
        left_utc=now.utc,
        lease=lease.seconds,
        is_bounded=lease.is_bounded,
        baseline=tuple(baseline),
        mac=signing_record.mac,
    )
    return moved(payout, PayoutState.SENDING, now, "about to be sent", error=None, sent_request=sent_request)


def departing_again(
    payout: Payout, lease: Lease, now: Now, signing_record: SigningRecord | None = None
) -> Payout:
    """Record one more copy, before any of it is sent.

    Args:
        payout: The payout.
        lease: Right to send the copy.
        now: The present.
        signing_record: What is recorded of its signature, if it has a new nonce.
    """
    earlier = payout.required_request
    sent_request = attrs.evolve(
        earlier,
        copies=earlier.copies + 1,
        previous_state=payout.state,
        owner=lease.holder,
        left_at=Moment.at(now.journal),
        left_utc=now.utc,
        lease=lease.seconds,
        lost_at=None,
        is_bounded=earlier.is_bounded and lease.is_bounded,
        needs_new_nonce=False,
    )
    what = "of the same request"
    if signing_record is not None:
        what = "with a new nonce"
        sent_request = attrs.evolve(
            sent_request,
            signing=signing_record.signing,
            signed_by=signing_record.signed_by,
            mac=signing_record.mac,
            arrived=False,
            needs_new_nonce=True,  # if Upbit rejects it unprocessed, the next copy needs a new nonce again
        )
    note = f"copy {sent_request.copies} {what} is about to be sent"
    return moved(payout, PayoutState.SENDING, now, note, error=None, sent_request=sent_request)


def reverted(payout: Payout, *, lease_holder: str, why: UpbitError | str, now: Now) -> Payout | None:
    """Return to the state before the last copy, which was not sent, or was throttled or banned without being processed.

    Earlier copies may have been sent.
    """
    if payout.state is not PayoutState.SENDING or payout.required_request.owner != lease_holder:
        return None  # another sender holds the lease now
    error = None if isinstance(why, str) else why
    note = f"the request was not carried out: {why}"
    sent_request = payout.required_request
    fewer = None if sent_request.copies == 1 else attrs.evolve(sent_request, copies=sent_request.copies - 1)
    return moved(payout, sent_request.previous_state, now, note, error=error, sent_request=fewer)


def expired(payout: Payout, now: Now) -> Payout | None:
    """Record that the lease of the payout's sender is over, if it is.

    A lease or a loss of another epoch counts from when it is first read in this one.
    """
    sent_request = payout.sent_request
    if sent_request is None or not payout.state.is_under_way:
        return None
    seen = attrs.evolve(
        sent_request,
        left_at=sent_request.left_at.seen(now.journal),
        lost_at=None if sent_request.lost_at is None else sent_request.lost_at.seen(now.journal),
    )
    unchanged = None if seen == sent_request else attrs.evolve(payout, sent_request=seen)
    if payout.state is not PayoutState.SENDING:
        return unchanged
    seen = attrs.evolve(seen, needs_new_nonce=False)
    if sent_request.left_at.is_before_boot(now.journal):
        note = f"the machine was restarted while {sent_request.owner} was sending it"
        seen = attrs.evolve(seen, lost_at=Moment.at(now.journal))
    elif lease_is_over(seen.left_at, seen.lease, now.journal):
        note = f"{sent_request.owner} did not record an outcome within its lease, and may have crashed"
        seen = attrs.evolve(seen, lost_at=seen.left_at.later(seen.lease))
    else:
        return unchanged
    return moved(payout, PayoutState.UNKNOWN, now, note, evidence=None, sent_request=seen)


# -- Upbit's answer --------------------------------------------------------------------------------


def answered(payout: Payout, record: Withdrawal, now: Now) -> Payout | None:
    """Record Upbit's answer, which outweighs every conclusion that was drawn without it."""
    if payout.sent_request is not None:
        payout = attrs.evolve(payout, sent_request=attrs.evolve(payout.sent_request, answered=True))
    changes: dict[str, Any] = {"uuid": record.uuid, "record": record, "evidence": Evidence.ANSWER}
    if payout.uuid is not None and not payout.is_withdrawal(record.uuid):
        note = f"Upbit's answer names withdrawal {record.uuid}, and its list {payout.uuid}: there may be two"
        return to_review(payout, now, note, **changes)
    if payout.uuid is not None and payout.evidence is Evidence.ANSWER:
        return None
    if payout.uuid is not None:  # the answer confirms a match or a manual decision
        return attrs.evolve(payout, evidence=Evidence.ANSWER)
    if wrong := contradictions(payout.intent, record):
        note = f"Upbit's answer is withdrawal {record.uuid}, which is {wrong}"
        return to_review(payout, now, note, **changes)
    note = f"Upbit has it as withdrawal {record.uuid}"
    if payout.state is PayoutState.ABANDONED:
        return to_review(payout, now, f"abandoned, but {note}", **changes)
    return identified(payout, record, now, Evidence.ANSWER, note)


def declined(payout: Payout, error: APIError, *, lease_holder: str, now: Now) -> Payout | None:
    """Record that Upbit has declined a copy. If there were several, that settles nothing: it is about one of them."""
    if payout.uuid is not None or payout.sent_request is None:
        return None
    if payout.sent_request.owner != lease_holder:
        return None  # it is about another copy than the newest one
    if payout.sent_request.copies > 1 or payout.state is PayoutState.ABANDONED:
        note = f"Upbit has declined a further copy, which does not show the outcome of the first: {error}"
        return _lost(payout, error, note, lease_holder=lease_holder, now=now)
    note = f"Upbit has declined it: {error}"
    return moved(
        payout, PayoutState.DECLINED, now, note, error=error, evidence=Evidence.ANSWER, sent_request=None
    )


def lost(payout: Payout, error: UpbitError, *, lease_holder: str, now: Now) -> Payout | None:
    """Record that the answer to a copy is lost. Its lease holder has closed the connection before."""
    if payout.sent_request is None:
        return None  # an earlier copy was not sent, or was declined
    arrived = isinstance(error, OutcomeUnknown) and error.name == _NONCE_USED
    return _lost(payout, error, str(error), lease_holder=lease_holder, arrived=arrived, now=now)


def _lost(
    payout: Payout, error: UpbitError, note: str, *, lease_holder: str, now: Now, arrived: bool = False
) -> Payout | None:
    before = payout.required_request
    sent_request = attrs.evolve(before, arrived=before.arrived or arrived)
    if payout.state is PayoutState.SENDING and before.owner != lease_holder:
        # Another copy is being sent. Settling starts at its end, which is later.
        return None if sent_request == before else attrs.evolve(payout, sent_request=sent_request)
    lost_at = Moment.at(now.journal)
    if before.owner != lease_holder and before.lost_at is not None:
        lost_at = _later(before.lost_at, lost_at, now)
    sent_request = attrs.evolve(sent_request, lost_at=lost_at, needs_new_nonce=False)
    if payout.state in _SETTLE_AGAIN:
        return moved(
            payout, PayoutState.UNKNOWN, now, note, error=error, evidence=None, sent_request=sent_request
        )
    if payout.state is PayoutState.NEEDS_REVIEW:
        return moved(payout, payout.state, now, f"{note}; {payout.reason}", sent_request=sent_request)
    late = f"recorded late, when it was {payout.state}: {note}"
    return moved(payout, payout.state, now, late, sent_request=attrs.evolve(sent_request, reopened=True))


def _later(known: Moment, lost_at: Moment, now: Now) -> Moment:
    """Return the later of two losses: the newest copy may have been lost after an earlier one, but written before."""
    elapsed = known.elapsed(now.journal)
    return known if elapsed is not None and elapsed < 0 else lost_at


def contested(payout: Payout, what: str, other: str, now: Now) -> Payout:
    """Record that another payout has what this one would get by Upbit's answer."""
    note = f"conflict with payout {other!r}, which already has {what}"
    sent_request = None if payout.sent_request is None else attrs.evolve(payout.sent_request, answered=True)
    return to_review(payout, now, note, sent_request=sent_request)


def disproved(payout: Payout, other: str, now: Now) -> Payout | None:
    """Record that the withdrawal that was matched to it is another payout's, by Upbit's own answer."""
    if payout.uuid is None or payout.evidence is Evidence.ANSWER or payout.digest:
        return None  # a compacted payout can't change any more
    note = f"withdrawal {payout.uuid} belongs to payout {other!r}, by Upbit's answer"
    return to_review(payout, now, note, uuid=None, record=None, evidence=None)


def followed(payout: Payout, record: Withdrawal, now: Now) -> Payout | None:
    """Record the progress of the withdrawal."""
    if payout.state is not PayoutState.ACCEPTED or not payout.is_withdrawal(record.uuid):
        return None  # it may have been corrected while its former withdrawal was followed
    end = _ENDS.get(record.state)
    if end is not None:
        return moved(payout, end, now, f"the withdrawal is {record.state.value}", record=record, error=None)
    return None if record == payout.record else attrs.evolve(payout, record=record)


# -- Upbit's list ----------------------------------------------------------------------------------


def adopted(payout: Payout, record: Withdrawal, now: Now) -> Payout:
    """Record the only withdrawal that fits."""
    note = f"withdrawal {record.uuid} is the only new one that fits"
    return identified(payout, record, now, Evidence.MATCH, note)


def not_found(payout: Payout, now: Now) -> Payout:
    """Record that Upbit's list does not show the withdrawal."""
    note = (
        "Upbit's list shows no new withdrawal that could be it; to send exactly the same request again, call "
        f"retry({payout.key!r})"
    )
    return moved(payout, PayoutState.NOT_SENT, now, note, evidence=Evidence.MATCH, error=None)


def cleared(payout: Payout, _now: Now) -> Payout | None:
    """Record that the list shows nothing of a copy whose loss was recorded late."""
    sent_request = payout.sent_request
    if sent_request is None or not sent_request.reopened or sent_request.arrived or sent_request.candidates:
        return None
    return attrs.evolve(payout, sent_request=attrs.evolve(sent_request, reopened=False))


def doubtful(payout: Payout, why: str, candidates: Sequence[str], now: Now) -> Payout | None:
    """Record that Upbit's list does not settle it; an abandoned payout stays abandoned.

    Args:
        payout: The payout.
        why: Why not.
        candidates: The withdrawals that may be it, by their ids in lower case.
        now: The present.
    """
    before = payout.required_request
    is_late = payout.state in {PayoutState.NOT_SENT, PayoutState.QUEUED, PayoutState.ABANDONED}
    sent_request = attrs.evolve(before, candidates=tuple(candidates), reopened=before.reopened or is_late)
    if payout.state is PayoutState.ABANDONED:
        if sent_request == before:
            return None
        note = f"it may have been paid all the same: {_with_advice(payout, why)}"
        return moved(payout, payout.state, now, note, sent_request=sent_request)
    return to_review(payout, now, why, sent_request=sent_request)


# -- all of them -----------------------------------------------------------------------------------


def moved(
    payout: Payout, state: PayoutState, now: Now, note: str, *, actor: str | None = None, **changes: Any
) -> Payout:
    """Return a payout in another state, or in the same one with a new note.

    Raises:
        ValueError: There is no edge to that state.
    """
    if not _may_become(payout, state):
        raise ValueError(f"{payout} is {payout.state} and can't become {state}")
    entry = HistoryEntry(at=now.utc, state=state, note=note, actor=actor)
    return attrs.evolve(payout, state=state, history=(*payout.history, entry), **changes)


def _may_become(payout: Payout, state: PayoutState) -> bool:
    """Whether there is an edge; a new note in the same state needs none."""
    return state is payout.state or state in EDGES[payout.state]


def identified(
    payout: Payout, record: Withdrawal, now: Now, evidence: Evidence, note: str, actor: str | None = None
) -> Payout:
    """Record which withdrawal a payout is. Once that is certain, the data for finding it is dropped."""
    state = _ENDS.get(record.state, PayoutState.ACCEPTED)
    sent_request = payout.sent_request
    changes: dict[str, Any] = {"uuid": record.uuid, "record": record, "evidence": evidence}
    # A match or a manual decision may prove wrong, and then the data is needed again.
    if sent_request is not None and evidence is Evidence.ANSWER:
        sent_request = attrs.evolve(sent_request, baseline=(), candidates=(), excluded=())
    is_unexpected = evidence is Evidence.ANSWER and sent_request is None
    if is_unexpected or not _may_become(payout, state):
        note = f"an answer arrived when none was expected, and {note}"
        return to_review(payout, now, note, **changes)
    return moved(payout, state, now, note, actor=actor, error=None, sent_request=sent_request, **changes)


def to_review(payout: Payout, now: Now, note: str, **changes: Any) -> Payout:
    """Require a manual decision."""
    text = _with_advice(payout, note)
    return moved(payout, PayoutState.NEEDS_REVIEW, now, text, **{"error": None, **changes})


def _with_advice(payout: Payout, note: str) -> str:
    key = repr(payout.key)
    return f"{note}; compare with Upbit's website, then call resolve({key}, uuid=…) or resolve({key}, not_sent=True)"
