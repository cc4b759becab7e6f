"""Rate limits as numbers. See https://global-docs.upbit.com/reference/rate-limits."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_UNIT_SECONDS: Final = {
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001, "밀리초": 0.001,
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "초": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60, "분": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "시간": 3600,
    "day": 86400, "days": 86400, "일": 86400,
}  # fmt: skip
_DURATION: Final = re.compile(
    r"(?<![0-9a-z_.])(?<![0-9]월)(?<![0-9]월 )"  # "1월 2일" is a date
    r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s{0,3}("
    + "|".join(sorted(_UNIT_SECONDS, key=len, reverse=True))
    + r")(?![0-9a-z_])",
    re.IGNORECASE,
)
# Possessive: a run of blanks that does not end in a part must not be tried again at each of its characters.
_BETWEEN_PARTS: Final = re.compile(r"[\s,]*+(?:and[\s,]*+)?", re.IGNORECASE)
_MEMBER: Final = re.compile(
    r"(?<![a-z0-9_.-])([a-z_][a-z0-9_.-]{0,63})[\\\"']{0,2}\s{0,20}:\s{0,20}[\\\"']{0,2}"
    r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(?![0-9.])(?=[\\\"']{0,2}[ \t]{0,20}(?:[,;}\]\r\n]|$))",
    re.IGNORECASE,
)
_TELLING: Final = re.compile("sec|retry|ban|block", re.IGNORECASE)
_WORD: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NO_TIME: Final = {"code", "count", "id", "level", "limit", "no", "number", "type"}
_FIRST_INSTANT: Final = 1e9
"""From here on a number is no length (of 31 years) but an instant: seconds since 1970."""
_FIRST_INSTANT_MS: Final = 1e12
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_LONGEST_HEADER: Final = 200
_LONGEST_TEXT: Final = 16 * 1024
_SHORTEST_BAN: Final = 60.0
LONGEST_BAN: Final = 24 * 3600.0
"""Longest ban that is believed, in seconds: a proxy that answers in Upbit's place must not stop a key for years."""


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
    return BUDGETS.get(group, DEFAULT_BUDGET)


def parse_remaining(header: str | None) -> Remaining | None:
    """Read ``Remaining-Req``; None if it is missing or unreadable."""
    if not header or len(header) > _LONGEST_HEADER:
        return None
    said = {name.strip().lower(): value.strip() for name, _, value in map(_split, header.split(";"))}
    group, sec = said.get("group"), said.get("sec", "")
    return Remaining(group, int(sec)) if group and _COUNT.fullmatch(sec) else None


def parse_retry_after(header: str | None, now: dt.datetime) -> float | None:
    """Read ``Retry-After`` (seconds or a date); None if it is missing or unreadable."""
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


def ban_seconds(text: str, retry_after: float | None, *, bans_before: int, now: dt.datetime) -> float:
    """Work out how long a 418 lasts.

    The answer contains the time, but neither its field nor its unit is documented, so it is read generously.
    What it says is not undercut, and counts for a day at most. If it says nothing, a ban lasts a minute, doubled
    for each ban before.

    Args:
        text: The answer's text.
        retry_after: What the header says, in seconds.
        bans_before: How many bans came before this one.
        now: The time, UTC.
    """
    text = text[:_LONGEST_TEXT]
    told = [retry_after or 0.0, *_durations(text), *_members(text, now)]
    told += [_seconds_until(instant, now) for instant in _INSTANT.findall(text)]
    longest = max(told)
    if longest <= 0:
        longest = _SHORTEST_BAN * 2.0 ** min(bans_before, 20)
    return min(longest, LONGEST_BAN)


def _split(part: str) -> tuple[str, str, str]:
    return part.partition("=")


def _durations(text: str) -> Iterator[float]:
    """Find durations, in seconds; parts that follow each other ("1 minute 30 seconds") are one."""
    total, end = 0.0, 0
    for found in _DURATION.finditer(text):
        if not _BETWEEN_PARTS.fullmatch(text, end, found.start()):
            yield total
            total = 0.0
        total += float(found[1]) * _UNIT_SECONDS[found[2].lower()]
        end = found.end()
    yield total


def _members(text: str, now: dt.datetime) -> Iterator[float]:
    """Find members such as ``"ban_seconds":600``, in seconds, whether or not the whole is valid JSON."""
    for found in _MEMBER.finditer(text):
        words = _WORD.findall(found[1])
        last = words[-1].lower() if words else ""
        if last in _NO_TIME or not _TELLING.search(found[1]):
            continue
        number = float(found[2])
        if number >= _FIRST_INSTANT:
            yield (number / 1000 if number >= _FIRST_INSTANT_MS else number) - now.timestamp()
        else:
            yield number * _UNIT_SECONDS.get(last, 1)


def _seconds_until(instant: str, now: dt.datetime) -> float:
    try:
        then = dt.datetime.fromisoformat(instant)
    except ValueError:
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=dt.UTC)
    return (then - now).total_seconds()
