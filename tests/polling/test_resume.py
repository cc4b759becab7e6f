"""Resume tokens: what they contain, and which are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.polling.resume import ResumePoint, read_token, write_token
from upbit_async.region import Region

HOST = "sg-api.upbit.com"
TOKEN = {"v": 1, "kind": "withdrawal", "region": "sg", "host": HOST, "uuid": "9f43"}


def read(token: Any) -> ResumePoint:
    return read_token(token, kind="withdrawal", region=Region.SG, host=HOST)


def test_resume_token_is_versioned_json() -> None:
    token = write_token(kind="withdrawal", region=Region.SG, host=HOST, id="9f43")

    assert json.loads(token) == TOKEN


@given(st.text(min_size=1, max_size=100))
def test_resume_token_is_read_back(uuid: str) -> None:
    token = write_token(kind="withdrawal", region=Region.SG, host=HOST, id=uuid)

    assert read(token) == ResumePoint(kind="withdrawal", region="sg", host=HOST, id=uuid)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"v": 2}, "newer version"),
        ({"v": None}, "no version"),
        ({"v": True}, "no version"),
        ({"v": 0}, "no version"),
        ({"kind": "deposit"}, r"client\.deposits"),
        ({"region": "th", "host": "th-api.upbit.com"}, "region 'th' at th-api.upbit.com"),
        ({"host": "127.0.0.1:8787"}, r"at 127\.0\.0\.1:8787"),
        ({"uuid": ""}, "its uuid is missing"),
        ({"uuid": 7}, "its uuid is missing"),
        ({"host": None}, "its host is missing"),
    ],
)
def test_resume_token_of_another_kind_names_the_remedy(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(json.dumps(TOKEN | change))


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "not JSON"),
        ("9f43-4a", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 2000, "not JSON"),
        (json.dumps(TOKEN | {"uuid": "x" * 5000}), "longer than"),
        (json.dumps(TOKEN | {"uuid": "x" * 257}), "resume token: uuid must have at most 256 characters"),
        (json.dumps(TOKEN | {"uuid": "\ud800"}), "resume token: uuid must be Unicode text"),
    ],
)
def test_other_text_is_refused_as_a_resume_token(token: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(token)


@pytest.mark.parametrize("token", [None, b"{}", 1])
def test_resume_token_that_is_not_text_is_refused(token: object) -> None:
    with pytest.raises(TypeError):
        read(token)


@given(st.text(max_size=200) | st.recursive(st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="resume token"):
        read(text)
