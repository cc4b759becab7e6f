"""Conversion of payouts to database rows and back.

All columns but the digest of a compacted payout are text and numbers that a person can read with SQLite's own shell.
None of them holds an access key, a secret or a token.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from upbit_async.errors import DecodeError, JournalError, raise_alone
from upbit_async.escaping import escaped
from upbit_async.models import Intent, Withdrawal
from upbit_async.payouts.changes import PayoutChange
from upbit_async.payouts.compacted import amount_text, digest_of, remains
from upbit_async.payouts.payout import Evidence, HistoryEntry, Payout, PayoutState
from upbit_async.payouts.sqlite.damage import damaged, damaged_payout
from upbit_async.payouts.sqlite.error_text import error_of, error_text
from upbit_async.payouts.sqlite.json_text import decoded, encoded, time_of
from upbit_async.payouts.sqlite.request_text import request_of, request_text
from upbit_async.protocol.decode import decode
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "COLUMNS",
    "change_of",
    "compacted_of",
    "compacted_row",
    "entry_of",
    "entry_row",
    "intent_of",
    "key_of",
    "payout_of",
    "record_of",
    "record_text",
    "row_of",
    "time_text",
]

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
    "not_after",
    "created_at",
    "left_utc",
    "left_epoch",
    "left_seconds",
)
"""The columns that a payout determines; the others depend on its history and its claim."""

Row: TypeAlias = "dict[str, str | int | float | None]"


def row_of(payout: Payout) -> Row:
    """Return the row of a payout, without its history."""
    sent_request = payout.sent_request
    row: Row = {
        "key": payout.key,
        "revision": payout.revision,
        "intent": _intent_text(payout.intent),
        "uuid": payout.uuid,
        "evidence": None if payout.evidence is None else payout.evidence.value,
        "record": None if payout.record is None else record_text(payout.record),
        "error": None if payout.error is None else error_text(payout.error),
        "sent_request": None if sent_request is None else request_text(sent_request),
        "mac": payout.mac,
        "not_after": None if payout.not_after is None else time_text(payout.not_after),
        "created_at": time_text(payout.created_at),
        "left_utc": None,
        "left_epoch": None,
        "left_seconds": None,
    }
    if sent_request is not None:
        epoch, seconds = sent_request.left_at.readings[-1]
        row |= {"left_utc": time_text(sent_request.left_utc), "left_epoch": epoch, "left_seconds": seconds}
    return row | _derived(payout)


def _derived(payout: Payout) -> Row:
    """Return the columns by which other payouts are held up or not; a row that contradicts them is refused."""
    criteria = payout.criteria
    return {
        "state": payout.state.value,
        "is_open": payout.is_open,
        "holds_up_equals": payout.holds_up_equals,
        "may_be_unseen": payout.may_be_unseen,
        "currency": criteria.currency,
        "net_type": criteria.net_type,
        "amount": amount_text(criteria.amount),
    }


def time_text(time: dt.datetime) -> str:
    """Return a time as text: in UTC, so that texts are in the order of the times."""
    return time.astimezone(dt.UTC).isoformat()


def payout_of(row: Mapping[str, Any], history: Iterable[HistoryEntry]) -> Payout:
    """Return the payout of a row.

    Raises:
        JournalError: The row is damaged.
    """
    try:
        what = f"payout {row['key']!r}"
        _check_types(row)
        intent = intent_of(row["intent"], what=what)
        payout = Payout(
            key=row["key"],
            state=PayoutState(row["state"]),
            intent=intent,
            uuid=row["uuid"],
            record=None if row["record"] is None else _record_of(row["record"]),
            error=None if row["error"] is None else error_of(decoded(row["error"], what=what), intent),
            evidence=None if row["evidence"] is None else Evidence(row["evidence"]),
            history=tuple(history),
            sent_request=None
            if row["sent_request"] is None
            else request_of(decoded(row["sent_request"], what=what)),
            revision=row["revision"],
            not_after=None if row["not_after"] is None else time_of(row["not_after"]),
            mac=row["mac"],
        )
        _check_agrees(payout, row)
    except _DAMAGE as damage:
        raise_alone(damaged_payout(row, damage))
    return payout


_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    DecodeError,
    JournalError,
    LookupError,
    TypeError,
    ValueError,
)
"""What reading a row can raise if it holds JSON of another shape than was written."""


def key_of(row: Mapping[str, Any]) -> str:
    """Return the key of a row.

    Raises:
        JournalError: It is no text.
    """
    try:
        return _required_text(row["key"])
    except TypeError as damage:
        raise_alone(damaged_payout(row, damage))


def _check_types(row: Mapping[str, Any]) -> None:
    """Check that each column has its type: SQLite itself accepts bytes in a column of text.

    Raises:
        ValueError: A column has another type.
    """
    for column in COLUMNS:
        expected = _NUMBERS.get(column, str)
        if row[column] is not None and not isinstance(row[column], expected):
            raise ValueError(f"its {column} is {type(row[column]).__name__}")


_NUMBERS: Final = {
    "revision": int,
    "is_open": int,
    "holds_up_equals": int,
    "may_be_unseen": int,
    "left_seconds": float,
}


def _check_agrees(payout: Payout, row: Mapping[str, Any]) -> None:
    """Check that the columns of a row do not contradict each other.

    Raises:
        ValueError: They do.
    """
    for column, expected in _derived(payout).items():
        if row[column] != expected:
            raise ValueError(f"its {column} does not agree with the rest of the row")
    if payout.state.may_be_sent and payout.uuid is not None:
        raise ValueError(f"it is {payout.state} and has withdrawal {payout.uuid}")
    if payout.state in _WITH_REQUEST and payout.sent_request is None:
        raise ValueError(f"it is {payout.state}, and nothing is recorded of its request")


_WITH_REQUEST: Final = frozenset({PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.NOT_SENT})


def entry_row(entry: HistoryEntry, key: str, previous: PayoutState | None) -> tuple[str | None, ...]:
    """Return the row of one entry of a payout's history."""
    before = None if previous is None else previous.value
    return key, before, entry.state.value, entry.at.isoformat(), entry.note, entry.actor


def entry_of(row: Mapping[str, Any]) -> HistoryEntry:
    """Return the history entry of a row.

    Raises:
        ValueError: The row is damaged.
        TypeError: Likewise.
    """
    if not isinstance(row["note"], str) or not isinstance(row["actor"], (str, type(None))):
        raise TypeError("an entry of its history is not text")
    return HistoryEntry(
        at=time_of(row["at"]),
        state=PayoutState(row["state"]),
        note=row["note"],
        actor=row["actor"],
    )


def change_of(row: Mapping[str, Any]) -> PayoutChange:
    """Return the change that a history entry's row records.

    Raises:
        JournalError: The row is damaged.
    """
    try:
        entry = entry_of(row)
        previous = None if row["previous"] is None else PayoutState(row["previous"])
        key = _required_text(row["key"])
    except (ValueError, TypeError) as damage:
        raise_alone(damaged(f"change {row['position']}", damage))
    return PayoutChange(
        position=row["position"],
        key=key,
        previous=previous,
        state=entry.state,
        at=entry.at,
        reason=escaped(entry.note),
        actor=entry.actor,
    )


# -- compacted payouts -----------------------------------------------------------------------------


def compacted_row(payout: Payout, number: int) -> tuple[object, ...]:
    """Return the row of what remains of a payout."""
    created_at = (payout.created_at - _EPOCH) // dt.timedelta(microseconds=1)
    evidence = None if payout.evidence is None else payout.evidence.value
    digest = bytes.fromhex(digest_of(payout.intent))
    return payout.key, number, payout.state.value, payout.uuid, evidence, created_at, digest


def compacted_of(row: Mapping[str, Any]) -> Payout:
    """Return the compacted payout of a row.

    Raises:
        JournalError: The row is damaged.
    """
    try:
        return remains(
            _required_text(row["key"]),
            state=PayoutState(row["state"]),
            uuid=None if row["uuid"] is None else _required_text(row["uuid"]),
            evidence=None if row["evidence"] is None else Evidence(row["evidence"]),
            created_at=_EPOCH + dt.timedelta(microseconds=row["created_at"]),
            digest=_digest_text(row["digest"]),
        )
    except (ValueError, TypeError, OverflowError) as damage:
        raise_alone(damaged_payout(row, damage))


def _digest_text(digest: object) -> str:
    if not isinstance(digest, bytes) or not digest:
        raise TypeError("its digest is missing")
    return digest.hex()


_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _required_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text was expected, found {type(value).__name__}")
    return value


# -- JSON ------------------------------------------------------------------------------------------


def _record_of(text: object) -> Withdrawal:
    if not isinstance(text, str):
        raise TypeError(f"a withdrawal was expected as text, found {type(text).__name__}")
    return decode(Withdrawal, text.encode(), asked="the journal")


def _intent_text(intent: Intent) -> str:
    return encoded(
        {
            "endpoint": intent.endpoint,
            "host": intent.host,
            "members": [[name, value] for name, value in intent.members.items()],
            "started_at": intent.started_at,
        }
    )


def intent_of(text: str, *, what: str) -> Intent:
    """Return the requested payment of a JSON text.

    Args:
        text: The text.
        what: Name of the row, for the error.

    Raises:
        JournalError: The text is no JSON object.
        ValueError: It is no requested payment.
        TypeError: Likewise.
        LookupError: Likewise.
    """
    return _intent_of(decoded(text, what=what))


def _intent_of(value: Mapping[str, Any]) -> Intent:
    members = dict(value["members"])
    if not all(isinstance(text, str) for member in members.items() for text in member):
        raise ValueError("a member of its request is not text")
    inputs.decimal_text("amount", members["amount"])
    return Intent(
        endpoint=_required_text(value["endpoint"]),
        host=_required_text(value["host"]),
        members=members,
        started_at=time_of(value["started_at"]),
    )


def record_text(record: Withdrawal) -> str:
    """Return the JSON text of a withdrawal."""
    return encoded(attrs.asdict(record))


def record_of(text: object, *, what: str = "a withdrawal") -> Withdrawal:
    """Return the withdrawal of a JSON text.

    Args:
        text: The text; SQLite may return something else.
        what: Name of the withdrawal, for the error.

    Raises:
        JournalError: The text is damaged.
    """
    try:
        return _record_of(text)
    except (TypeError, ValueError, DecodeError) as damage:
        raise_alone(damaged(what, damage))
