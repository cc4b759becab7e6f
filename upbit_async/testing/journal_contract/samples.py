"""Payouts and withdrawals for the journal contract, in every state, at chosen times."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async import errors
from upbit_async.models import Intent, Withdrawal, WithdrawalState
from upbit_async.payouts import manual, queueing, transitions
from upbit_async.payouts.departure import UNCONDITIONAL, DepartureConditions
from upbit_async.payouts.journal_time import JournalTime, Now
from upbit_async.payouts.manual import ManualDecision
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from upbit_async.payouts.journal import Journal
    from upbit_async.payouts.payout import Payout, PayoutState

__all__ = [
    "DECISION",
    "HOST",
    "NOW",
    "UTC",
    "accepted",
    "departing",
    "later",
    "noted",
    "planned",
    "record",
    "samples",
    "sending",
    "settled",
]

HOST: Final = "sg-api.upbit.com"
UTC: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NOW: Final = Now(UTC, JournalTime(1000.0, "boot"))
DECISION: Final = ManualDecision(note="compared with the website", actor="Ann")
_LEASE: Final = transitions.Lease("this test", 90.0)


def later(*, utc: float = 0.0, journal: float = 0.0) -> Now:
    """Return a time that is later by some seconds, which may differ between the clocks."""
    seconds = NOW.journal.seconds + journal
    return Now(UTC + dt.timedelta(seconds=utc), JournalTime(seconds, NOW.journal.epoch))


def planned(key: str, at: dt.datetime = UTC, /, **members: str) -> Payout:
    """Return a planned payout: 13 USDT on TRX, unless the members of its request say otherwise."""
    usual = {"currency": "USDT", "net_type": "TRX", "amount": "13", "address": "TFakeTronWithdrawAddress"}
    intent = Intent(
        endpoint="POST /v1/withdraws/coin", host=HOST, members={**usual, **members}, started_at=at
    )
    return queueing.planned(key, intent)


def departing(payout: Payout, now: Now = NOW) -> Payout:
    """Return a payout with its first copy, or with one more."""
    if payout.sent_request is not None:
        return transitions.departing_again(payout, _LEASE, now)
    signing = transitions.SigningRecord(SigningParams(nonce="n", algorithm="HS256"), signed_by="a digest")
    return transitions.departing(payout, _LEASE, now, signing, baseline=("w-0",))


def noted(payout: Payout, note: str) -> Payout:
    """Return a payout in the same state with one more note."""
    return transitions.moved(payout, payout.state, NOW, note)


def record(uuid: str, amount: str = "13", currency: str = "USDT") -> Withdrawal:
    """Return a withdrawal."""
    return Withdrawal(
        uuid=uuid, currency=currency, net_type="TRX", state=WithdrawalState.WAITING, amount=Decimal(amount)
    )


async def sending(
    journal: Journal,
    key: str,
    conditions: DepartureConditions = UNCONDITIONAL,
    now: Now = NOW,
    /,
    **members: str,
) -> Payout:
    """Add a payout and record its first copy."""
    payout = await journal.add(planned(key, **members))
    return await journal.compare_and_swap(payout, departing(payout, now), conditions)


async def accepted(journal: Journal, key: str, uuid: str, /, **members: str) -> Payout:
    """Add a payout that Upbit has accepted as a withdrawal."""
    payout = await sending(journal, key, **members)
    withdrawal = record(uuid, members.get("amount", "13"), members.get("currency", "USDT"))
    return await journal.compare_and_swap(payout, _required(transitions.answered(payout, withdrawal, NOW)))


async def settled(journal: Journal, key: str, state: PayoutState, /, **members: str) -> Payout:
    """Add a payout of which a copy was recorded, and which is now in a state."""
    payout = await sending(journal, key, **members)
    return await journal.compare_and_swap(payout, attrs.evolve(noted(payout, "settled"), state=state))


def samples() -> list[Payout]:
    """Return a payout in each state that a journal can meet, with errors of several kinds."""
    new = planned("k")
    sent = departing(new)
    lost = errors.OutcomeUnknown("the answer was lost", intent=new.intent)
    refused = errors.ValidationError("no", status=400, name="no")
    unknown = _required(transitions.lost(sent, lost, lease_holder=_LEASE.holder, now=NOW))
    review = _required(transitions.doubtful(unknown, "two withdrawals fit", ["w-1", "w-2"], NOW))
    not_sent = transitions.not_found(unknown, NOW)
    limit = errors.AmountLimitExceeded(
        "too much", currency="USDT", limit=Decimal("10.50"), departed=Decimal("0.1")
    )
    return [
        new,
        attrs.evolve(new, error=errors.NotSent("the network is down")),
        attrs.evolve(new, not_after=UTC + dt.timedelta(days=1), error=limit),
        attrs.evolve(new, error=errors.PayoutBlocked("wait", by_key="another", uuids=("w-8",)), mac="1:0"),
        sent,
        unknown,
        review,
        not_sent,
        _required(transitions.answered(sent, record("w-1"), NOW)),
        _required(transitions.adopted(unknown, record("w-2"), NOW)),
        _required(transitions.declined(sent, refused, lease_holder=_LEASE.holder, now=NOW)),
        manual.resolved(review, record("w-3"), DECISION, NOW),
        manual.abandoned(not_sent, DECISION, NOW),
        manual.queued(not_sent, DECISION, NOW, needs_new_nonce=False, mac=""),
    ]


def _required(payout: Payout | None) -> Payout:
    assert payout is not None
    return payout
