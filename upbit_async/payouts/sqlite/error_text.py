"""Conversion of a payout's error to JSON text and back."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async import errors
from upbit_async.errors import (
    AmountLimitExceeded,
    DecodeError,
    JournalError,
    OutcomeUnknown,
    PayoutBlocked,
    UpbitError,
)
from upbit_async.payouts.sqlite.json_text import encoded, time_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upbit_async.models import Intent

__all__ = ["error_of", "error_text"]

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
    "currency",
)
_AMOUNTS: Final = ("limit", "departed")


def error_text(error: UpbitError) -> str:
    """Return the JSON text of an error."""
    about = {name: vars(error)[name] for name in _ABOUT if vars(error).get(name) is not None}
    amounts = {name: vars(error)[name] for name in _AMOUNTS if vars(error).get(name) is not None}
    until = vars(error).get("until")
    reasons = [attrs.astuple(reason) for reason in vars(error).get("reasons", ())]
    return encoded(
        {
            "kind": type(error).__name__,
            "text": str(error),
            "may_have_executed": error.may_have_executed,
            "about": about,
            "amounts": amounts,
            "until": until,
            "reasons": reasons,
        }
    )


def error_of(value: Mapping[str, Any], intent: Intent) -> UpbitError:
    """Return the stored error: of the same class, with the same text and attributes.

    Raises:
        ValueError: The row is damaged.
        TypeError: Likewise.
        LookupError: Likewise.
        AttributeError: Likewise.
        ArithmeticError: Likewise.
    """
    kind: object = getattr(errors, value["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, UpbitError)):
        kind = UpbitError  # written by a version with more classes
    error = kind.__new__(kind, value["text"])  # its constructor may need more than is stored
    vars(error).update({**_defaults(kind, intent), **_attributes(value)})
    return error


def _defaults(kind: type[UpbitError], intent: Intent) -> dict[str, Any]:
    """Return the attributes of an error that are not stored."""
    state: dict[str, Any] = {"resume_token": None}
    if issubclass(kind, OutcomeUnknown):
        state |= {"status": None, "name": "", "intent": intent, "raw": "", "uuid": None}
        state["connection_bounded"] = False
    if issubclass(kind, DecodeError):
        state |= {"raw": "", "uuid": None}
    if issubclass(kind, PayoutBlocked):
        state |= {"by_key": None, "uuids": ()}
    if issubclass(kind, JournalError):
        state |= {"key": None}
    if issubclass(kind, AmountLimitExceeded):
        state |= {"departed": None}
    return state


def _attributes(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored attributes of an error."""
    state: dict[str, Any] = {**value["about"], "may_have_executed": value["may_have_executed"]}
    state |= {name: Decimal(amount) for name, amount in value.get("amounts", {}).items()}
    for name in ("by_key", "key"):
        if name in state:
            _text(state[name])
    if "uuids" in state:
        state["uuids"] = tuple(map(_text, state["uuids"]))
    if value["until"] is not None:
        state["until"] = time_of(value["until"])
    if value["reasons"]:
        state["reasons"] = tuple(errors.Reason(*each) for each in value["reasons"])
    return state


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text was expected, found {type(value).__name__}")
    return value
