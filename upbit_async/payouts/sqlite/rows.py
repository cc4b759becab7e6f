"""Conversion of payouts to database rows and back.

Everything is text that a person can read with SQLite's own shell. Neither a key nor a token is among it.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async import errors
from upbit_async.errors import (
    DecodeError,
    JournalError,
    OutcomeUnknown,
    PayoutBlocked,
    UpbitError,
    raise_alone,
)
from upbit_async.models import Intent, Withdrawal
from upbit_async.payouts.journal_time import Moment
from upbit_async.payouts.payout import Evidence, HistoryEntry, Payout, PayoutState, SentRequest
from upbit_async.payouts.sqlite.json_text import decoded
from upbit_async.protocol.decode import decode
from upbit_async.protocol.send_guard import SigningParams
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["COLUMNS", "payout_of", "record_of", "record_text", "row_of", "step_of", "step_row"]

COLUMNS: Final = (
    "key",
    "revision",
    "state",
    "is_open",
    "holds_up_equals",
    "may_be_unseen",
    "currency",
    "net_type",
    "amount",
    "intent",
    "uuid",
    "evidence",
    "record",
    "error",
    "sent_request",
    "mac",
)


def row_of(payout: Payout) -> dict[str, str | int | None]:
    """Write a payout, all but its history."""
    kind = payout.criteria
    return {
        "key": payout.key,
        "revision": payout.revision,
        "state": payout.state.value,
        "is_open": payout.is_open,
        "holds_up_equals": payout.holds_up_equals,
        "may_be_unseen": payout.may_be_unseen,
        "currency": kind.currency,
        "net_type": kind.net_type,
        "amount": _canonical(kind.amount),
        "intent": _intent_text(payout.intent),
        "uuid": payout.uuid,
        "evidence": None if payout.evidence is None else payout.evidence.value,
        "record": None if payout.record is None else _text(attrs.asdict(payout.record)),
        "error": None if payout.error is None else _error_text(payout.error),
        "sent_request": None if payout.sent_request is None else _text(attrs.asdict(payout.sent_request)),
        "mac": payout.mac,
    }


def payout_of(row: Mapping[str, Any], history: Iterable[HistoryEntry]) -> Payout:
    """Read a payout.

    Raises:
        JournalError: The row is damaged.
    """
    try:
        what = f"payout {row['key']!r}"
        _check_types(row)
        intent = _intent_of(decoded(row["intent"], what=what))
        payout = Payout(
            key=row["key"],
            state=PayoutState(row["state"]),
            intent=intent,
            uuid=row["uuid"],
            record=None if row["record"] is None else _record_of(row["record"]),
            error=None if row["error"] is None else _error_of(decoded(row["error"], what=what), intent),
            evidence=None if row["evidence"] is None else Evidence(row["evidence"]),
            history=tuple(history),
            sent_request=None
            if row["sent_request"] is None
            else _departure_of(decoded(row["sent_request"], what=what)),
            revision=row["revision"],
            mac=row["mac"],
        )
        _check_agrees(payout, row)
    except (ValueError, TypeError, LookupError, DecodeError) as damage:
        raise_alone(
            JournalError(
                f"payout {row['key']!r} can't be read from the journal ({damage}): it was changed by something else"
            )
        )
    return payout


def _check_types(row: Mapping[str, Any]) -> None:
    """Make sure that each column holds what it was made for: SQLite itself takes bytes for text.

    Raises:
        ValueError: One does not.
    """
    for column in COLUMNS:
        expected = int if column in _NUMBERS else str
        if row[column] is not None and not isinstance(row[column], expected):
            raise ValueError(f"its {column} is {type(row[column]).__name__}")


_NUMBERS: Final = frozenset({"revision", "is_open", "holds_up_equals", "may_be_unseen"})


def _check_agrees(payout: Payout, row: Mapping[str, Any]) -> None:
    """Make sure that a row says one thing only.

    Raises:
        ValueError: It does not.
    """
    derived = row_of(payout)
    for column in ("state", "is_open", "holds_up_equals", "may_be_unseen", "currency", "net_type", "amount"):
        if derived[column] != row[column]:
            raise ValueError(f"its {column} does not agree with the rest of the row")
    if payout.state.may_leave and payout.uuid is not None:
        raise ValueError(f"it is {payout.state} and has withdrawal {payout.uuid}")
    if payout.state in _WITH_DEPARTURE and payout.sent_request is None:
        raise ValueError(f"it is {payout.state}, and nothing is recorded of its request")


_WITH_DEPARTURE: Final = frozenset({PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.NOT_SENT})


def step_row(payout: Payout, number: int) -> tuple[str, int, str, str, str, str | None]:
    """Write one step of a payout's history."""
    step = payout.history[number]
    return payout.key, number, step.at.isoformat(), step.state.value, step.note, step.actor


def step_of(row: Mapping[str, Any]) -> HistoryEntry:
    """Read one step.

    Raises:
        ValueError: It is damaged.
        TypeError: Likewise.
    """
    if not isinstance(row["note"], str) or not isinstance(row["actor"], (str, type(None))):
        raise TypeError("a step of its history is no text")
    return HistoryEntry(
        at=dt.datetime.fromisoformat(row["at"]),
        state=PayoutState(row["state"]),
        note=row["note"],
        actor=row["actor"],
    )


def _canonical(amount: Decimal) -> str:
    """Write an amount in one way only, for the index."""
    whole, _, fraction = format(amount, "f").partition(".")
    fraction = fraction.rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no place in a journal")


def _record_of(text: object) -> Withdrawal:
    if not isinstance(text, str):
        raise TypeError(f"a withdrawal was expected as text, found {type(text).__name__}")
    return decode(Withdrawal, text.encode(), asked="the journal")


def _intent_text(intent: Intent) -> str:
    return _text(
        {
            "endpoint": intent.endpoint,
            "host": intent.host,
            "members": [[name, value] for name, value in intent.members.items()],
            "started_at": intent.started_at,
        }
    )


def _intent_of(told: Mapping[str, Any]) -> Intent:
    members = dict(told["members"])
    if not all(isinstance(text, str) for member in members.items() for text in member):
        raise ValueError("a member of its request is no text")
    inputs.decimal_text("amount", members["amount"])
    return Intent(
        endpoint=told["endpoint"],
        host=told["host"],
        members=members,
        started_at=dt.datetime.fromisoformat(told["started_at"]),
    )


def _departure_of(told: Mapping[str, Any]) -> SentRequest:
    return SentRequest(
        **{name: told[name] for name in _PLAIN},
        signing=SigningParams(**told["signing"]),
        previous_state=PayoutState(told["previous_state"]),
        left_at=_moment_of(told["left_at"]),
        left_utc=dt.datetime.fromisoformat(told["left_utc"]),
        lost_at=None if told["lost_at"] is None else _moment_of(told["lost_at"]),
        candidates=tuple(told["candidates"]),
        excluded=tuple(told["excluded"]),
        baseline=tuple(told["baseline"]),
    )


_PLAIN: Final = (
    "signed_by",
    "copies",
    "owner",
    "lease",
    "is_bounded",
    "arrived",
    "answered",
    "reopened",
    "needs_new_nonce",
    "mac",
)


def _moment_of(told: Mapping[str, Any]) -> Moment:
    return Moment(tuple((epoch, seconds) for epoch, seconds in told["readings"]))


def record_text(record: Withdrawal) -> str:
    """Write a withdrawal."""
    return _text(attrs.asdict(record))


def record_of(text: str) -> Withdrawal:
    """Read a withdrawal.

    Raises:
        JournalError: The text is damaged.
    """
    try:
        return _record_of(text)
    except (TypeError, DecodeError) as damage:
        raise_alone(
            JournalError(
                f"a withdrawal can't be read from the journal ({damage}): it was changed by something else"
            )
        )


_ABOUT: Final = (
    "status",
    "name",
    "message",
    "endpoint",
    "retry_after",
    "path",
    "by_key",
    "key",
    "uuids",
    "uuid",
    "asked_for",
    "connection_bounded",
)


def _error_text(error: UpbitError) -> str:
    about = {name: vars(error)[name] for name in _ABOUT if vars(error).get(name) is not None}
    until = vars(error).get("until")
    reasons = [attrs.astuple(reason) for reason in vars(error).get("reasons", ())]
    return _text(
        {
            "kind": type(error).__name__,
            "text": str(error),
            "may_have_executed": error.may_have_executed,
            "about": about,
            "until": until,
            "reasons": reasons,
        }
    )


def _error_of(told: Mapping[str, Any], intent: Intent) -> UpbitError:
    """Make an error again: of the same class, with the same words and the same attributes."""
    kind: object = getattr(errors, told["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, UpbitError)):
        kind = UpbitError  # of a version that knew more of them
    state: dict[str, Any] = {}
    if issubclass(kind, OutcomeUnknown):
        state = {"status": None, "name": "", "intent": intent, "raw": "", "uuid": None}
        state["connection_bounded"] = False
    if issubclass(kind, DecodeError):
        state = {"raw": "", "uuid": None}
    if issubclass(kind, PayoutBlocked):
        state = {"by_key": None, "uuids": ()}
    if issubclass(kind, JournalError):
        state = {"key": None}
    state |= told["about"] | {"may_have_executed": told["may_have_executed"], "resume_token": None}
    if "uuids" in state:
        state["uuids"] = tuple(state["uuids"])
    if told["until"] is not None:
        state["until"] = dt.datetime.fromisoformat(told["until"])
    if told["reasons"]:
        state["reasons"] = tuple(errors.Reason(*each) for each in told["reasons"])
    error = kind.__new__(kind, told["text"])  # its constructor may want more than is known
    vars(error).update(state)
    return error
