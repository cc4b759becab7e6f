"""A payout: one payment under one key, and its state.

::

                         ┌─────────── nothing has left ───────────┐
                         ▼                                        │
    start ──▶ planned or queued ── recorded, about to leave ──▶ sending ◀── the same copy again ──┐
                         ▲                                      │ │ │ │                           │
                   retry │        ┌──── Upbit declined it ──────┘ │ │ └── its answer is lost ──┐  │
                         │        ▼                               │ │     or its lease is over │  │
                         └──── declined ◀── a late refusal ────┐  │ └──────────┐               ▼  │
                         └──── not_sent                        └──┼────────────┼──────────  unknown
                                                                  ▼            │               │  │
    done · failed · cancelled · rejected ◀── followed ────── accepted ◀────────┼── found ──────┤  │
                         ▲                                        ▲            ▼               │  │
                         │                                        │       needs_review ◀── in doubt
                         └────────── ended already ───────────────┤            │               │  │
                                                                  └─ resolve ──┤               ▼  │
                                                                               └─────────▶ not_sent

    planned · queued · not_sent ── abandon ──▶ abandoned

`EDGES` is the same as a table. A payout moves only along it, and each move is one change of one row in the
journal, so that of two processes that move it at the same time only one succeeds.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import PayoutBlocked, UpbitError
from upbit_async.escaping import escaped
from upbit_async.models import Intent, Withdrawal
from upbit_async.payouts.journal_time import Moment
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EDGES", "Evidence", "HistoryEntry", "MatchCriteria", "Payout", "PayoutState", "SentRequest"]


class PayoutState(StrEnum):
    """How far a payout is."""

    PLANNED = "planned"
    """Recorded by `Payouts.send`, and nothing has left. Only its caller sends it: call `send` again."""
    QUEUED = "queued"
    """Released by `Payouts.retry`. `Payouts.recover`, or `send` with the same parameters, sends it."""
    SENDING = "sending"
    """Its request is on its way, or about to be, in the hands of one owner. Wait."""
    ACCEPTED = "accepted"
    """Upbit has the withdrawal, whose `uuid` is known, and has not ended it. Wait."""
    DONE = "done"
    """It is paid."""
    FAILED = "failed"
    """The withdrawal failed at Upbit, which gives back what was held for it."""
    CANCELLED = "cancelled"
    """The withdrawal was cancelled at Upbit, which gives back what was held for it."""
    REJECTED = "rejected"
    """The withdrawal was rejected by Upbit, which gives back what was held for it."""
    DECLINED = "declined"
    """Upbit did not accept the request, and no money has moved. `Payouts.retry` tries again."""
    UNKNOWN = "unknown"
    """The answer was lost. `Payouts.wait` and `recover` look for the withdrawal after the settling time."""
    NOT_SENT = "not_sent"
    """Upbit's list does not show the withdrawal. `Payouts.retry` sends exactly the same request again."""
    NEEDS_REVIEW = "needs_review"
    """What Upbit shows does not settle it: look at Upbit's website, then call `Payouts.resolve`."""
    ABANDONED = "abandoned"
    """Given up by `Payouts.abandon`: nothing more is sent. This is no proof that nothing was sent before."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself, and nobody needs to do anything."""
        return self in _FINAL

    @property
    def is_under_way(self) -> bool:
        """Whether it will be settled by itself, by its answer or at the end of its settling time."""
        return self in _UNDER_WAY

    @property
    def is_unsettled(self) -> bool:
        """Whether it may have a withdrawal whose id is not known."""
        return self in _UNSETTLED

    @property
    def may_leave(self) -> bool:
        """Whether a request may be sent for it."""
        return self in _SENDABLE


_ENDED: Final = frozenset({PayoutState.DONE, PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED})
_FINAL: Final = _ENDED | {PayoutState.DECLINED, PayoutState.ABANDONED}
_UNDER_WAY: Final = frozenset({PayoutState.SENDING, PayoutState.UNKNOWN})
_UNSETTLED: Final = _UNDER_WAY | {PayoutState.NEEDS_REVIEW}
_SENDABLE: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED})
_TAKEN: Final = _ENDED | {PayoutState.ACCEPTED}
_JUDGED: Final = _TAKEN | {PayoutState.DECLINED, PayoutState.NEEDS_REVIEW}

EDGES: Final[Mapping[PayoutState, frozenset[PayoutState]]] = {
    PayoutState.PLANNED: _TAKEN | {PayoutState.SENDING, PayoutState.NEEDS_REVIEW, PayoutState.ABANDONED},
    PayoutState.QUEUED: _JUDGED
    | {PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.NOT_SENT, PayoutState.ABANDONED},
    PayoutState.SENDING: _JUDGED
    | {PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.UNKNOWN, PayoutState.NOT_SENT},
    PayoutState.UNKNOWN: _JUDGED | {PayoutState.NOT_SENT},
    PayoutState.NOT_SENT: _JUDGED
    | {PayoutState.QUEUED, PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.ABANDONED},
    PayoutState.NEEDS_REVIEW: _TAKEN | {PayoutState.DECLINED, PayoutState.NOT_SENT},
    PayoutState.ACCEPTED: _TAKEN | {PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT},
    PayoutState.DECLINED: frozenset({PayoutState.QUEUED, PayoutState.NEEDS_REVIEW}),
    PayoutState.ABANDONED: _TAKEN | {PayoutState.NEEDS_REVIEW},
    **{state: _TAKEN | {PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT} for state in _ENDED},
}
"""Where a payout may go from each state.

Three edges need a reason. A planned payout that is blocked by a withdrawal may turn out to be that withdrawal, which
`Payouts.resolve` records. An end is left only if its withdrawal, which was found by a match, proves to be another
payout's, or by `resolve`. And an answer that arrives when none is expected leads to a review.
"""


class Evidence(StrEnum):
    """What a payout's outcome rests on."""

    ANSWER = "answer"
    """Upbit's own answer to the request."""
    MATCH = "match"
    """Upbit's list, in which exactly one withdrawal fits, or none does."""
    MANUAL = "manual"
    """A manual decision."""


@attrs.frozen
class MatchCriteria:
    """What Upbit's list shows of a payment. Two payouts of one kind can't be told apart, so one at a time is sent.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        amount: The amount that was asked for.
    """

    currency: str
    net_type: str
    amount: Decimal


@attrs.frozen(kw_only=True)
class HistoryEntry:
    """One change in the life of a payout.

    Attributes:
        at: When, UTC, by the clock of the machine that made it.
        state: The state from then on.
        note: Why, for people.
        actor: Who decided it, if it was a manual decision and the caller named somebody.
    """

    at: dt.datetime
    state: PayoutState
    note: str
    actor: str | None = None


@attrs.frozen(kw_only=True)
class SentRequest:
    """What is known of a payout's request, which all of its copies have in common.

    Attributes:
        signing: What it is signed with. Copies with the same nonce can't both be carried out.
        signed_by: The digest of the access key that it is signed with. A nonce is used up for one key only.
        copies: How many copies may have left.
        previous_state: The state from which the last copy left, to which it returns if it did not leave.
        owner: Who sends the last copy.
        left_at: When the last copy was recorded as leaving, in journal time.
        left_utc: The same, UTC, by the clock of the machine that sent it.
        lease: For how long after that nobody else touches it, in seconds.
        lost_at: When the hope of an answer ended, in journal time; None if it has not.
        is_bounded: Whether the operating system gives up the request's connection within the lease. If not, the
            request may arrive many minutes later.
        arrived: Whether Upbit has said that a copy has arrived, without saying what came of it.
        answered: Whether Upbit's own answer has named a withdrawal, which proves that it was sent.
        reopened: Whether the loss of a copy was recorded after the outcome had been decided.
        needs_new_nonce: Whether the next copy gets a nonce of its own.
        candidates: The withdrawals that a review is about, by their ids in lower case.
        excluded: The withdrawals that a review has excluded.
        baseline: The newest withdrawals in the currency before the first copy left, newest first, by their ids in
            lower case.
        mac: Proves that this library wrote it for this request; see `upbit_async.payouts.row_mac`.
    """

    signing: SigningParams
    signed_by: str
    copies: int
    previous_state: PayoutState
    owner: str
    left_at: Moment
    left_utc: dt.datetime
    lease: float
    lost_at: Moment | None = None
    is_bounded: bool = True
    arrived: bool = False
    answered: bool = False
    reopened: bool = False
    needs_new_nonce: bool = False
    candidates: tuple[str, ...] = attrs.field(default=(), repr=False)
    excluded: tuple[str, ...] = attrs.field(default=(), repr=False)
    baseline: tuple[str, ...] = attrs.field(repr=False)
    mac: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class Payout:
    """One payment under one key, as it is known. It never changes; the journal has the newest.

    Attributes:
        key: The key, which is yours to choose.
        state: How far it is.
        uuid: The withdrawal's id, once it is known.
        record: The withdrawal as it was last seen.
        error: What went wrong last, or prevents it from being sent.
        evidence: What the outcome rests on; None while there is none.
        history: Everything that has happened to it, oldest first.
        intent: What it asks for.
        sent_request: What is known of its request; None if none has left.
        revision: How often it was changed.
        mac: Proves that this library recorded what it asks for; see `upbit_async.payouts.row_mac`.
    """

    key: str
    state: PayoutState
    intent: Intent
    uuid: str | None = None
    record: Withdrawal | None = None
    error: UpbitError | None = attrs.field(default=None, eq=False)
    evidence: Evidence | None = None
    history: tuple[HistoryEntry, ...] = attrs.field(default=(), repr=False)
    sent_request: SentRequest | None = attrs.field(default=None, repr=False)
    revision: int = 0
    mac: str = attrs.field(default="", repr=False)

    @property
    def criteria(self) -> MatchCriteria:
        """Its currency, network and amount."""
        members = self.intent.members
        return MatchCriteria(members["currency"], members["net_type"], Decimal(members["amount"]))

    @property
    def reason(self) -> str:
        """Why it is in its state, and what to do about that: what prevents it from being sent, or its newest note."""
        if self.state.may_leave and self.error is not None:
            return str(self.error)
        return escaped(self.history[-1].note) if self.history else ""

    @property
    def is_open(self) -> bool:
        """Whether it still needs somebody, or something, to act. An abandoned one may: a copy may have been paid."""
        if self.state is not PayoutState.ABANDONED:
            return not self.state.is_final
        return self.sent_request is not None and (
            bool(self.sent_request.candidates) or self.sent_request.reopened
        )

    @property
    def candidates(self) -> tuple[str, ...]:
        """The withdrawals that a review is about, or that block it, by their ids in lower case."""
        if self.state.may_leave and isinstance(self.error, PayoutBlocked):
            return self.error.uuids
        return () if self.sent_request is None else self.sent_request.candidates

    @property
    def may_be_unseen(self) -> bool:
        """Whether a copy that is held for not sent, or was given up, may turn out to have been carried out."""
        sent_request = self.sent_request
        if sent_request is None:
            return False
        held_for_unsent = {PayoutState.NOT_SENT, PayoutState.ABANDONED, PayoutState.QUEUED}
        return sent_request.reopened or self.state in held_for_unsent

    @property
    def holds_up_equals(self) -> bool:
        """Whether an equal payout must wait for the review of this one.

        It need not if the doubt came up after this one had been settled: the baseline of the equal payout already
        shows the candidates, so it can't take one of them for its own.
        """
        is_late = self.sent_request is not None and self.sent_request.reopened
        return self.state is PayoutState.NEEDS_REVIEW and not is_late

    @property
    def required_request(self) -> SentRequest:
        """The same as `sent_request`, of a payout of which a request may have left.

        Raises:
            ValueError: None has.
        """
        if self.sent_request is None:
            raise ValueError(f"{self} is {self.state} without a request")
        return self.sent_request

    def __str__(self) -> str:
        return f"payout {self.key!r}, {self.intent}"
