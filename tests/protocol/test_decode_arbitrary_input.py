"""Arbitrary, damaged and altered answers raise nothing but `DecodeError`."""

from __future__ import annotations

import contextlib
import json
import typing
from typing import Any

from documented_answers import EXPECTED, documented_row
from examples import example, example_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from upbit_async.errors import DecodeError
from upbit_async.models import (
    Account,
)
from upbit_async.protocol.decode import decode
from upbit_async.protocol.endpoints import ENDPOINTS

ASKED = "GET /v1/withdraws"


KINDS: list[Any] = [
    *{repr(endpoint.returns): endpoint.returns for endpoint in ENDPOINTS.values()}.values(),
    list[Account],
    Account,
    object,
]


def _rows(name: str, answer: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = answer if typing.get_origin(EXPECTED[name][0]) is list else [answer]
    return rows


_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["DONE", "0.1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*documented_row(), "account", "withdraw_limit"]) | st.text(max_size=3), inner
        )
    ),
    max_leaves=10,
)


def _never_raises_anything_else(kind: Any, body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(kind, body, asked=ASKED)


@given(body=st.binary(max_size=60), kind=st.sampled_from(KINDS))
def test_arbitrary_bytes_raise_nothing_but_decode_errors(body: bytes, kind: Any) -> None:
    _never_raises_anything_else(kind, body)


@given(value=_json, kind=st.sampled_from(KINDS))
def test_arbitrary_json_raises_nothing_but_decode_errors(value: Any, kind: Any) -> None:
    _never_raises_anything_else(kind, json.dumps(value).encode())


@settings(max_examples=300)
@given(data=st.data())
def test_altered_answers_raise_nothing_but_decode_errors(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(sorted(EXPECTED)))
    answer = example(name)
    row = _rows(name, answer)[0]
    parts: list[dict[str, Any]] = [row, *(row[part] for part in ("account", "withdraw_limit") if part in row)]
    inner = data.draw(st.sampled_from(parts))
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(_json)
    _never_raises_anything_else(EXPECTED[name][0], json.dumps(answer).encode())


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_answers_raise_nothing_but_decode_errors(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EXPECTED)))
    body = example_bytes(name)
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, min(len(body), begin + 20)))
    number = st.from_regex(rb"-?[0-9]{1,25}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,25})?", fullmatch=True)
    _never_raises_anything_else(
        EXPECTED[name][0], body[:begin] + data.draw(number | st.binary(max_size=8)) + body[end:]
    )
