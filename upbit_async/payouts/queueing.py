"""State changes of a payout before a copy of it is recorded. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from upbit_async.payouts.payout import HistoryEntry, Payout, PayoutState
from upbit_async.payouts.transitions import moved

if TYPE_CHECKING:
    import datetime as dt

    from upbit_async.errors import PreflightFailed, UpbitError
    from upbit_async.models import Intent
    from upbit_async.payouts.journal_time import Now

__all__ = ["declined_by_preflight", "enqueued", "failed", "is_overdue", "overdue", "planned", "promoted"]


def planned(key: str, intent: Intent, mac: str = "") -> Payout:
    """Return a new payout that only its caller sends."""
    entry = HistoryEntry(at=intent.started_at, state=PayoutState.PLANNED, note="requested; nothing was sent")
    return Payout(key=key, state=PayoutState.PLANNED, intent=intent, history=(entry,), mac=mac)


def enqueued(key: str, intent: Intent, mac: str = "", not_after: dt.datetime | None = None) -> Payout:
    """Return a new payout that `Payouts.run` sends."""
    entry = HistoryEntry(at=intent.started_at, state=PayoutState.QUEUED, note="enqueued")
    return Payout(
        key=key, state=PayoutState.QUEUED, intent=intent, history=(entry,), mac=mac, not_after=not_after
    )


def promoted(payout: Payout, now: Now, not_after: dt.datetime | None = None) -> Payout | None:
    """Let `Payouts.run` send a payout that only its caller would send, also if its copy is held back only later."""
    sent_request = payout.sent_request
    if payout.state is PayoutState.PLANNED:
        note = "enqueued"
        return moved(payout, PayoutState.QUEUED, now, note, error=None, not_after=not_after)
    if (
        payout.state is PayoutState.SENDING
        and sent_request is not None
        and sent_request.previous_state is PayoutState.PLANNED
    ):
        later = attrs.evolve(sent_request, previous_state=PayoutState.QUEUED)
        return attrs.evolve(payout, sent_request=later, not_after=not_after)
    return None


def failed(payout: Payout, error: UpbitError, _now: Now | None = None) -> Payout | None:
    """Record why the payout could not be sent; its state stays."""
    if not payout.state.may_be_sent or str(payout.error) == str(error):
        return None
    return attrs.evolve(payout, error=error)


def declined_by_preflight(payout: Payout, error: PreflightFailed, now: Now) -> Payout | None:
    """Record that a check found what time does not remove, so that the payout is not sent."""
    if payout.state is not PayoutState.QUEUED or payout.sent_request is not None:
        return None
    return moved(payout, PayoutState.DECLINED, now, str(error), error=error)


def is_overdue(payout: Payout, now: Now) -> bool:
    """Return whether the time has passed until which the first copy may be sent."""
    is_unsent = payout.state.may_be_sent and payout.sent_request is None
    return is_unsent and payout.not_after is not None and now.utc > payout.not_after


def overdue(payout: Payout, now: Now) -> Payout | None:
    """Abandon a payout whose time has passed before a copy was sent."""
    if not is_overdue(payout, now):
        return None
    note = f"nothing was sent before its not_after, {payout.not_after:%Y-%m-%d %H:%M:%S} UTC"
    why = "" if payout.error is None else f": {payout.error}"
    return moved(payout, PayoutState.ABANDONED, now, f"{note}{why}", error=None)
