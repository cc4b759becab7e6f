"""State changes of a payout by manual decisions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from upbit_async.payouts.payout import Evidence, Payout, PayoutState
from upbit_async.payouts.transitions import identified, moved

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.journal_time import Now

__all__ = [
    "ManualDecision",
    "abandoned",
    "acknowledged",
    "authorised",
    "queued",
    "resolved",
    "resolved_as_not_sent",
]


@attrs.frozen(kw_only=True)
class ManualDecision:
    """Who decided something, and why.

    Attributes:
        note: Why, for people; may be empty.
        actor: Who, as the caller names them.
    """

    note: str = ""
    actor: str | None = None

    def text(self, what: str) -> str:
        """Return the note for the history."""
        return f"manual decision: {what}{f' ({self.note})' if self.note else ''}"


def resolved(payout: Payout, record: Withdrawal, decision: ManualDecision, now: Now) -> Payout:
    """Record the finding that a payout is a certain withdrawal."""
    text = decision.text(f"it is withdrawal {record.uuid}")
    payout = _settled(payout, keep_candidates=True)
    return identified(payout, record, now, Evidence.MANUAL, text, decision.actor)


def resolved_as_not_sent(payout: Payout, decision: ManualDecision, now: Now) -> Payout:
    """Record the finding that Upbit does not have it; an abandoned payout stays abandoned."""
    wrong = () if payout.uuid is None else (payout.uuid.casefold(),)
    payout = _settled(payout, *wrong)
    changes: dict[str, Any] = {"uuid": None, "record": None, "evidence": Evidence.MANUAL, "error": None}
    if payout.state is PayoutState.ABANDONED:
        return moved(
            payout,
            payout.state,
            now,
            decision.text("Upbit does not have it"),
            actor=decision.actor,
            **changes,
        )
    key, sent_request = repr(payout.key), payout.required_request
    # A nonce that has arrived is used up, so that the same request would be turned away for ever.
    advice = f"retry({key}, new_nonce=True)" if sent_request.arrived else f"retry({key})"
    text = decision.text(f"Upbit does not have it; to send it again, call {advice}")
    return moved(payout, PayoutState.NOT_SENT, now, text, actor=decision.actor, **changes)


def acknowledged(payout: Payout, uuid: str, decision: ManualDecision, now: Now) -> Payout | None:
    """Record the finding that a candidate is no payout at all."""
    if payout.sent_request is None or uuid not in payout.sent_request.candidates:
        return None
    candidates = tuple(each for each in payout.sent_request.candidates if each != uuid)
    sent_request = attrs.evolve(
        payout.sent_request,
        candidates=candidates,
        excluded=(*payout.sent_request.excluded, uuid),
        reopened=payout.sent_request.reopened and (bool(candidates) or payout.sent_request.arrived),
    )
    text = decision.text(f"withdrawal {uuid} is no payout")
    if payout.state is PayoutState.NEEDS_REVIEW:
        text = f"{text}; {payout.reason}"
    return moved(payout, payout.state, now, text, actor=decision.actor, sent_request=sent_request)


def abandoned(payout: Payout, decision: ManualDecision, now: Now) -> Payout:
    """Record that nothing more of a payout is to be sent."""
    return moved(
        payout,
        PayoutState.ABANDONED,
        now,
        decision.text("given up"),
        actor=decision.actor,
        evidence=Evidence.MANUAL,
        error=None,
    )


def queued(payout: Payout, decision: ManualDecision, now: Now, *, needs_new_nonce: bool, mac: str) -> Payout:
    """Release a payout that was not sent, or was declined, to be sent again."""
    sent_request = payout.sent_request
    if sent_request is not None:
        sent_request = attrs.evolve(sent_request, needs_new_nonce=needs_new_nonce)
    text = decision.text("to be sent again" + (", with a nonce of its own" if needs_new_nonce else ""))
    return moved(
        payout,
        PayoutState.QUEUED,
        now,
        text,
        actor=decision.actor,
        error=None,
        evidence=None,
        sent_request=sent_request,
        mac=mac,
    )


def authorised(payout: Payout, mac: str) -> Payout | None:
    """Record that the same call was made again, under the present journal key."""
    if mac == payout.mac or not payout.state.may_leave:
        return None
    return attrs.evolve(payout, mac=mac, error=None)


def _settled(payout: Payout, *wrong: str, keep_candidates: bool = False) -> Payout:
    """Close the question about a payout, and exclude what was in question."""
    known = payout.sent_request
    if known is None:
        return payout
    if keep_candidates:
        return attrs.evolve(payout, sent_request=attrs.evolve(known, reopened=False))
    excluded = tuple(dict.fromkeys((*known.excluded, *known.candidates, *wrong)))
    return attrs.evolve(
        payout, sent_request=attrs.evolve(known, candidates=(), excluded=excluded, reopened=False)
    )
