"""Answers as values or errors, and the table of what is retried."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from typing import Any, Literal

import pytest
from examples import example
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.errors import (
    APIError,
    AuthenticationError,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    ValidationError,
)
from upbit_async.policy import RetryPolicy, Safety
from upbit_async.protocol.rates import Remaining
from upbit_async.protocol.replies import Answer, Failure, api_error, classify, hint_for
from upbit_async.protocol.retry import Situation, is_unknown, wait_before_retry

Verdict = Literal["again", "stop", "unknown", "good"]
Error = tuple[str, str] | None

ASKED = "POST /v1/withdraws/coin"
NAMED = b'{"error":{"name":"validation_error","message":"no"}}'
NUMBERED = b'{"error":{"name":400,"message":"no"}}'
NONCE_USED = b'{"error":{"name":"nonce_used","message":"no"}}'
FLAT = b'{"name":"validation_error","message":"no"}'
FLAT_NONCE_USED = b'{"name":"nonce_used","message":"no"}'
HTML = b"<html>Bad Gateway</html>"
REMAINING = {"remaining-req": "group=default; min=1800; sec=0"}
UNREADABLE = [
    b"",
    HTML,
    b"null",
    b"[]",
    b'"error"',
    b'{"error":null}',
    b'{"error":"text"}',
    b'{"error":{}}',
    b'{"error":{"message":"no name"}}',
    b'{"error":{"name":null}}',
    b'{"error":{"name":""}}',
    b'{"error":{"name":true}}',
    b'{"error":{"name":1.5}}',
    b'{"error":{"name":["x"]}}',
    b'{"error":{"name":"cut of',
    b'{"error":{"name":"\xff"}}',
    b'{"error":{"name":1e99999999999999999999}}',
    b'{"error":' + b"[" * 100_000,
    b'{"name":"no message"}',
    b'{"name":"n","message":null}',
    b'{"name":null,"message":"m"}',
    b'{"name":true,"message":"m"}',
    b'{"name":"","message":"m"}',
    b'{"message":"m"}',
    b'{"error":"Not Found","name":"n","message":"m"}',
    b'[{"name":"n","message":"m"}]',
]


def _answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, body)


def _verdict(safety: Safety, fault: Failure | None) -> Verdict:
    """What a call does after its first attempt."""
    if fault is None:
        return "good"
    if is_unknown(safety, fault):
        assert wait_before_retry(RetryPolicy(), Situation(safety, fault, 1), rand=lambda: 0.5) is None
        return "unknown"
    wait = wait_before_retry(RetryPolicy(), Situation(safety, fault, 1), rand=lambda: 0.5)
    return "stop" if wait is None else "again"


TABLE: list[tuple[str, Answer | Failure, Verdict, Verdict]] = [
    # what happened, READ and REPEATABLE, ONCE
    ("never sent", Failure.NOT_SENT, "again", "again"),
    ("429 with a name", _answer(429, NAMED), "again", "again"),
    ("429 with a number for a name", _answer(429, NUMBERED), "again", "again"),
    ("429 with a flat name", _answer(429, FLAT), "again", "again"),
    ("429 with Remaining-Req", _answer(429, HTML, REMAINING), "again", "again"),
    ("429 of a proxy", _answer(429, HTML), "again", "unknown"),
    ("429 with an unreadable Remaining-Req", _answer(429, HTML, {"remaining-req": "x"}), "again", "unknown"),
    ("418 with a name", _answer(418, NAMED), "stop", "stop"),
    ("418 without a name", _answer(418, HTML), "stop", "stop"),
    ("a used nonce", _answer(401, NONCE_USED), "again", "unknown"),
    ("a used nonce with another status", _answer(400, NONCE_USED), "again", "unknown"),
    ("a used nonce in the flat shape", _answer(401, FLAT_NONCE_USED), "again", "unknown"),
    ("a redirect", _answer(302, HTML), "stop", "unknown"),
    ("a redirect with a name", _answer(307, NAMED), "stop", "unknown"),
    ("408", _answer(408, HTML), "again", "unknown"),
    ("408 with a name", _answer(408, NAMED), "again", "unknown"),
    ("409", _answer(409, HTML), "stop", "unknown"),
    ("409 with a name", _answer(409, NAMED), "stop", "unknown"),
    ("a 4xx without a name", _answer(400, HTML), "stop", "unknown"),
    ("401 without a name", _answer(401, HTML), "stop", "unknown"),
    ("404 without a name", _answer(404, HTML), "stop", "unknown"),
    ("500 with a name", _answer(500, NAMED), "again", "unknown"),
    ("502", _answer(502, HTML), "again", "unknown"),
    ("503", _answer(503, HTML, REMAINING), "again", "unknown"),
    ("504", _answer(504, b""), "again", "unknown"),
    ("a network fault on the way", Failure.NETWORK, "again", "unknown"),
    ("a status below 200", _answer(199, NAMED), "stop", "unknown"),
    ("a status that does not exist", _answer(600, NAMED), "stop", "unknown"),
    ("a good status with a defect", Answer(201, {}, b"{}", "too large"), "stop", "unknown"),
    ("a refusal with a name", _answer(400, NAMED), "stop", "stop"),
    ("a refusal with a flat name", _answer(400, FLAT), "stop", "stop"),
    ("409 with a flat name", _answer(409, FLAT), "stop", "unknown"),
    ("500 with a flat name", _answer(500, FLAT), "again", "unknown"),
    ("a refusal with a number for a name", _answer(404, NUMBERED), "stop", "stop"),
    ("a missing permission", _answer(403, NAMED), "stop", "stop"),
    ("an undocumented 4xx with a name", _answer(422, NAMED), "stop", "stop"),
    ("a good answer", _answer(200, b"{}"), "good", "good"),
    ("created", _answer(201, b"{}"), "good", "good"),
    ("no content", _answer(204, b""), "good", "good"),
]


@pytest.mark.parametrize(
    ("happened", "repeatable", "once"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_retry_table_is_followed(happened: Answer | Failure, repeatable: Verdict, once: Verdict) -> None:
    fault = classify(happened) if isinstance(happened, Answer) else happened
    assert _verdict(Safety.READ, fault) == repeatable
    assert _verdict(Safety.REPEATABLE, fault) == repeatable
    assert _verdict(Safety.ONCE, fault) == once


@pytest.mark.parametrize("hundreds", [2, 3, 4, 5])
@pytest.mark.parametrize("remaining", [True, False], ids=["with Remaining-Req", "without"])
def test_every_status_but_a_named_refusal_leaves_a_withdrawal_unknown(
    hundreds: int, *, remaining: bool
) -> None:
    headers = REMAINING if remaining else {}
    refusals = set(range(400, 500)) - {408, 409, 418, 429}
    bodies = ((NAMED, True), (NUMBERED, True), *((body, False) for body in UNREADABLE))
    statuses = range(100 * hundreds, 100 * hundreds + 100)
    for status, (body, readable) in itertools.product(statuses, bodies):
        verdict = _verdict(Safety.ONCE, classify(_answer(status, body, headers)))
        if status < 300:
            assert verdict == "good"
        elif status == 418:
            assert verdict == "stop"
        elif status == 429 and (readable or remaining):
            assert verdict == "again"
        elif status in refusals and readable:
            assert verdict == "stop"
        else:
            assert verdict == "unknown"


@pytest.mark.parametrize(
    "sample", [row for row in example("errors") if row["status"]], ids=lambda row: row["where"]
)
def test_documented_refusals_stop_a_withdrawal_or_leave_it_unknown(sample: dict[str, Any]) -> None:
    status, body = sample["status"], sample["body"]
    answer = _answer(status, json.dumps(body).encode())
    assert answer.error() == (str(body["error"]["name"]), body["error"]["message"])
    expected: Verdict = "stop"
    if status == 429:
        expected = "again"
    elif status >= 500 or body["error"]["name"] == "nonce_used":
        expected = "unknown"
    assert _verdict(Safety.ONCE, classify(answer)) == expected


@given(status=st.integers(100, 999), body=st.binary(max_size=40))
def test_any_answer_can_be_classified(status: int, body: bytes) -> None:
    answer = _answer(status, body)
    fault = classify(answer)
    assert (fault is None) == (200 <= status < 300)
    assert isinstance(answer.text(), str)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (NAMED, ("validation_error", "no")),
        (NUMBERED, ("400", "no")),
        (b'{"error":{"message":"m","name":"n"}}', ("n", "m")),
        (b'{"error":{"name":"n"}}', ("n", "")),
        (b'{"error":{"name":"n","message":null}}', ("n", "")),
        (b'{"error":{"name":"n","message":7}}', ("n", "")),
        (b'{"error":{"name":0}}', ("0", "")),
        (b'{"error":{"name":"n","more":1e400},"other":[]}', ("n", "")),
        (FLAT, ("validation_error", "no")),
        (b'{"message":"m","more":[],"name":"n"}', ("n", "m")),
        (b'{"name":404,"message":"m"}', ("404", "m")),
        (b'{"error":{"name":"n","message":"m"},"name":"other","message":"other"}', ("n", "m")),
        *((body, None) for body in UNREADABLE),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_error_name_is_text_or_a_whole_number(body: bytes, error: Error) -> None:
    assert _answer(400, body).error() == error


def test_answer_reads_its_headers() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    answer = _answer(429, b"\xff", {**REMAINING, "retry-after": "2"})
    assert answer.remaining == Remaining("default", 0)
    assert answer.retry_after(now) == 2
    assert answer.text() == "\ufffd"
    assert (_answer(200).remaining, _answer(200).retry_after(now)) == (None, None)


@pytest.mark.parametrize(
    ("happened", "longest"),
    [
        (_answer(429, HTML), 60),
        (_answer(429, NAMED), 600),
        (_answer(429, FLAT), 600),
        (_answer(429, HTML, REMAINING), 600),
        (_answer(418, HTML), 24 * 3600),
        (_answer(503, HTML), 999_999_999),
    ],
)
def test_hint_is_capped_by_its_kind(happened: Answer, longest: float) -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    fault = classify(happened)
    assert fault is not None
    assert hint_for(happened, fault, now) is None
    for header, seconds in (("5", 5), ("59.5", 59.5), (f"{longest}", longest), ("999999999", longest)):
        answer = _answer(happened.status, happened.body, {**happened.headers, "retry-after": header})
        assert hint_for(answer, fault, now) == seconds
    dated = {**happened.headers, "retry-after": "Thu, 01 Jan 2099 00:00:00 GMT"}
    assert (hint_for(_answer(happened.status, happened.body, dated), fault, now) or 0) <= max(longest, 3e9)


def test_answer_repr_shows_neither_headers_nor_body() -> None:
    assert "CANARY" not in repr(_answer(200, b"CANARY", {"x": "CANARY"}))


def _error(status: int, name: str = "", message: str = "", retry_after: float = 0.0) -> APIError:
    return api_error(
        _answer(status),
        asked=ASKED,
        name=name,
        message=message,
        may_have_executed=False,
        retry_after=retry_after,
    )


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "validation_error", ValidationError),
        (400, "", ValidationError),
        (400, "400", ValidationError),
        (422, "anything", ValidationError),
        (409, "conflict", APIError),
        (401, "jwt_verification", AuthenticationError),
        (401, "", AuthenticationError),
        (401, "out_of_scope", PermissionDenied),
        (403, "out_of_scope", PermissionDenied),
        (403, "open_api_withdraw_locked", PermissionDenied),
        (403, "", PermissionDenied),
        (404, "withdraw_not_found", NotFound),
        (404, "404", NotFound),
        (400, "currency_not_found", NotFound),
        (429, "", RateLimited),
        (429, "too_many_requests", RateLimited),
        (500, "server_error", ServerError),
        (503, "", ServerError),
        (500, "out_of_scope", ServerError),
        (404, "", APIError),
        (408, "", APIError),
        (408, "request_timeout", APIError),
        (409, "", APIError),
        (451, "", APIError),
        (302, "", APIError),
        (302, "found", APIError),
    ],
)
def test_each_status_and_name_has_one_error_class(status: int, name: str, kind: type[APIError]) -> None:
    error = _error(status, name)
    assert type(error) is kind
    assert (error.status, error.name, error.message, error.endpoint) == (status, name, "", ASKED)
    assert not error.may_have_executed


@pytest.mark.parametrize(
    ("status", "name", "advice"),
    [
        (401, "no_authorization_ip", "IP allowlist"),
        (401, "no_authorization_i_p", "IP allowlist"),
        (401, "jwt_verification", "check the secret key"),
        (401, "out_of_scope", "lacks the permission"),
        (403, "open_api_withdraw_locked", "mobile app"),
        (400, "withdraw_address_not_registered", "register the address"),
        (400, "withdraw_address_not_registerd", "register the address"),
        (500, "server_error", "maintenance"),
        (302, "", "base URL"),
        (404, "", "base URL"),
    ],
)
def test_api_error_names_request_answer_and_advice(status: int, name: str, advice: str) -> None:
    text = str(_error(status, name, "문제"))
    assert text.startswith(f"{ASKED}: Upbit answered {status} ")
    assert name in text
    assert name or "without a readable error name" in text
    assert "(문제)" in text
    assert advice in text


def test_rate_limited_error_says_how_long_to_wait() -> None:
    error = _error(429, "too_many_requests", retry_after=2.5)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 2.5
    assert "wait 2.5 s" in str(error)


def test_unknown_refusal_ends_with_its_message() -> None:
    assert str(_error(400, "brand_new", "m")) == f"{ASKED}: Upbit answered 400 brand_new (m)"


def test_api_error_stays_short_for_any_answer() -> None:
    error = _error(400, "n" * 60_000, "m" * 60_000)
    assert len(str(error)) < 800
    assert (len(error.name), len(error.message)) == (100, 500)
