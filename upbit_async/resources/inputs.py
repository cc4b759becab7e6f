"""Validation of arguments, before anything is sent.

A wrong type is a `TypeError` and a wrong value a `ValueError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from upbit_async.models import TransactionType
from upbit_async.protocol.endpoint import PAGE_SIZE
from upbit_async.validation import count, decimal_text, flag, seconds, timeout

if TYPE_CHECKING:
    from upbit_async.protocol.endpoint import Param

__all__ = [
    "added",
    "choice",
    "count",
    "currency_and_network",
    "decimal_text",
    "flag",
    "id_list",
    "id_set",
    "members",
    "optional_text",
    "seconds",
    "text",
    "timeout",
    "transaction_type_of",
    "withdrawal",
]

_MEMBER_NAME = re.compile(r"[A-Za-z0-9_]+(\[\])?")
_LONGEST_SHOWN = 40


def text(name: str, value: object) -> str:
    """Return a code, id or address unchanged. It is opaque, so that only an empty one is refused."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, got {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} must not be empty")
    return str(value)


def optional_text(name: str, value: object) -> str | None:
    """Return a text unchanged, or None."""
    return None if value is None else text(name, value)


def currency_and_network(currency: object, net_type: object) -> dict[str, str]:
    """Return the members of a request that name a currency on a network."""
    return {"currency": text("currency", currency), "net_type": text("net_type", net_type)}


def transaction_type_of(value: object) -> TransactionType:
    """Return the transaction type that a caller passed."""
    kind = TransactionType(text("transaction_type", value))
    if not kind.known:
        raise ValueError(f"transaction_type must be 'default' or 'internal', got {value!r}")
    return kind


def choice(name: str, value: object, allowed: Sequence[str]) -> str:
    """Return one of the allowed words."""
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, got {value!r}")
    return str(value)


def id_list(name: str, value: object) -> list[str] | None:
    """Return the ids of one request, at most a page of them; None for None."""
    if value is None:
        return None
    ids = _ids(name, value)
    if len(ids) > PAGE_SIZE:
        raise ValueError(f"{name} takes at most {PAGE_SIZE} ids at once, got {len(ids)}; ask in parts")
    return ids


def id_set(name: str, value: object) -> frozenset[str]:
    """Return any number of ids, without order."""
    return frozenset(_ids(name, value))


def _ids(name: str, value: object) -> list[str]:
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of ids, got {type(value).__name__}")  # pyright: ignore[reportUnknownArgumentType]
    return [text(name, item) for item in cast("Iterable[object]", value)]


def members(name: str, value: object) -> dict[str, Param]:
    """Return the members of a query or body whose names the caller chose."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping of members, got {type(value).__name__}")
    given = cast("Mapping[str, Param]", value)
    for key in given:
        text(f"a name in {name}", key)
    return dict(given)


def withdrawal(
    *,
    currency: object,
    net_type: object,
    amount: object,
    address: object,
    secondary_address: object,
    transaction_type: object,
    extra: Mapping[str, Param] | None,
) -> dict[str, Param]:
    """Return the members of a withdrawal request, in the order in which they are signed."""
    known: dict[str, Param] = {
        "currency": text("currency", currency),
        "net_type": text("net_type", net_type),
        "amount": decimal_text("amount", amount),
        "address": text("address", address),
        "secondary_address": optional_text("secondary_address", secondary_address),
        "transaction_type": transaction_type_of(transaction_type),
    }
    return added(known, extra)


def added(known: Mapping[str, Param], extra: Mapping[str, Param] | None) -> dict[str, Param]:
    """Return the members of a body, followed by extra ones. Extra members are signed like the others.

    A server may ignore case, and may read ``name[]`` as ``name``. An extra member that differs from another member
    only in these is refused, because it might replace it.
    """
    if extra is None:
        return dict(known)
    further = members("extra", extra)
    names = {_plain(name): name for name in known}
    for name in further:
        if not _MEMBER_NAME.fullmatch(name):
            raise ValueError(
                "names in extra must be made of ASCII letters, digits and underscores, with [] at the end for a "
                f"list, got {_shown(name)}"
            )
        plain = _plain(name)
        if names.setdefault(plain, name) in known:
            raise ValueError(f"extra must not hold {_shown(name)}: {plain} is a parameter already")
        if names[plain] != name:
            raise ValueError(
                f"extra must not hold the same field twice: {_shown(names[plain])} and {_shown(name)}"
            )
    return {**known, **further}


def _plain(name: str) -> str:
    return name.removesuffix("[]").lower()


def _shown(name: str) -> str:
    """Return a caller's text for a message, escaped and shortened."""
    return ascii(name[:_LONGEST_SHOWN]) + ("..." if len(name) > _LONGEST_SHOWN else "")
