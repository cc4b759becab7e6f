"""A payout: one payment under one key, and how far it is.

::

                 ┌────────────── nothing has left ──────────────┐
                 ▼                                              │
    start ──▶ planned ──── noted down, about to leave ──▶ sending ◀── the same copy again ──┐
                 ▲                                        │ │ │ │                           │
    tried again, │        ┌──── Upbit has said no ────────┘ │ │ └── its answer is lost ──┐  │
    on request   │        ▼                                 │ │     or its lease is over │  │
                 └──── refused ◀── a late no ───────────┐   │ └──────────┐               ▼  │
                                                        └───┼────────────┼──────────  unknown
                                                            ▼            │               │  │
    done · failed · cancelled · rejected ◀── watched ── accepted ◀───────┼── found ──────┤  │
                 ▲                                          ▲            ▼               │  │
                 │                                          │       needs_person ◀── in doubt
                 └────────── ended already ─────────────────┤            │               │  │
                                                            └── a person ┤               ▼  │
                                                                 says    └─────────▶ not_sent

`EDGES` is the same as a table. A payout moves only along it, and each move is one change of one row in the
journal, so that two who move it at once can't both succeed.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import UpbitError
from upbit_async.escaping import escaped
from upbit_async.models import Intent, Withdrawal
from upbit_async.protocol.escort import Seal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EDGES", "Departure", "Evidence", "Kind", "Payout", "PayoutState", "Step"]


class PayoutState(StrEnum):
    """How far a payout is."""

    PLANNED = "planned"
    """It is noted down, and nothing of it is on its way."""
    SENDING = "sending"
    """Its request is on its way, or about to be, in the hands of one owner."""
    ACCEPTED = "accepted"
    """Upbit has the withdrawal, whose `uuid` is known, and has not ended it."""
    DONE = "done"
    """It is paid."""
    FAILED = "failed"
    """The withdrawal ended so; what was held for it is given back."""
    CANCELLED = "cancelled"
    """The withdrawal ended so; or a person has given the payout up, and nothing of it was sent."""
    REJECTED = "rejected"
    """The withdrawal ended so."""
    REFUSED = "refused"
    """Upbit did not accept the request. No money has moved."""
    UNKNOWN = "unknown"
    """The answer was lost, and the withdrawal is looked for."""
    NOT_SENT = "not_sent"
    """Upbit does not have the withdrawal. The very same request can be sent again."""
    NEEDS_PERSON = "needs_person"
    """What Upbit shows does not settle it: a person must look, and `Payouts.resolve`."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself, and nobody needs to do anything."""
        return self in _FINAL

    @property
    def is_under_way(self) -> bool:
        """Whether it will be settled by itself: its answer, or its settling time, is waited for."""
        return self in _UNDER_WAY

    @property
    def is_unsettled(self) -> bool:
        """Whether there may be a withdrawal of it that nobody knows by its id: none like it may leave."""
        return self in _UNSETTLED


_FINAL: Final = frozenset(
    {
        PayoutState.DONE,
        PayoutState.FAILED,
        PayoutState.CANCELLED,
        PayoutState.REJECTED,
        PayoutState.REFUSED,
    }
)
_UNDER_WAY: Final = frozenset({PayoutState.SENDING, PayoutState.UNKNOWN})
_UNSETTLED: Final = _UNDER_WAY | {PayoutState.NEEDS_PERSON}
_ENDED: Final = frozenset({PayoutState.DONE, PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED})
_TAKEN: Final = _ENDED | {PayoutState.ACCEPTED}
_JUDGED: Final = _TAKEN | {PayoutState.REFUSED, PayoutState.NEEDS_PERSON}

EDGES: Final[Mapping[PayoutState, frozenset[PayoutState]]] = {
    PayoutState.PLANNED: frozenset({PayoutState.SENDING, PayoutState.NEEDS_PERSON, PayoutState.CANCELLED}),
    PayoutState.SENDING: _JUDGED | {PayoutState.PLANNED, PayoutState.UNKNOWN, PayoutState.NOT_SENT},
    PayoutState.UNKNOWN: _JUDGED | {PayoutState.NOT_SENT},
    PayoutState.NOT_SENT: _JUDGED | {PayoutState.SENDING, PayoutState.UNKNOWN},
    PayoutState.NEEDS_PERSON: _TAKEN | {PayoutState.REFUSED, PayoutState.NOT_SENT},
    PayoutState.ACCEPTED: _TAKEN | {PayoutState.NEEDS_PERSON, PayoutState.NOT_SENT},
    PayoutState.REFUSED: frozenset({PayoutState.PLANNED, PayoutState.NEEDS_PERSON}),
    **{state: _TAKEN | {PayoutState.NEEDS_PERSON, PayoutState.NOT_SENT} for state in _ENDED},
}
"""Where a payout may go from each state.

What is not drawn: a person may give up what is planned or not sent, which is cancelled then. An end is left only if its
withdrawal, which was found by a match, proves to be another's, or if a person says so. And an answer that nobody should
be waiting for goes to a person.
"""


class Evidence(StrEnum):
    """What a payout's outcome rests on."""

    ANSWER = "answer"
    """Upbit's own answer to the request."""
    MATCH = "match"
    """Upbit's list, in which it is the only one that fits, or in which nothing fits."""
    PERSON = "person"
    """A person who has looked."""


@attrs.frozen
class Kind:
    """What Upbit's list tells of a payment. It can't tell two of one kind apart, so one at a time leaves.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        amount: The amount that was asked for.
    """

    currency: str
    net_type: str
    amount: Decimal


@attrs.frozen(kw_only=True)
class Step:
    """One change in the life of a payout.

    Attributes:
        at: When, UTC, by the clock of the machine that made it.
        state: The state from then on.
        note: Why, for people.
    """

    at: dt.datetime
    state: PayoutState
    note: str


@attrs.frozen(kw_only=True)
class Departure:
    """What is known of the request, which all of its copies have in common.

    Attributes:
        seal: What it is signed with; never another, or Upbit could carry out two of its copies.
        signed_by: The digest of the access key that it is signed with. A nonce is used up for one key only.
        copies: How many copies may have left.
        owner: Who sends the copy under way.
        leased_at: Since when it is the owner's, UTC.
        lease_until: Until when nobody else touches it, UTC.
        lost_at: Since when there is no hope of an answer, UTC; None if there still is.
        arrived: Whether Upbit has said that a copy has arrived, and not what became of it.
        answered: Whether Upbit's own answer has told a withdrawal: then it was sent, whatever a person says.
        in_question: The withdrawals that a person is asked about, by their ids in lower case.
        ruled_out: Those of which a person has said that they are not it.
        fence: The newest withdrawals of the currency before the first copy left, newest first, by their
            ids in lower case.
    """

    seal: Seal
    signed_by: str
    copies: int
    owner: str
    leased_at: dt.datetime
    lease_until: dt.datetime
    lost_at: dt.datetime | None = None
    arrived: bool = False
    answered: bool = False
    in_question: tuple[str, ...] = attrs.field(default=(), repr=False)
    ruled_out: tuple[str, ...] = attrs.field(default=(), repr=False)
    fence: tuple[str, ...] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Payout:
    """One payment under one key, as it is known by now. It never changes; the journal has the newest.

    Attributes:
        key: The key, which is yours to choose.
        state: How far it is.
        uuid: The withdrawal's id, once it is known.
        record: The withdrawal as it was last seen.
        error: What stands in the way, or what went wrong last, if anything did.
        evidence: What the outcome rests on; None while there is none.
        history: Everything that has happened to it, oldest first.
        intent: What it asks for.
        departure: What is known of its request; None as long as none has left.
        revision: How often it was changed.
    """

    key: str
    state: PayoutState
    intent: Intent
    uuid: str | None = None
    record: Withdrawal | None = None
    error: UpbitError | None = attrs.field(default=None, eq=False)
    evidence: Evidence | None = None
    history: tuple[Step, ...] = attrs.field(default=(), repr=False)
    departure: Departure | None = attrs.field(default=None, repr=False)
    revision: int = 0

    @property
    def kind(self) -> Kind:
        """Its currency, network and amount."""
        members = self.intent.members
        return Kind(members["currency"], members["net_type"], Decimal(members["amount"]))

    @property
    def reason(self) -> str:
        """Why it is in its state, and what to do about that, for people: the newest note of its history."""
        return escaped(self.history[-1].note) if self.history else ""

    @property
    def is_abandoned(self) -> bool:
        """Whether a person has given it up, so that nothing of it is ever sent."""
        return self.state is PayoutState.CANCELLED and self.uuid is None

    @property
    def in_question(self) -> tuple[str, ...]:
        """The withdrawals that a person is asked about, by their ids in lower case."""
        return () if self.departure is None else self.departure.in_question

    @property
    def known_departure(self) -> Departure:
        """The same as `departure`, of a payout of which a request may have left.

        Raises:
            ValueError: None has.
        """
        if self.departure is None:
            raise ValueError(f"{self} is {self.state} without a request")
        return self.departure

    def __str__(self) -> str:
        return f"payout {self.key!r}, {self.intent}"
