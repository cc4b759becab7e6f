"""Conversion of payouts to database rows and back.

All columns are text and numbers that a person can read with SQLite's own shell. None of them holds an access key, a
secret or a token.
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

__all__ = ["COLUMNS", "entry_of", "entry_row", "payout_of", "record_of", "record_text", "row_of"]

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
    """Return the row of a payout, without its history."""
    criteria = payout.criteria
    return {
        "key": payout.key,
        "revision": payout.revision,
        "state": payout.state.value,
        "is_open": payout.is_open,
        "holds_up_equals": payout.holds_up_equals,
        "may_be_unseen": payout.may_be_unseen,
        "currency": criteria.currency,
        "net_type": criteria.net_type,
        "amount": _canonical(criteria.amount),
        "intent": _intent_text(payout.intent),
        "uuid": payout.uuid,
        "evidence": None if payout.evidence is None else payout.evidence.value,
        "record": None if payout.record is None else _text(attrs.asdict(payout.record)),
        "error": None if payout.error is None else _error_text(payout.error),
        "sent_request": None if payout.sent_request is None else _text(attrs.asdict(payout.sent_request)),
        "mac": payout.mac,
    }


def payout_of(row: Mapping[str, Any], history: Iterable[HistoryEntry]) -> Payout:
    """Return the payout of a row.

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
            else _sent_request_of(decoded(row["sent_request"], what=what)),
            revision=row["revision"],
            mac=row["mac"],
        )
        _check_agrees(payout, row)
    except (ValueError, TypeError, LookupError, DecodeError) as damage:
        raise_alone(
            JournalError(
                f"payout {row['key']!r} can't be read from the journal ({damage}): the row was changed by something "
                "else; take a copy of the journal, and find out by which program"
            )
        )
    return payout


def _check_types(row: Mapping[str, Any]) -> None:
    """Check that each column has its type: SQLite itself accepts bytes in a column of text.

    Raises:
        ValueError: A column has another type.
    """
    for column in COLUMNS:
        expected = int if column in _NUMBERS else str
        if row[column] is not None and not isinstance(row[column], expected):
            raise ValueError(f"its {column} is {type(row[column]).__name__}")


_NUMBERS: Final = frozenset({"revision", "is_open", "holds_up_equals", "may_be_unseen"})


def _check_agrees(payout: Payout, row: Mapping[str, Any]) -> None:
    """Check that the columns of a row do not contradict each other.

    Raises:
        ValueError: They do.
    """
    derived = row_of(payout)
    for column in ("state", "is_open", "holds_up_equals", "may_be_unseen", "currency", "net_type", "amount"):
        if derived[column] != row[column]:
            raise ValueError(f"its {column} does not agree with the rest of the row")
    if payout.state.may_be_sent and payout.uuid is not None:
        raise ValueError(f"it is {payout.state} and has withdrawal {payout.uuid}")
    if payout.state in _WITH_REQUEST and payout.sent_request is None:
        raise ValueError(f"it is {payout.state}, and nothing is recorded of its request")


_WITH_REQUEST: Final = frozenset({PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.NOT_SENT})


def entry_row(payout: Payout, number: int) -> tuple[str, int, str, str, str, str | None]:
    """Return the row of one entry of a payout's history."""
    entry = payout.history[number]
    return payout.key, number, entry.at.isoformat(), entry.state.value, entry.note, entry.actor


def entry_of(row: Mapping[str, Any]) -> HistoryEntry:
    """Return the history entry of a row.

    Raises:
        ValueError: The row is damaged.
        TypeError: Likewise.
    """
    if not isinstance(row["note"], str) or not isinstance(row["actor"], (str, type(None))):
        raise TypeError("an entry of its history is not text")
    return HistoryEntry(
        at=dt.datetime.fromisoformat(row["at"]),
        state=PayoutState(row["state"]),
        note=row["note"],
        actor=row["actor"],
    )


def _canonical(amount: Decimal) -> str:
    """Return an amount in one canonical form, for the index."""
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
    raise TypeError(f"a journal can't store {type(value).__name__}")


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


def _intent_of(value: Mapping[str, Any]) -> Intent:
    members = dict(value["members"])
    if not all(isinstance(text, str) for member in members.items() for text in member):
        raise ValueError("a member of its request is not text")
    inputs.decimal_text("amount", members["amount"])
    return Intent(
        endpoint=value["endpoint"],
        host=value["host"],
        members=members,
        started_at=dt.datetime.fromisoformat(value["started_at"]),
    )


def _sent_request_of(value: Mapping[str, Any]) -> SentRequest:
    return SentRequest(
        **{name: value[name] for name in _PLAIN},
        signing=SigningParams(**value["signing"]),
        previous_state=PayoutState(value["previous_state"]),
        left_at=_moment_of(value["left_at"]),
        left_utc=dt.datetime.fromisoformat(value["left_utc"]),
        lost_at=None if value["lost_at"] is None else _moment_of(value["lost_at"]),
        candidates=tuple(value["candidates"]),
        excluded=tuple(value["excluded"]),
        baseline=tuple(value["baseline"]),
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


def _moment_of(value: Mapping[str, Any]) -> Moment:
    return Moment(tuple((epoch, seconds) for epoch, seconds in value["readings"]))


def record_text(record: Withdrawal) -> str:
    """Return the JSON text of a withdrawal."""
    return _text(attrs.asdict(record))


def record_of(text: str) -> Withdrawal:
    """Return the withdrawal of a JSON text.

    Raises:
        JournalError: The text is damaged.
    """
    try:
        return _record_of(text)
    except (TypeError, DecodeError) as damage:
        raise_alone(
            JournalError(
                f"a withdrawal can't be read from the journal ({damage}): it was changed by something else; take a "
                "copy of the journal, and find out by which program"
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


def _error_of(value: Mapping[str, Any], intent: Intent) -> UpbitError:
    """Return the stored error: of the same class, with the same text and attributes."""
    kind: object = getattr(errors, value["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, UpbitError)):
        kind = UpbitError  # written by a version with more classes
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
    state |= value["about"] | {"may_have_executed": value["may_have_executed"], "resume_token": None}
    if "uuids" in state:
        state["uuids"] = tuple(state["uuids"])
    if value["until"] is not None:
        state["until"] = dt.datetime.fromisoformat(value["until"])
    if value["reasons"]:
        state["reasons"] = tuple(errors.Reason(*each) for each in value["reasons"])
    error = kind.__new__(kind, value["text"])  # its constructor may need more than is stored
    vars(error).update(state)
    return error
