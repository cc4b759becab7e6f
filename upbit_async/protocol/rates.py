"""Rate limits in headers and texts. See https://global-docs.upbit.com/reference/rate-limits."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from typing import Final

import attrs

__all__ = [
    "BUDGETS",
    "DEFAULT_BUDGET",
    "LONGEST_BAN",
    "Remaining",
    "ban_seconds",
    "budget",
    "parse_remaining",
    "parse_retry_after",
]

DEFAULT_BUDGET: Final = 30
BUDGETS: Final = {"default": 30, "order": 8, "order-test": 8}
"""Documented calls per second, by rate group. Upbit changes them without notice, so its answers correct them."""

_COUNT: Final = re.compile(r"[0-9]{1,9}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "초": 1, "분": 60, "시": 3600}
"""Length of a unit of time, by the unit's first letter."""
_DURATION: Final = re.compile(
    r"(?<![0-9a-z_.-])([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?"
    r"(seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|초|분|시간)(?![0-9a-z_])",
    re.IGNORECASE,
)
_LONGEST_HEADER: Final = 200
_LONGEST_TEXT: Final = 16 * 1024
_SHORTEST_BAN: Final = 60.0
LONGEST_BAN: Final = 24 * 3600.0
"""Longest ban, in seconds. A proxy that answers in Upbit's place must not stop a key for years."""


@attrs.frozen
class Remaining:
    """Value of the ``Remaining-Req`` header, without ``min``, which never changes.

    Attributes:
        group: Rate group of the request, as the server spells it.
        sec: Calls left in the current second.
    """

    group: str
    sec: int


def budget(group: str) -> int:
    """Return the documented calls per second of a rate group."""
    return BUDGETS.get(group, DEFAULT_BUDGET)


def parse_remaining(header: str | None) -> Remaining | None:
    """Parse ``Remaining-Req``; None if it is missing or unreadable."""
    if not header or len(header) > _LONGEST_HEADER:
        return None
    members = {name.strip().lower(): value.strip() for name, _, value in map(_split, header.split(";"))}
    group, sec = members.get("group"), members.get("sec", "")
    return Remaining(group, int(sec)) if group and _COUNT.fullmatch(sec) else None


def parse_retry_after(header: str | None, now: dt.datetime) -> float | None:
    """Parse ``Retry-After`` (seconds or a date) as seconds; None if it is missing or unreadable."""
    if not header or len(header) > _LONGEST_HEADER:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=dt.UTC)
    return max(0.0, (then - now).total_seconds())


def ban_seconds(text: str, retry_after: float | None, *, bans_before: int) -> float:
    """Return how long a 418 lasts, in seconds: at most a day.

    Upbit documents that the answer contains the time, but not in which form. The durations in the text, such as
    "1 minute 30 seconds", are added up; ``Retry-After`` counts if it is longer. If there is neither, a ban lasts a
    minute, doubled for each ban before.

    Args:
        text: Text of the answer.
        retry_after: Value of ``Retry-After``, in seconds.
        bans_before: Number of bans before this one.
    """
    found = _DURATION.finditer(text[:_LONGEST_TEXT])
    stated = sum(float(each[1]) * _UNIT_SECONDS[each[2][0].lower()] for each in found)
    longest = max(stated, retry_after or 0.0)
    if longest <= 0:
        longest = _SHORTEST_BAN * 2.0 ** min(bans_before, 20)
    return min(longest, LONGEST_BAN)


def _split(part: str) -> tuple[str, str, str]:
    return part.partition("=")
