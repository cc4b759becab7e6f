"""Random requests are answered below 500, and logged."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from raw_requests import BROKEN, COIN, DEEP, METHODS, Caller, added, asgi_scope, claims_of, exchanged, signed

from upbit_async.region import Region
from upbit_async.sandbox import Sandbox
from upbit_async.sandbox.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.thorough

KNOWN_PATHS = sorted({path for _, path in ROUTES})
JSON_TEXTS = st.text(max_size=8) | st.sampled_from(["\ud800", "\x00", "USDT", "1" * 50, "nonce"])
JSON_SCALARS: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | JSON_TEXTS


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(JSON_TEXTS, inner, max_size=3)


def _as_json(value: object) -> bytes:
    return json.dumps(value).encode()


JSON_VALUES = st.recursive(JSON_SCALARS, _nested, max_leaves=8)
MEMBERS = st.sampled_from(
    ["currency", "net_type", "amount", "address", "deposit_uuid", "vasp_uuid", "txid", "two_factor_type"]
)
DEEP_TEXTS = st.sampled_from([b"[" * DEEP, b'{"a":' * DEEP, b'{"a":[' * 500 + b"]}" * 500, b"9" * 10_000])
OBJECTS = st.dictionaries(MEMBERS, JSON_VALUES, max_size=8)
BODIES = st.binary(max_size=40) | DEEP_TEXTS | (JSON_VALUES | OBJECTS).map(_as_json)
QUERY_NAMES = st.sampled_from(
    ["uuid", "txid", "uuids[]", "uuids%5B%5D", "from", "to", "page", "limit", "state", "currency"]
)
QUERY_VALUES = st.sampled_from(["", "1", "-1", "9" * 30, "%ff", "%00", "%", "+", "\xff", "DONE", "x" * 200])


def _query(pairs: list[tuple[str, str]]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in pairs).encode("latin-1")


QUERIES = st.binary(max_size=60) | st.lists(st.tuples(QUERY_NAMES, QUERY_VALUES), max_size=6).map(_query)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"content-type", b"host", b"content-length", b"authorization", b"expect", b"x"]),
        st.binary(max_size=20) | st.sampled_from([b"application/json", b"Bearer", b"[::1", b"Bearer a.b.c"]),
    ),
    max_size=4,
)
CLAIMS = st.dictionaries(
    st.sampled_from(["access_key", "nonce", "query_hash", "query_hash_alg", "exp"]), JSON_VALUES, max_size=5
)


def text_of(query: bytes, body: bytes) -> str:
    """Return the text that a correct client hashes for a request."""
    try:
        members: dict[str, object] = json.loads(body)
        return "&".join(f"{name}={text}" for name, text in members.items()) or query.decode()
    except (ValueError, AttributeError, RecursionError):
        return query.decode("latin-1")


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "method": draw(st.sampled_from(METHODS) | st.text(max_size=8)),
        "path": draw(st.sampled_from(KNOWN_PATHS) | st.text(max_size=12)),
        "query_string": draw(QUERIES),
        "headers": draw(HEADERS),
        "body": draw(BODIES),
        "claims": draw(st.none() | CLAIMS | st.binary(max_size=20) | DEEP_TEXTS),
        "honest": draw(st.booleans()),
    }


def tokens_for(sandbox: Sandbox, request: Mapping[str, Any], number: int) -> list[tuple[bytes, bytes]]:
    """Return the headers of a token: none, a correct one, or one with random claims."""
    claims: Any = request["claims"]
    if claims is None:
        return []
    headers: list[tuple[bytes, bytes]] = []
    if request["honest"]:
        text = text_of(request["query_string"], request["body"])
        digest = hashlib.sha512(text.encode(errors="replace")).hexdigest()
        claims = claims_of(sandbox, nonce=f"n{number}", query_hash=digest)
        headers = [(b"content-type", b"application/json")]
    elif not isinstance(claims, bytes):
        claims = claims_of(sandbox, **claims)
    return [*headers, (b"authorization", f"Bearer {signed(sandbox, claims)}".encode())]


@pytest.fixture(scope="module")
def sandboxes() -> dict[Region, Sandbox]:
    """Provide sandboxes without limits: a 429 for every request would hide everything else."""
    return {region: Sandbox(region, limits=False) for region in Region}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(region=st.sampled_from(Region), request=requests())
@example(
    region=Region.SG,
    request={
        "method": "POST",
        "path": COIN,
        "query_string": b"",
        "headers": [],
        "body": b'{"currency":"\\ud800"}',
        "claims": {},
        "honest": True,
    },
)
async def test_random_request_is_answered_below_500(
    sandboxes: Mapping[Region, Sandbox], region: Region, request: dict[str, Any]
) -> None:
    sandbox = sandboxes[region]
    asked, before = Caller(iter([request["body"]])), len(sandbox.requests)
    headers = [*request["headers"], *tokens_for(sandbox, request, before)]
    scope = asgi_scope(
        method=request["method"],
        path=request["path"],
        query_string=request["query_string"],
        headers=headers,
    )
    await sandbox.app(scope, asked.receive, asked.send)
    assert asked.status is not None
    assert 200 <= asked.status < 500
    assert len(sandbox.requests) == before + 1
    assert sandbox.requests[-1].status == asked.status
    assert (sandbox.requests[-1].method, sandbox.requests[-1].path) == (request["method"], request["path"])


def spoilt(data: bytes, at: int, noise: bytes) -> bytes:
    return data[: at % len(data)] + noise + data[at % len(data) :]


SPOILT = st.builds(
    spoilt,
    st.sampled_from([data for data in BROKEN if len(data) < 1000]),
    st.integers(min_value=0, max_value=200),
    st.binary(min_size=1, max_size=4),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=60) | SPOILT)
def test_random_bytes_are_answered_below_500(served: tuple[Sandbox, tuple[str, int]], data: bytes) -> None:
    sandbox, address = served
    before = len(sandbox.requests)
    came = exchanged(address, data)
    assert b"HTTP/1.1 5" not in came
    answers = came.count(b"HTTP/1.1 ") - came.count(b"HTTP/1.1 100 ")
    expected = max(answers, int(not data.isspace()))
    assert len(added(sandbox, before, expected)) >= expected
