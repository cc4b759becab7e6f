"""Rate limits as numbers. See https://global-docs.upbit.com/reference/rate-limits."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime

import attrs

__all__ = ["DEFAULT_BUDGET", "Remaining", "ban_seconds", "budget", "parse_remaining", "parse_retry_after"]

DEFAULT_BUDGET = 30
# Calls a second by group. Only a start: Upbit changes them without notice, and its answers correct us.
_BUDGETS = {"default": 30, "order": 8, "order-test": 8}

_REMAINING = re.compile(r"group=([^;\s]+)\s*;.*?\bsec=(\d{1,9})\b")
_UNIT_SECONDS = {
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001, "밀리초": 0.001,
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "초": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60, "분": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "시간": 3600,
}  # fmt: skip
_DURATION = re.compile(
    r"(\d{1,9}(?:\.\d+)?)\s*(" + "|".join(sorted(_UNIT_SECONDS, key=len, reverse=True)) + r")(?![a-z])",
    re.IGNORECASE,
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_SHORTEST_BAN = 60.0
_LONGEST_BAN = 24 * 3600.0


@attrs.frozen
class Remaining:
    """What ``Remaining-Req`` says. Its ``min`` is a dead constant.

    Attributes:
        group: The group that was charged, in the server's own spelling.
        sec: Calls left in the current second.
    """

    group: str
    sec: int


def budget(group: str) -> int:
    """Return how many calls a second Upbit documents for a group."""
    return _BUDGETS.get(group, DEFAULT_BUDGET)


def parse_remaining(header: str | None) -> Remaining | None:
    """Read ``Remaining-Req``; None if it is missing or unreadable."""
    found = _REMAINING.search(header) if header else None
    return Remaining(found[1], int(found[2])) if found else None


def parse_retry_after(header: str | None, now: dt.datetime) -> float | None:
    """Read ``Retry-After`` (seconds or a date); None if it is missing or unreadable."""
    if not header:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", header):
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=dt.UTC)
    return max(0.0, (then - now).total_seconds())


def ban_seconds(text: str, retry_after: float | None, *, bans_before: int, now: dt.datetime) -> float:
    """Work out how long a 418 lasts.

    The answer contains the time, but neither its field nor its unit is documented, so it is read generously;
    without one, a minute, doubled for each ban before.

    Args:
        text: The answer's text.
        retry_after: What the header says, in seconds.
        bans_before: How many bans came before this one.
        now: The time, UTC.
    """
    told = [retry_after] if retry_after is not None else []
    told += [float(number) * _UNIT_SECONDS[unit.lower()] for number, unit in _DURATION.findall(text)]
    told += [_seconds_until(instant, now) for instant in _INSTANT.findall(text)]
    told = [seconds for seconds in told if seconds > 0]
    if told:
        return min(max(told), _LONGEST_BAN)
    return min(_SHORTEST_BAN * 2 ** min(bans_before, 10), _LONGEST_BAN)


def _seconds_until(instant: str, now: dt.datetime) -> float:
    try:
        then = dt.datetime.fromisoformat(instant)
    except ValueError:
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=dt.UTC)
    return (then - now).total_seconds()
