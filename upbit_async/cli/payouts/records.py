"""JSON objects that the commands print. Their members are documented and stable. Pure."""

from __future__ import annotations

import datetime as dt
import enum
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from upbit_async.cli.show import digits
from upbit_async.models.intent import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upbit_async.models import Withdrawal
    from upbit_async.payouts import Payout, PayoutChange, PayoutsHealth
    from upbit_async.payouts.reconciliation import AccountReconciliation

__all__ = [
    "change_record",
    "health_record",
    "line_of",
    "payout_record",
    "reconciliation_record",
    "withdrawal_record",
]


def line_of(record: Mapping[str, Any]) -> str:
    """Return an object as JSON on one line, in ASCII: a text in it can't control a terminal."""
    return json.dumps(record).replace("\x7f", "\\u007f")


def payout_record(payout: Payout, *, full_addresses: bool = False) -> dict[str, Any]:
    """Return a payout as a JSON object. A compacted payout has no payment and no history."""
    intent, sent_request, record = payout.intent, payout.sent_request, payout.record
    return {
        "key": payout.key,
        "state": payout.state.value,
        "is_open": payout.is_open,
        "is_final": payout.state.is_final,
        "is_compacted": bool(payout.digest),
        "reason": payout.reason,
        "currency": intent.currency,
        "net_type": intent.net_type,
        "amount": _plain(intent.amount),
        "address": _address(intent.address, full_addresses=full_addresses),
        "secondary_address": _address(intent.secondary_address, full_addresses=full_addresses),
        "transaction_type": intent.transaction_type,
        "uuid": payout.uuid,
        "withdrawal": None if record is None else withdrawal_record(record),
        "evidence": _plain(payout.evidence),
        "error": None
        if payout.error is None
        else {"type": type(payout.error).__name__, "message": str(payout.error)},
        "candidates": [*payout.candidates],
        "copies": 0 if sent_request is None else sent_request.copies,
        "sent_at": None if sent_request is None else _plain(sent_request.left_utc),
        "not_after": _plain(payout.not_after),
        "created_at": _plain(payout.created_at),
        "updated_at": _plain(payout.updated_at),
        "history": [_record(entry) for entry in payout.history],
    }


def withdrawal_record(withdrawal: Withdrawal) -> dict[str, Any]:
    """Return a withdrawal as a JSON object."""
    return _record(withdrawal)


def change_record(change: PayoutChange) -> dict[str, Any]:
    """Return a change as a JSON object."""
    return _record(change)


def health_record(health: PayoutsHealth) -> dict[str, Any]:
    """Return the state of all payouts as a JSON object."""
    return {
        "journal_ok": health.journal_ok,
        "paused": health.paused,
        **_record(health),
        "pause": None if health.pause is None else _record(health.pause),
        "counts": {state.value: count for state, count in health.counts.items()},
    }


def reconciliation_record(found: AccountReconciliation) -> dict[str, Any]:
    """Return the result of a reconciliation as a JSON object."""
    unowned = [withdrawal_record(withdrawal) for withdrawal in found.unowned]
    return {**_record(found), "unowned": unowned, "reviews": [*found.reviews]}


def _record(item: attrs.AttrsInstance) -> dict[str, Any]:
    """Return the attributes of an object, in a form that JSON can show."""
    return {field.name: _plain(getattr(item, field.name)) for field in attrs.fields(type(item))}


def _plain(value: Any) -> Any:
    match value:
        case enum.Enum():
            return value.value
        case Decimal():
            return digits(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat()
        case _:
            return value


def _address(address: str | None, *, full_addresses: bool) -> str | None:
    return address if address is None or full_addresses else shortened(address)
