"""Payouts in every state, for tests that need no exchange."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import attrs

from upbit_async import errors
from upbit_async.models import Intent, Withdrawal, WithdrawalState
from upbit_async.payouts import Payout, manual, queueing, transitions
from upbit_async.payouts.journal_time import JournalTime, Moment, Now
from upbit_async.protocol.send_guard import SigningParams

__all__ = [
    "AGAIN",
    "ANN",
    "ARRIVED",
    "EVERY",
    "FOUND",
    "INTENT",
    "IN_DOUBT",
    "LATER",
    "LEASE",
    "LOST",
    "NOT_SENT",
    "PLANNED",
    "REFUSED",
    "SENDING",
    "UNKNOWN",
    "WHEN",
    "at",
    "departing",
    "planned",
    "record",
    "with_expired_lease",
]

LEASE = 90.0


def at(seconds: float) -> Now:
    """Return the time that is this many seconds after the start."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return Now(start + dt.timedelta(seconds=seconds), JournalTime(1000.0 + seconds, "boot/clock"))


WHEN = at(0)
LATER = at(LEASE)
INTENT = Intent(
    endpoint="POST /v1/withdraws/coin",
    host="h",
    members={"currency": "USDT", "net_type": "TRX", "amount": "13", "address": "TCANARYADDRESS"},
    started_at=WHEN.utc,
)


def planned(key: str, **members: str) -> Payout:
    """Return a planned payout, with other members of its request than the usual ones."""
    return queueing.planned(key, attrs.evolve(INTENT, members={**INTENT.members, **members}))


PLANNED = planned("k")
LOST = errors.OutcomeUnknown("lost", intent=INTENT)
ARRIVED = errors.OutcomeUnknown("lost", intent=INTENT, name="nonce_used", status=401)
SIGNATURE = transitions.SigningRecord(SigningParams(nonce="n", algorithm="HS256"), signed_by="f")
REFUSED = errors.ValidationError("no", status=400, name="no")


def record(uuid: str = "w-1", state: str = "WAITING", amount: str = "13") -> Withdrawal:
    return Withdrawal(
        uuid=uuid, currency="USDT", net_type="TRX", state=WithdrawalState(state), amount=Decimal(amount)
    )


def departing(planned: Payout = PLANNED, owner: str = "me") -> Payout:
    return transitions.departing(planned, transitions.Lease(owner, LEASE), WHEN, SIGNATURE, baseline=("old",))


SENDING = departing()
_UNKNOWN = transitions.lost(SENDING, LOST, lease_holder="me", now=WHEN)
assert _UNKNOWN is not None
UNKNOWN: Payout = _UNKNOWN
NOT_SENT = transitions.not_found(UNKNOWN, WHEN)
AGAIN = transitions.departing_again(NOT_SENT, transitions.Lease("me", LEASE), WHEN)
_IN_DOUBT = transitions.doubtful(UNKNOWN, "why", ["w-8"], WHEN)
assert _IN_DOUBT is not None
IN_DOUBT: Payout = _IN_DOUBT
ANN = manual.ManualDecision(note="looked", actor="Ann")
FOUND = transitions.adopted(UNKNOWN, record(), WHEN)
EVERY = {
    "planned": PLANNED,
    "sending": SENDING,
    "unknown": UNKNOWN,
    "not sent": NOT_SENT,
    "sending again": AGAIN,
    "in doubt": IN_DOUBT,
    "found": FOUND,
    "answered": transitions.answered(SENDING, record(), WHEN),
    "done": transitions.answered(SENDING, record(state="DONE"), WHEN),
    "said by a person": manual.resolved(IN_DOUBT, record(), ANN, WHEN),
    "given up": manual.abandoned(PLANNED, ANN, WHEN),
    "given up unsent": manual.abandoned(NOT_SENT, ANN, WHEN),
    "released": manual.queued(NOT_SENT, ANN, WHEN, needs_new_nonce=False, mac=""),
    "declined": transitions.declined(SENDING, REFUSED, lease_holder="me", now=WHEN),
}


def with_expired_lease(payout: Payout, now: Now) -> Payout:
    """Return a payout whose lease is over, with its loss recorded now."""
    over = transitions.expired(
        payout,
        attrs.evolve(
            now,
            journal=attrs.evolve(now.journal, seconds=now.journal.seconds + payout.required_request.lease),
        ),
    )
    assert over is not None
    return attrs.evolve(
        over, sent_request=attrs.evolve(over.required_request, lost_at=Moment.at(now.journal))
    )
