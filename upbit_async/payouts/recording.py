"""Recording of manual decisions: checks whether a decision is allowed, and writes it to the journal.

The methods that people call are in `resolving`, the state changes in `manual`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from upbit_async.checks import contradictions, fits
from upbit_async.errors import PayoutConflict, raise_alone
from upbit_async.escaping import escaped
from upbit_async.payouts import manual
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_time import is_recent
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["abandon", "acknowledge", "raise_if_not_resolvable", "resolve_as", "resolve_as_not_sent", "retry"]

_RESOLVABLE: Final = frozenset({PayoutState.UNKNOWN, PayoutState.NOT_SENT, PayoutState.NEEDS_REVIEW})
_OPEN_IF_SENT: Final = frozenset({PayoutState.QUEUED, PayoutState.ABANDONED})
_ABANDONABLE: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.NOT_SENT})
_FRESH: Final = dt.timedelta(hours=1)
"""Time after a copy was sent for which `abandon` needs `force`."""


def raise_if_not_resolvable(payout: Payout) -> None:
    """Check that a payout can be resolved: its outcome is open, or rests on a match or a manual decision.

    Raises:
        ValueError: The outcome is certain, nothing was sent, or a copy is being sent: a finding about an earlier copy
            would be recorded for that one.
    """
    if payout.digest:
        raise ValueError(f"{payout} was compacted, so its outcome can't be changed any more")
    if payout.state is PayoutState.SENDING:
        raise ValueError(f"{payout} can't be resolved while a copy of it is being sent; wait for its outcome")
    is_open = (
        payout.state in _RESOLVABLE
        or bool(payout.candidates)
        or (payout.state in _OPEN_IF_SENT and payout.sent_request is not None)
        or payout.evidence in {Evidence.MATCH, Evidence.MANUAL}
    )
    was_never_sent = payout.sent_request is None and payout.uuid is None and not payout.candidates
    if was_never_sent or not is_open:
        raise ValueError(f"{payout} is {payout.state}, and there is nothing to resolve")


async def resolve_as(
    repository: PayoutRepository, payout: Payout, record: Withdrawal, decision: ManualDecision
) -> Payout:
    """Record which withdrawal a payout is.

    Raises:
        ValueError: The withdrawal has another currency, network or amount, or is older than the payout.
        PayoutConflict: It belongs to another payout, or the payout has just changed.
    """
    uuid = record.uuid.casefold()
    related = await repository.journal.related(payout.criteria.currency, [uuid])
    if (owner := related.owner_of(uuid, other_than=payout.key)) is not None:
        raise _belongs_to(owner, uuid)
    if not payout.is_withdrawal(uuid) and (why := await _why_not(repository, payout, record)):
        raise ValueError(f"{payout} can't be withdrawal {escaped(uuid)}, {why}; give another uuid")
    return await _swap(repository, payout, manual.resolved(payout, record, decision, await repository.now()))


async def _why_not(repository: PayoutRepository, payout: Payout, record: Withdrawal) -> str:
    """Return why a withdrawal can't be the payout's; empty if it can."""
    if payout.sent_request is not None and record.uuid.casefold() in payout.sent_request.baseline:
        return "which was there before the payout was first sent"
    if wrong := contradictions(payout.intent, record):
        return f"which is {wrong}"
    fee_convention = await repository.fee_convention()
    if (
        fee_convention is not None
        and record.fee is not None
        and not fits(payout.intent, record, fee_convention)
    ):
        fee = f"{record.amount:f} with a fee of {record.fee:f}"
        return (
            f"which has an amount of {fee}, and Upbit's answers show that amounts are {fee_convention.value}"
        )
    return ""


async def resolve_as_not_sent(
    repository: PayoutRepository, payout: Payout, decision: ManualDecision
) -> Payout:
    """Record that Upbit does not have a payout, and acknowledge its candidates as no payouts.

    A candidate that another payout has, or that is a candidate of another open one, may be that one. So it is only
    excluded for this one.

    Raises:
        ValueError: Upbit's own answer has named its withdrawal.
    """
    if payout.sent_request is not None and payout.sent_request.answered:
        raise ValueError(
            f"{payout} can't be resolved as not sent: Upbit's own answer has named its withdrawal, so it was sent"
        )
    candidates = payout.candidates
    if payout.sent_request is not None:
        payout = await _swap(
            repository, payout, manual.resolved_as_not_sent(payout, decision, await repository.now())
        )
    currency = payout.criteria.currency
    for uuid in candidates:
        related = await repository.journal.related(currency, [uuid])
        others = (each for each in related.payouts if each.key != payout.key)
        if not any(other.is_withdrawal(uuid) or uuid in _open_candidates(other) for other in others):
            await acknowledge(repository, uuid, currency, decision)
    return await repository.read(payout.key)


async def acknowledge(
    repository: PayoutRepository, uuid: str, currency: str, decision: ManualDecision
) -> None:
    """Record that a withdrawal is no payout, and remove it from the candidates of all payouts.

    Raises:
        PayoutConflict: It belongs to a payout.
    """
    try:
        await repository.journal.acknowledge(uuid, currency, decision, (await repository.now()).utc)
    except ConflictingPayout as conflict:
        raise_alone(_belongs_to(conflict.by_key, uuid))
    for other in (await repository.journal.related(currency, [uuid])).payouts:
        if uuid in other.candidates:
            await repository.change(
                other.key, lambda payout, now: manual.acknowledged(payout, uuid, decision, now)
            )


async def abandon(
    repository: PayoutRepository, payout: Payout, decision: ManualDecision, *, force: bool
) -> Payout:
    """Record that nothing more is sent for a payout.

    Raises:
        ValueError: Its outcome is open, or a copy was sent within the last hour and `force` is False.
    """
    if payout.state is PayoutState.ABANDONED:
        return payout
    if payout.state not in _ABANDONABLE:
        raise ValueError(
            f"{payout} is {payout.state}, and only a payout that is planned, queued or not_sent can be abandoned"
        )
    now, sent_request = await repository.now(), payout.sent_request
    if (
        sent_request is not None
        and not force
        and is_recent(sent_request.left_at, sent_request.left_utc, _FRESH, now)
    ):
        raise ValueError(
            f"{payout} can't be abandoned yet: a copy was sent at {sent_request.left_utc:%Y-%m-%d %H:%M:%S} UTC, less "
            "than an hour ago, and may still be carried out although Upbit's list does not show it; wait, or call "
            f"abandon({payout.key!r}, force=True) and check Upbit's website later"
        )
    return await _swap(repository, payout, manual.abandoned(payout, decision, now))


async def retry(
    repository: PayoutRepository, payout: Payout, decision: ManualDecision, *, new_nonce: bool
) -> Payout:
    """Record that a payout is sent again.

    Raises:
        ValueError: It is neither not_sent nor declined, or it needs a new nonce, or may not have one yet.
    """
    key, sent_request = repr(payout.key), payout.sent_request
    is_authentic = repository.authenticator.verifies(payout)
    waits_for_key = payout.state.may_be_sent and not is_authentic
    if payout.state not in {PayoutState.NOT_SENT, PayoutState.DECLINED} and not waits_for_key:
        raise ValueError(
            f"{payout} is {payout.state}, and only a payout that is not_sent or declined can be sent again"
        )
    if new_nonce and sent_request is not None and payout.evidence is not Evidence.MANUAL:
        raise ValueError(
            f"{payout} can't be sent again yet: a copy with a new nonce could be carried out in addition to the first; "
            f"compare with Upbit's website and call resolve({key}, not_sent=True) before retry({key}, new_nonce=True)"
        )
    if not new_nonce and sent_request is not None and sent_request.arrived:
        raise ValueError(
            f"{payout} can't be sent again: Upbit has refused its nonce as used, and would refuse it again; compare "
            f"with Upbit's website, call resolve({key}, not_sent=True), then retry({key}, new_nonce=True)"
        )
    if not new_nonce and sent_request is not None and not sent_request.needs_new_nonce and not is_authentic:
        raise ValueError(
            f"{payout} can't be sent again: its row in the journal was written with another journal key, or changed by "
            "something else, so its nonce can't be trusted; compare with Upbit's website, call "
            f"resolve({key}, not_sent=True), then retry({key}, new_nonce=True)"
        )
    needs_new_nonce = sent_request is not None and (
        new_nonce or (waits_for_key and sent_request.needs_new_nonce)
    )
    mac = payout.mac
    if waits_for_key or new_nonce:  # this authorises the payment in the row
        mac = repository.authenticator.payment_mac(payout.key, payout.intent.members)
    return await _swap(
        repository,
        payout,
        manual.queued(payout, decision, await repository.now(), needs_new_nonce=needs_new_nonce, mac=mac),
    )


def _belongs_to(key: str, uuid: str | None) -> PayoutConflict:
    return PayoutConflict(f"withdrawal {uuid} belongs to payout {key!r}")


async def _swap(repository: PayoutRepository, payout: Payout, changed: Payout) -> Payout:
    try:
        return await repository.compare_and_swap(payout, changed)
    except ConflictingPayout as conflict:
        raise_alone(_belongs_to(conflict.by_key, changed.uuid))
    except StaleRevision:
        raise_alone(PayoutConflict(f"{payout} has changed just now; read it again, then repeat the call"))


def _open_candidates(payout: Payout) -> tuple[str, ...]:
    return payout.candidates if payout.is_open else ()
