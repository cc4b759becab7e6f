"""State changes of a payout by manual decisions. Pure; `resolving` writes them to the journal."""

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
    """Reason and author of a manual decision.

    Attributes:
        note: Reason, as text for people; may be empty.
        actor: Name of the person or service that decided; None if it is not recorded.

    Example:
        .. code-block:: python

            decision = ManualDecision(note="another invoice", actor="Ann")
            assert decision.text("abandoned") == "manual decision: abandoned (another invoice)"
    """

    note: str = ""
    actor: str | None = None

    def text(self, what: str) -> str:
        """Return the note for the history, which begins with the finding."""
        return f"manual decision: {what}{f' ({self.note})' if self.note else ''}"


def resolved(payout: Payout, record: Withdrawal, decision: ManualDecision, now: Now) -> Payout:
    """Record the finding which withdrawal a payout is."""
    text = decision.text(f"it is withdrawal {record.uuid}")
    payout = _review_ended(payout, keep_candidates=True)
    return identified(payout, record, now, Evidence.MANUAL, text, decision.actor)


def resolved_as_not_sent(payout: Payout, decision: ManualDecision, now: Now) -> Payout:
    """Record the finding that Upbit does not have it; an abandoned payout stays abandoned."""
    wrong = () if payout.uuid is None else (payout.uuid.casefold(),)
    payout = _review_ended(payout, *wrong)
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
    # A nonce that has arrived is used up: Upbit would refuse the same request for ever.
    advice = f"retry({key}, new_nonce=True)" if sent_request.arrived else f"retry({key})"
    text = decision.text(f"Upbit does not have it; to send it again, call {advice}")
    return moved(payout, PayoutState.NOT_SENT, now, text, actor=decision.actor, **changes)


def acknowledged(payout: Payout, uuid: str, decision: ManualDecision, now: Now) -> Payout | None:
    """Record the finding that a candidate is no payout."""
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
    """Record the decision that nothing more is sent for a payout."""
    return moved(
        payout,
        PayoutState.ABANDONED,
        now,
        decision.text("abandoned"),
        actor=decision.actor,
        evidence=Evidence.MANUAL,
        error=None,
    )


def queued(payout: Payout, decision: ManualDecision, now: Now, *, needs_new_nonce: bool, mac: str) -> Payout:
    """Record the decision that a payout is sent again."""
    sent_request = payout.sent_request
    if sent_request is not None:
        sent_request = attrs.evolve(sent_request, needs_new_nonce=needs_new_nonce)
    text = decision.text("to be sent again" + (", with a new nonce" if needs_new_nonce else ""))
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
    """Authenticate the requested payment with the present journal key: the same call was made again."""
    if mac == payout.mac or not payout.state.may_be_sent:
        return None
    return attrs.evolve(payout, mac=mac, error=None)


def _review_ended(payout: Payout, *wrong: str, keep_candidates: bool = False) -> Payout:
    """End the review of a payout, and exclude its candidates."""
    sent_request = payout.sent_request
    if sent_request is None:
        return payout
    if keep_candidates:
        return attrs.evolve(payout, sent_request=attrs.evolve(sent_request, reopened=False))
    excluded = tuple(dict.fromkeys((*sent_request.excluded, *sent_request.candidates, *wrong)))
    return attrs.evolve(
        payout, sent_request=attrs.evolve(sent_request, candidates=(), excluded=excluded, reopened=False)
    )
