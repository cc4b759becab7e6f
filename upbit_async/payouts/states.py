"""The states of a payout, and the edges between them. Pure.

A payout usually moves between its states like this:

::

    send ──────────────────┐                   ┌─ Upbit declined ─▶ declined ── retry ──▶ queued
    planned ── send again ─┤                   │
    (held back)            ├─ recorded ─▶ sending ─ Upbit answered ─▶ accepted ─ followed ─▶ done · failed
    enqueue ──▶ queued ────┘                   │                         ▲                     cancelled · rejected
                                               │                one fits │
                                               └─ answer lost ──────▶ unknown ─ none fits ─▶ not_sent ─ retry ─▶ queued
                                                                         │                         │
                                                                in doubt │                         └ abandon ▶ abandoned
                                                                         ▼
                                                                   needs_review ── resolve ──▶ accepted · not_sent

`EDGES` has all moves as a table. Each move is one compare-and-swap of one row in the journal, so that of two processes
that move a payout at the same time only one succeeds.

Three words for groups of states:

- *settled*: neither ``sending`` nor ``unknown``. The request has its outcome, or there is none. A payout that needs
  review is settled: nothing more happens by itself.
- *ended*: ``done``, ``failed``, ``cancelled`` or ``rejected``, as the withdrawal is at Upbit.
- *final*: ended, ``declined`` or ``abandoned``. There is nothing to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EDGES", "PayoutState"]


class PayoutState(StrEnum):
    """State of a payout: what has happened, and what to do.

    Example:
        .. code-block:: python

            for payout in await payouts.list(states=[PayoutState.NEEDS_REVIEW]):
                print(payout.key, payout.reason, payout.candidates)
    """

    PLANNED = "planned"
    """`Payouts.send` could not send it yet. Call `send` again, or `enqueue`: `Payouts.run` leaves it alone."""
    QUEUED = "queued"
    """`Payouts.enqueue` or `retry` has accepted it, and `Payouts.run` sends it. `reason` says what it waits for."""
    SENDING = "sending"
    """Its request is being sent, by one task of one process. Wait: it ends with an answer or with its lease."""
    ACCEPTED = "accepted"
    """Upbit has the withdrawal, and has not ended it. Wait; `uuid` identifies it."""
    DONE = "done"
    """Upbit has paid it. Nothing is left to do."""
    FAILED = "failed"
    """The withdrawal failed at Upbit, which releases the locked amount. To pay again, use a new key."""
    CANCELLED = "cancelled"
    """The withdrawal was cancelled at Upbit, which releases the locked amount. To pay again, use a new key."""
    REJECTED = "rejected"
    """Upbit rejected the withdrawal, and releases the locked amount. To pay again, use a new key."""
    DECLINED = "declined"
    """Upbit did not accept the request, and no money has moved. Correct what `reason` names, then `Payouts.retry`."""
    UNKNOWN = "unknown"
    """The answer was lost. Wait: `Payouts.run` and `wait` determine the outcome after the settling time."""
    NOT_SENT = "not_sent"
    """Upbit's list does not show the withdrawal. `Payouts.retry` sends the same request again, or `abandon` it."""
    NEEDS_REVIEW = "needs_review"
    """Upbit's list does not settle it. Compare `candidates` with Upbit's website, then call `Payouts.resolve`."""
    ABANDONED = "abandoned"
    """`Payouts.abandon` has ended it, and nothing more is sent. Not a proof that nothing was sent before."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself, and there is nothing to do."""
        return self in _FINAL

    @property
    def is_under_way(self) -> bool:
        """Whether it is not settled yet. It will be by itself: by its answer, or at the end of its settling time."""
        return self in _UNDER_WAY

    @property
    def may_have_unknown_withdrawal(self) -> bool:
        """Whether it may have a withdrawal whose id is not known: it is not settled, or needs review."""
        return self in _MAY_HAVE_UNKNOWN_WITHDRAWAL

    @property
    def may_be_sent(self) -> bool:
        """Whether a copy may be sent without a new decision.

        A ``not_sent`` payout needs one, which ``resend="automatic"`` makes in advance.
        """
        return self in _SENDABLE


_ENDED: Final = frozenset({PayoutState.DONE, PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED})
_FINAL: Final = _ENDED | {PayoutState.DECLINED, PayoutState.ABANDONED}
_UNDER_WAY: Final = frozenset({PayoutState.SENDING, PayoutState.UNKNOWN})
_MAY_HAVE_UNKNOWN_WITHDRAWAL: Final = _UNDER_WAY | {PayoutState.NEEDS_REVIEW}
_SENDABLE: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED})
_IDENTIFIED: Final = _ENDED | {PayoutState.ACCEPTED}
_REACHABLE_BY_SETTLING: Final = _IDENTIFIED | {PayoutState.DECLINED, PayoutState.NEEDS_REVIEW}

EDGES: Final[Mapping[PayoutState, frozenset[PayoutState]]] = {
    PayoutState.PLANNED: _IDENTIFIED
    | {PayoutState.QUEUED, PayoutState.SENDING, PayoutState.NEEDS_REVIEW, PayoutState.ABANDONED},
    PayoutState.QUEUED: _REACHABLE_BY_SETTLING
    | {PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.NOT_SENT, PayoutState.ABANDONED},
    PayoutState.SENDING: _REACHABLE_BY_SETTLING
    | {PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.UNKNOWN, PayoutState.NOT_SENT},
    PayoutState.UNKNOWN: _REACHABLE_BY_SETTLING | {PayoutState.NOT_SENT},
    PayoutState.NOT_SENT: _REACHABLE_BY_SETTLING
    | {PayoutState.QUEUED, PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.ABANDONED},
    PayoutState.NEEDS_REVIEW: _IDENTIFIED | {PayoutState.DECLINED, PayoutState.NOT_SENT},
    PayoutState.ACCEPTED: _IDENTIFIED | {PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT},
    PayoutState.DECLINED: frozenset({PayoutState.QUEUED, PayoutState.NEEDS_REVIEW}),
    PayoutState.ABANDONED: _IDENTIFIED | {PayoutState.NEEDS_REVIEW},
    **{state: _IDENTIFIED | {PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT} for state in _ENDED},
}
"""The states that a payout can move to, by its present state.

Three groups of edges need a reason. A planned payout that a withdrawal blocks may turn out to be that withdrawal, which
`Payouts.resolve` records. A final state is left only if its withdrawal, which was matched, proves to be another
payout's, or by `resolve`. And an answer that arrives when none is expected requires a review.
"""
