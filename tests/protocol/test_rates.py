"""Rate limits and bans read from headers and texts."""

from __future__ import annotations

import datetime as dt

import pytest
from examples import example
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.protocol.rates import (
    Remaining,
    ban_seconds,
    budget,
    parse_remaining,
    parse_retry_after,
)

NOW = dt.datetime(2026, 1, 1, 12, 0, 0, tzinfo=dt.UTC)
DAY = 24 * 3600.0


@pytest.mark.parametrize(
    "sample", example("response_headers")["remaining_req"], ids=lambda sample: sample["value"]
)
def test_observed_remaining_req_headers_are_read(sample: dict[str, str]) -> None:
    found = parse_remaining(sample["value"])
    group, _, sec = (part.split("=")[1] for part in sample["value"].split("; "))
    assert found == Remaining(group, int(sec))


@pytest.mark.parametrize(
    "header",
    [
        "group=default; min=1800; sec=29",
        "group=default;min=1800;sec=29",
        "  group = default ;  sec = 29  ",
        "sec=29; min=1800; group=default",
        "Group=default; Min=1800; SEC=29",
        "group=default; sec=29; more=things; and",
        "group=default; min=1800; sec=029",
    ],
)
def test_unusual_remaining_req_headers_are_read(header: str) -> None:
    assert parse_remaining(header) == Remaining("default", 29)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "group=default",
        "sec=29",
        "group=; sec=29",
        "group=default; sec=",
        "group=default; sec=-1",
        "group=default; sec=1.5",
        "group=default; sec=1e3",
        "group=default; sec=２",
        "group=default; sec=" + "9" * 10,
        "group=default; msec=5",
        "group=a;" * 500_000,
        "garbage",
        ";;;===",
    ],
    ids=lambda header: repr(header)[:50],
)
def test_ambiguous_remaining_req_is_none(header: str | None) -> None:
    assert parse_remaining(header) is None


@given(header=st.text(max_size=60) | st.from_regex(r"(group|sec|min| |=|;|[0-9])*", fullmatch=True))
def test_any_header_can_be_read(header: str) -> None:
    found = parse_remaining(header)
    assert found is None or found.sec >= 0
    wait = parse_retry_after(header, NOW)
    assert wait is None or 0 <= wait < float("inf")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("5", 5),
        (" 5 ", 5),
        ("1.5", 1.5),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 21:00:30 +0900", 30),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thursday, 01-Jan-26 12:01:00 GMT", 60),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float) -> None:
    assert parse_retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "-5",
        "1e5",
        "nan",
        "inf",
        "5 seconds",
        "５",
        "9" * 10,
        "soon",
        "Thu, 01 Jan 99999999 12:00:00 GMT",
        "1 Jan 2026 00:00:00 +99999999999",
        "0 Jan 2026 00:00:00",
        "\x00",
        "1" * 1_000_000,
    ],
    ids=lambda header: repr(header)[:40],
)
def test_ambiguous_retry_after_is_none(header: str | None) -> None:
    assert parse_retry_after(header, NOW) is None


def _ban(text: str = "", retry_after: float | None = None, bans_before: int = 0) -> float:
    return ban_seconds(text, retry_after, bans_before=bans_before)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("blocked for 120 seconds", 120),
        ("Blocked for 120 Seconds.", 120),
        ("blocked for 2 minutes", 120),
        ("wait 1 min", 60),
        ("wait 90s", 90),
        ("wait 90sec.", 90),
        ("1.5 hours", 5400),
        ("1 minute 30 seconds", 90),
        ("1 hour, 2 minutes and 3 seconds", 3723),
        ("60초 동안 차단되었습니다", 60),
        ("1분 30초간 차단", 90),
        ("약10분", 600),
        ("2시간 동안", 7200),
        ("다음 시간까지: 1시간 1분", 3660),
        ("first 10 seconds, later 5 minutes", 310),
        ('{"error":{"name":"blocked","message":"retry after 30 seconds"}}', 30),
        ("23 hours, 59 minutes and 59 seconds", DAY - 1),
    ],
)
def test_durations_in_the_text_of_a_ban_are_added_up(text: str, seconds: float) -> None:
    assert _ban(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "You have been blocked",
        "0 seconds",
        "since 2026-01-01T11:00:00Z",
        "2026-13-45T99:99:99Z",
        "30 requests",
        "5 stars and 7 moons",
        "id 00000000-0000-4000-8000-00000000000a5s",
        "x5s 5s5 5_s",
        "418",
        "<html>",
        '{"time":120,"status":418}',
        '{"blocked":true,"retry_after":null,"ban_seconds":0}',
        '{"ban_count":2,"block_id":5,"retry_after":-5}',
        "1월 2일",
    ],
)
def test_ban_without_a_length_doubles_from_one_minute(text: str) -> None:
    assert [_ban(text, bans_before=bans) for bans in range(5)] == [60, 120, 240, 480, 960]


def test_a_ban_of_unknown_length_is_never_longer_than_a_day() -> None:
    assert _ban(bans_before=10**6) == DAY


@pytest.mark.parametrize("text", ["24 hours", "25 hours", "blocked for 3 days", "30 days", "999999999 days"])
def test_a_stated_ban_is_never_undercut_and_lasts_a_day_at_most(text: str) -> None:
    assert _ban(text) == DAY
    assert _ban(text, bans_before=10**6) == DAY


def test_retry_after_counts_for_one_day_at_most() -> None:
    assert _ban(retry_after=DAY - 1) == DAY - 1
    assert _ban(retry_after=1e9) == DAY


def test_the_longer_of_header_and_text_counts() -> None:
    assert _ban("10 seconds", retry_after=30.0) == 30
    assert _ban("40 seconds", retry_after=30.0) == 40
    assert _ban("", retry_after=30.0, bans_before=5) == 30
    assert _ban("", retry_after=0.0) == 60


@given(
    text=st.text(max_size=80)
    | st.from_regex(r"([0-9]{1,12}|\.| |s|min|h|초|분|시간|-|T|:|Z)*", fullmatch=True),
    retry_after=st.none() | st.floats(0, 1e9),
    bans=st.integers(0, 10**9),
)
def test_ban_ends_and_is_never_shorter_than_retry_after(
    text: str, retry_after: float | None, bans: int
) -> None:
    seconds = _ban(text, retry_after, bans)
    assert 0 < seconds <= DAY
    assert seconds >= min(retry_after or 0.0, DAY)


def test_hostile_ban_text_is_read_in_one_pass() -> None:
    # A pass for each character would run into the suite's time limit.
    for hostile in (
        *("1" * 2_000_000, "1.1" * 500_000, "1 " * 500_000, "9" + " " * 1_000_000, "1s," * 500_000),
        *("sec" * 500_000, "ban " * 500_000, '"ban":' * 500_000, "ban" + " " * 1_000_000, "ban:1 " * 500_000),
        *("_" * 1_000_000, "aB" * 500_000, "ban:" + "1" * 1_000_000, '"' * 1_000_000),
    ):
        assert _ban(hostile) > 0


@pytest.mark.parametrize(("group", "calls"), [("default", 30), ("order", 8), ("order-test", 8), ("new", 30)])
def test_group_starts_with_its_documented_budget(group: str, calls: int) -> None:
    assert budget(group) == calls
