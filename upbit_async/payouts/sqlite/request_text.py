"""Conversion of what is recorded of a payout's request to JSON text and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from upbit_async.payouts.journal_time import Moment
from upbit_async.payouts.payout import PayoutState, SentRequest
from upbit_async.payouts.sqlite.json_text import encoded, time_of
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["request_of", "request_text"]

_ALL: Final = tuple(attribute.name for attribute in attrs.fields(SentRequest))
_PLAIN: Final[Mapping[str, type | tuple[type, ...]]] = {
    "signed_by": str,
    "copies": int,
    "owner": str,
    "lease": (int, float),
    "is_bounded": bool,
    "arrived": bool,
    "answered": bool,
    "reopened": bool,
    "needs_new_nonce": bool,
    "mac": str,
}
"""The attributes that JSON has as they are, and their types."""


def request_text(sent_request: SentRequest) -> str:
    """Return the JSON text of what is recorded of a request."""
    # In the order of the attributes, as attrs.asdict would return them, but ten times as fast.
    values = {name: getattr(sent_request, name) for name in _ALL}
    values["signing"] = {"nonce": sent_request.signing.nonce, "algorithm": sent_request.signing.algorithm}
    for name in ("left_at", "lost_at"):
        moment: Moment | None = values[name]
        values[name] = None if moment is None else {"readings": moment.readings}
    return encoded(values)


def request_of(value: Mapping[str, Any]) -> SentRequest:
    """Return what is recorded of a request. Each value has its type, or whatever uses it later would fail.

    Raises:
        ValueError: The row is damaged.
        TypeError: Likewise.
        LookupError: Likewise.
    """
    return SentRequest(
        **{name: _checked(value[name], kind) for name, kind in _PLAIN.items()},
        signing=SigningParams(
            nonce=_checked(value["signing"]["nonce"], str),
            algorithm=_checked(value["signing"]["algorithm"], str),
        ),
        previous_state=PayoutState(value["previous_state"]),
        left_at=_moment_of(value["left_at"]),
        left_utc=time_of(value["left_utc"]),
        lost_at=None if value["lost_at"] is None else _moment_of(value["lost_at"]),
        candidates=_texts(value["candidates"]),
        new_candidates=_texts(value.get("new_candidates", [])),  # rows of the first version have none
        excluded=_texts(value["excluded"]),
        baseline=_texts(value["baseline"]),
    )


def _moment_of(value: Mapping[str, Any]) -> Moment:
    readings = tuple((_checked(epoch, str), _checked(at, (int, float))) for epoch, at in value["readings"])
    if not readings:
        raise ValueError("a time has no reading")
    return Moment(readings)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_checked(each, str) for each in _checked(value, list))


def _checked(value: Any, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.40} is of another type than was written")
    return value
