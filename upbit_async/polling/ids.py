"""Validation of ids, and how many fit into one request. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from upbit_async.errors import raise_alone

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BATCH", "check_id", "how_many_fit"]

BATCH: Final = 100
"""How many ids Upbit takes in one request."""

_LONGEST_ID: Final = 256
_LONGEST_QUERY: Final = 8 * 1024
"""What servers commonly take, in characters; far more than a hundred of Upbit's own ids need."""


def check_id(name: str, value: str) -> None:
    """Refuse what no request could carry, before it meets the ids of others.

    Args:
        name: What it is, ``uuid`` or ``txid``.
        value: The id.

    Raises:
        ValueError: The id is no Unicode text, or far too long.
    """
    if len(value) > _LONGEST_ID:
        raise ValueError(f"a {name} has at most {_LONGEST_ID} characters, not {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise_alone(ValueError(f"a {name} is Unicode text, and {value!r} holds half a character"))


def how_many_fit(ids: Iterable[str]) -> int:
    """Return how many of the ids, from the first on, one request can carry: at least one, if there is one."""
    count = length = 0
    for one in ids:
        length += len("&uuids[]=") + len(quote(one, safe="", errors="replace"))
        if count and (count == BATCH or length > _LONGEST_QUERY):
            break
        count += 1
    return count
