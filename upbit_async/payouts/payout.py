"""A payout: one payment under one key, with everything that the journal knows of it. Pure."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

import attrs

from upbit_async.errors import PayoutBlocked, PayoutNotDone, PayoutsPaused, UpbitError
from upbit_async.escaping import escaped
from upbit_async.models import Intent, Withdrawal
from upbit_async.payouts.journal_time import Moment
from upbit_async.payouts.states import EDGES, PayoutState
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EDGES", "Evidence", "HistoryEntry", "MatchCriteria", "Payout", "PayoutState", "SentRequest"]


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
        new_candidates: Candidates that Upbit's list has shown to be newer than the baseline. They stay a possible match
            when the list does not reach back to them any more.
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
    new_candidates: tuple[str, ...] = attrs.field(default=(), repr=False)
    excluded: tuple[str, ...] = attrs.field(default=(), repr=False)
    baseline: tuple[str, ...] = attrs.field(repr=False)
    mac: str = attrs.field(default="", repr=False)


_AFTER_AN_END: Final = "Upbit releases the locked amount; to pay again, use a new key"
_NEXT_STEPS: Final[Mapping[PayoutState, str]] = {
    PayoutState.QUEUED: "run sends it",
    PayoutState.SENDING: "its outcome follows with Upbit's answer, or after the end of its lease",
    PayoutState.UNKNOWN: "run or wait determines its outcome after the settling time",
    PayoutState.ACCEPTED: "run or wait follows it until it ends",
    PayoutState.FAILED: _AFTER_AN_END,
    PayoutState.CANCELLED: _AFTER_AN_END,
    PayoutState.REJECTED: _AFTER_AN_END,
    PayoutState.DECLINED: "no money has moved; remove the cause and call retry({key!r}), or use a new key",
    PayoutState.ABANDONED: "nothing more is sent, which is no proof that nothing was sent before",
}
"""What happens next in a state, or what to do. In the other states the newest note says it."""


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
        why = escaped(self.history[-1].note) if self.history else ""
        if self.state.may_be_sent and self.error is not None:
            why = str(self.error)
        return "; ".join(filter(None, (why, self._next_step)))

    @property
    def _next_step(self) -> str:
        """What happens next, or what to do; empty if the newest note says it."""
        if self.state is PayoutState.QUEUED and self.error is not None:
            names_an_action = isinstance(self.error, (PayoutBlocked, PayoutsPaused))
            return "" if names_an_action else "run tries it again by itself"
        if self.state is PayoutState.ABANDONED and self.sent_request is None:
            return "nothing was sent, and nothing will be"
        return _NEXT_STEPS.get(self.state, "").format(key=self.key)

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
