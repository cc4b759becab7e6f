"""Validation of the arguments of `Payouts`, and comparison of two payments under one key.

A wrong type is a `TypeError`, a wrong value a `ValueError`.
"""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Final, cast

from upbit_async.errors import ConfigurationError, PayoutConflict, raise_alone
from upbit_async.models import Intent
from upbit_async.payouts.amount_limit import AmountLimit
from upbit_async.payouts.compacted import comparable, digest_of
from upbit_async.payouts.manual import ManualDecision
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.payouts.row_mac import JournalKeys
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.message import compose
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from upbit_async.payouts.payout import Payout
    from upbit_async.protocol.endpoint import Param

__all__ = [
    "check_time",
    "checked_decision",
    "checked_key",
    "checked_limits",
    "checked_position",
    "intent_for",
    "journal_keys_from",
    "query_for",
    "raise_if_other",
]

_LONGEST_KEY: Final = 256
_KEY_VARIABLE: Final = "UPBIT_PAYOUTS_KEY"


def checked_key(value: object) -> str:
    """Return a payout's key, after checking it.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty, longer than 256 characters, or can't be stored as UTF-8 text.
    """
    key = inputs.text("key", value)
    if len(key) > _LONGEST_KEY:
        raise ValueError(f"key must have at most {_LONGEST_KEY} characters, got {len(key)}")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise_alone(ValueError("key must be text that can be written as UTF-8"))
    if "\0" in key:
        raise ValueError("key must not hold a null character")
    return key


def checked_decision(note: object, actor: object) -> ManualDecision:
    """Return a manual decision, after checking it.

    Raises:
        TypeError: The note is not text, or the actor is neither text nor None.
    """
    if not isinstance(note, str):
        raise TypeError(f"note must be text, got {type(note).__name__}")
    if actor is not None and not isinstance(actor, str):
        raise TypeError(f"actor must be text or None, got {type(actor).__name__}")
    return ManualDecision(note=note, actor=actor)


def check_time(name: str, value: object) -> None:
    """Check a point in time.

    Raises:
        TypeError: It is none.
        ValueError: It has no time zone.
    """
    if not isinstance(value, dt.datetime):
        raise TypeError(f"{name} must be a datetime, got {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} must have a time zone, such as datetime.UTC, got {value}")


def checked_position(after: object) -> int | None:
    """Return a position of changes, after checking it.

    Raises:
        TypeError: It is neither a whole number nor None.
        ValueError: It is negative.
    """
    if after is None:
        return None
    if isinstance(after, bool) or not isinstance(after, int):
        raise TypeError(f"after must be a whole number or None, got {type(after).__name__}")
    if after < 0:
        raise ValueError(f"after must not be negative, got {after}")
    return after


def query_for(
    *,
    states: Collection[PayoutState | str] | None,
    currency: str | None,
    uuid: str | None,
    created_after: dt.datetime | None,
    created_before: dt.datetime | None,
    limit: int,
) -> PayoutQuery:
    """Return a selection of payouts, after checking it.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A state is unknown, a time has no time zone, or the limit is below 1.
    """
    if isinstance(states, str):
        raise TypeError(f"states must be a collection of states such as [{states!r}], got text")
    for name, time in (("created_after", created_after), ("created_before", created_before)):
        if time is not None:
            check_time(name, time)
    known = [state.value for state in PayoutState]
    chosen = (
        None if states is None else [PayoutState(inputs.choice("states", each, known)) for each in states]
    )
    return PayoutQuery(
        states=chosen,
        currency=inputs.optional_text("currency", currency),
        uuid=inputs.optional_text("uuid", uuid),
        created_after=created_after,
        created_before=created_before,
        limit=inputs.count("limit", limit),
    )


def checked_limits(limits: object) -> tuple[AmountLimit, ...]:
    """Return the limits of amounts, after checking them.

    Raises:
        TypeError: They are not a sequence of `AmountLimit`.
    """
    if not isinstance(limits, (list, tuple)):
        raise TypeError(f"amount_limits must be a list of AmountLimit, got {type(limits).__name__}")
    checked: list[AmountLimit] = []
    for each in cast("Sequence[object]", limits):
        if not isinstance(each, AmountLimit):
            raise TypeError(f"amount_limits must be a list of AmountLimit, got a {type(each).__name__} in it")
        checked.append(each)
    return tuple(checked)


# -- journal keys ----------------------------------------------------------------------------------


def journal_keys_from(given: Sequence[bytes]) -> JournalKeys | None:
    """Return the journal keys that were passed, or that of the environment; None to derive one from the secret key.

    Raises:
        ConfigurationError: ``UPBIT_PAYOUTS_KEY`` is set, and can't be used.
    """
    if given:
        return JournalKeys(given)
    keys, problem = _keys_of_the_environment()
    if problem:
        raise ConfigurationError(f"the environment variable {_KEY_VARIABLE}: {problem}")
    return keys


def _keys_of_the_environment() -> tuple[JournalKeys | None, str]:
    """Return the journal keys, or why they can't be used; an error would keep the frames that know them."""
    text = os.environ.get(_KEY_VARIABLE)
    if text is None:
        return None, ""
    try:
        return JournalKeys([text.encode()]), ""
    except UnicodeEncodeError:
        return None, "it is no Unicode text"
    except ValueError as problem:
        return None, str(problem)


# -- the payment -----------------------------------------------------------------------------------


def intent_for(members: Mapping[str, Param], *, host: str, now: dt.datetime) -> Intent:
    """Return the payment that a payout requests: the members of its request in order, all as text.

    Raises:
        TypeError: A member can't be sent.
        ValueError: Likewise.
    """
    for name, value in members.items():
        if isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be one value, got {type(value).__name__}: a payout has no lists")
    message = compose(CREATE_WITHDRAWAL.method, CREATE_WITHDRAWAL.path, members)
    return Intent(endpoint=CREATE_WITHDRAWAL.label, host=host, members=dict(message.members), started_at=now)


def raise_if_other(payout: Payout, requested: Intent) -> None:
    """Check that a key identifies one payment only.

    Raises:
        PayoutConflict: The payout has other parameters than the requested payment.
    """
    if payout.digest:  # compacted: only the digest of its members is left
        different = [] if payout.digest == digest_of(requested) else ["its parameters"]
    else:
        first, second = comparable(payout.intent), comparable(requested)
        different = sorted(
            name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
        )
    if different:
        raise PayoutConflict(
            f"{payout} is {payout.state}, and this call differs in {', '.join(different)}; use another key for "
            "another payment"
        )
