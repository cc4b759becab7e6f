"""A payout, its states, and the edges between them. Pure.

A payout is one payment under one key. It usually moves between its states like this:

::

    send ──▶ planned ──┐                   ┌─ Upbit declined ─▶ declined ── retry ──▶ queued
                       ├─ recorded ─▶ sending ─ Upbit answered ─▶ accepted ── followed ──▶ done · failed
    retry ──▶ queued ──┘                   │                         ▲                     cancelled · rejected
                                           │                one fits │
                                           └─ answer lost ──────▶ unknown ── none fits ──▶ not_sent ── retry ──▶ queued
                                                                     │                         │
                                                            in doubt │                         └── abandon ──▶ abandoned
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

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

import attrs

from upbit_async.errors import PayoutBlocked, PayoutNotDone, UpbitError
from upbit_async.escaping import escaped
from upbit_async.models import Intent, Withdrawal
from upbit_async.payouts.journal_time import Moment
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EDGES", "Evidence", "HistoryEntry", "MatchCriteria", "Payout", "PayoutState", "SentRequest"]


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


class Evidence(StrEnum):
    """What a payout's outcome rests on.

    Example:
        .. code-block:: python

            invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
            address = "TFakeTronWithdrawAddressFakeFakeFa"
            payout = await payouts.send("invoice-42", **invoice, address=address)
            assert payout.evidence is Evidence.ANSWER
    """

    ANSWER = "answer"
    """Upbit's own answer to the request. It is certain."""
    MATCH = "match"
    """Upbit's list, in which exactly one withdrawal fits, or none. `Payouts.resolve` can correct it."""
    MANUAL = "manual"
    """A manual decision. `Payouts.resolve` can correct it."""


@attrs.frozen
class MatchCriteria:
    """Properties of a payment that Upbit's list shows.

    The list does not distinguish payouts with equal criteria, so they are sent one at a time.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        amount: The requested amount.

    Example:
        .. code-block:: python

            equal = [
                payout
                async for payout in payouts.iter(currency="USDT")
                if payout.criteria == MatchCriteria("USDT", "TRX", Decimal(13))
            ]
    """

    currency: str
    net_type: str
    amount: Decimal


@attrs.frozen(kw_only=True)
class HistoryEntry:
    """One change of a payout.

    Attributes:
        at: Time of the change, UTC, by the clock of the machine that made it.
        state: The state after the change.
        note: Reason for the change, as text for people.
        actor: Who decided it, if it was a manual decision and its caller named an actor.

    Example:
        .. code-block:: python

            invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
            address = "TFakeTronWithdrawAddressFakeFakeFa"
            payout = await payouts.send("invoice-42", **invoice, address=address)
            for entry in payout.history:
                print(entry.at, entry.state, entry.note, entry.actor)
    """

    at: dt.datetime
    state: PayoutState
    note: str
    actor: str | None = None


@attrs.frozen(kw_only=True)
class SentRequest:
    """What the journal has recorded of a payout's request, which all of its copies share.

    It exists from the moment at which the first copy is recorded, before any byte is sent.

    Attributes:
        signing: Nonce and algorithm. Upbit carries out at most one of several copies with the same nonce.
        signed_by: Digest of the access key that signs it. A nonce is used up for one access key only.
        copies: Number of copies that may have been sent.
        previous_state: The state before the last copy. The payout returns to it if that copy was not sent.
        owner: Lease holder: the name of the sender of the last copy.
        left_at: Journal time at which the last copy was recorded.
        left_utc: The same, UTC, by the clock of the machine that sent it.
        lease: Time after that for which no other task or process may conclude anything about the payout, in seconds.
        lost_at: Journal time from which no answer can arrive any more; None if one still can.
        is_bounded: Whether the connections of all copies are bounded (see `upbit_async.transport.bounding`). If not, a
            copy may arrive many minutes later.
        arrived: Whether Upbit has shown that a copy arrived, without its outcome.
        answered: Whether Upbit's own answer has named a withdrawal, which proves that it was sent.
        reopened: Whether the loss of a copy was recorded after the outcome had been decided.
        needs_new_nonce: Whether the next copy gets a new nonce.
        candidates: The withdrawals that a review is about, by their ids in lower case.
        excluded: The withdrawals that a review has excluded, by their ids in lower case.
        baseline: The newest withdrawals in the currency before the first copy, newest first, by their ids in lower
            case.
        mac: Proof that this library wrote it for this request; see `upbit_async.payouts.row_mac`.

    Example:
        .. code-block:: python

            invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
            address = "TFakeTronWithdrawAddressFakeFakeFa"
            payout = await payouts.send("invoice-42", **invoice, address=address)
            assert payout.sent_request.copies == 1
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
    """One revision of a payout: one payment under one key. Immutable; the journal has the newest revision.

    Attributes:
        key: Key that identifies the payment, chosen by the caller.
        state: Its state.
        uuid: The withdrawal's id; None while it is not known.
        record: The withdrawal, as last read from Upbit; None while it is not known.
        error: The last failure, or what prevents it from being sent.
        evidence: What the outcome rests on; None while there is no outcome.
        history: All changes, oldest first.
        intent: The requested payment.
        sent_request: What the journal recorded before it was sent; None if no copy was recorded.
        revision: Number of changes since it was added; -1 while the journal does not have it.
        not_after: Time after which no first copy is sent, UTC; None for no limit.
        digest: Digest of the requested payment if the payout is compacted, which keeps nothing else of it; else empty.
        mac: Proof that this library recorded the requested payment; see `upbit_async.payouts.row_mac`.

    Example:
        .. code-block:: python

            invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
            address = "TFakeTronWithdrawAddressFakeFakeFa"
            payout = await payouts.send("invoice-42", **invoice, address=address)
            print(payout.key, payout.state, payout.uuid, payout.reason)
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
    not_after: dt.datetime | None = None
    digest: str = attrs.field(default="", repr=False)
    mac: str = attrs.field(default="", repr=False)

    @property
    def created_at(self) -> dt.datetime:
        """The time at which it was requested, UTC, by the clock of the machine that requested it."""
        return self.intent.started_at

    @property
    def updated_at(self) -> dt.datetime:
        """The time of its newest change, UTC, by the clock of the machine that made it."""
        return self.history[-1].at if self.history else self.created_at

    def raise_for_state(self) -> Self:
        """Return the payout if it is ``done``.

        Raises:
            PayoutNotDone: It is in another state.

        Example:
            .. code-block:: python

                invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                address = "TFakeTronWithdrawAddressFakeFakeFa"
                payout = (await payouts.send("invoice-42", **invoice, address=address)).raise_for_state()
        """
        if self.state is PayoutState.DONE:
            return self
        raise PayoutNotDone(
            f"{self} is {self.state}, not done: {self.reason}",
            payout=self,
            may_have_executed=self.sent_request is not None,
        )

    @property
    def criteria(self) -> MatchCriteria:
        """Its currency, network and amount."""
        members = self.intent.members
        return MatchCriteria(members["currency"], members["net_type"], Decimal(members["amount"]))

    @property
    def reason(self) -> str:
        """Why it is in its state, and what to do: what prevents it from being sent, or its newest note."""
        if self.state.may_be_sent and self.error is not None:
            return str(self.error)
        return escaped(self.history[-1].note) if self.history else ""

    @property
    def is_open(self) -> bool:
        """Whether it still needs an action, by itself or by people.

        An abandoned payout is open if a copy may have been paid.
        """
        if self.state is not PayoutState.ABANDONED:
            return not self.state.is_final
        return self.sent_request is not None and (
            bool(self.sent_request.candidates) or self.sent_request.reopened
        )

    @property
    def candidates(self) -> tuple[str, ...]:
        """The withdrawals that a review is about, or that block it, by their ids in lower case."""
        if self.state.may_be_sent and isinstance(self.error, PayoutBlocked):
            return self.error.uuids
        return () if self.sent_request is None else self.sent_request.candidates

    def is_withdrawal(self, uuid: str) -> bool:
        """Return whether its withdrawal is known and has an id, in any case of letters."""
        return self.uuid is not None and self.uuid.casefold() == uuid.casefold()

    @property
    def may_be_unseen(self) -> bool:
        """Whether it is considered unsent or is abandoned, and a copy may turn out to have been carried out."""
        sent_request = self.sent_request
        if sent_request is None:
            return False
        considered_unsent = {PayoutState.NOT_SENT, PayoutState.ABANDONED, PayoutState.QUEUED}
        return sent_request.reopened or self.state in considered_unsent

    @property
    def holds_up_equals(self) -> bool:
        """Whether payouts with the same criteria must wait for the review of this one.

        They need not if the review began after this payout had been settled. Their baselines already include the
        candidates then, so they can't be matched to one of them.
        """
        is_late = self.sent_request is not None and self.sent_request.reopened
        return self.state is PayoutState.NEEDS_REVIEW and not is_late

    @property
    def required_request(self) -> SentRequest:
        """`sent_request`, for a payout of which a copy was recorded.

        Raises:
            ValueError: None was recorded.
        """
        if self.sent_request is None:
            raise ValueError(f"{self} is {self.state} without a request")
        return self.sent_request

    def __str__(self) -> str:
        return f"payout {self.key!r} ({self.intent})"
