"""JSON in a row of the journal, which anyone may have changed."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.errors import JournalError
from upbit_async.payouts.sqlite.json_text import decoded

DEEP = 100_000
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=12,
)


def refused(text: Any) -> str:
    with pytest.raises(JournalError) as caught:
        decoded(text, what="payout 'k'")
    assert caught.value.__cause__ is caught.value.__context__ is None  # they would hold the text
    assert not caught.value.may_have_executed
    words = str(caught.value)
    assert words.startswith("payout 'k' can't be read from the journal (")
    assert "changed by something else" in words
    assert words.isprintable()
    assert len(words) < 400
    return words


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), values, max_size=4))
def test_json_of_a_journal_is_read_back(value: dict[str, object]) -> None:
    assert decoded(json.dumps(value), what="x") == value
    assert decoded(json.dumps(value, ensure_ascii=False), what="x") == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":' + "[" * DEEP, "nested"),
        ('{"a":' + "[" * DEEP + "]" * DEEP + "}", "nested"),
        ('{"a":' * DEEP, "nested"),
        ('{"a":' * DEEP + "1" + "}" * DEEP, "nested"),
        ("[" * DEEP, "nested"),
        ('{"a":' + "[" * 32 + "]" * 32 + "}", "nested"),
        ("", "line 1 column 1"),
        ("{", "line 1 column 2"),
        ('{"a": 1', "line 1 column 8"),
        ('{"a": "b', "line 1 column 7"),
        ('{"a": 1} {"b": 2}', "line 1 column 10"),
        ('{"a": 1,}', "line 1"),
        ("{'a': 1}", "line 1 column 2"),
        ('{"a": "\n"}', "line 1 column 8"),
        ("\ufeff{}", "line 1 column 1"),
        ("[]", "an object was expected, found list"),
        ('"text"', "an object was expected, found str"),
        ("7", "an object was expected, found int"),
        ("null", "an object was expected, found NoneType"),
        ("true", "an object was expected, found bool"),
        ('{"a": NaN}', "NaN"),
        ('{"a": Infinity}', "Infinity"),
        ('{"a": -Infinity}', "Infinity"),
        ('{"a": 1e999}', "number"),
        ('{"a": -1e999}', "number"),
        ('{"a": 1' + "0" * 5000 + "}", "number"),
        ('{"a": 9223372036854775808}', "number"),
        ('{"a": -9223372036854775809}', "number"),
        ('{"a": 1, "a": 2}', "a name occurs twice"),
        ('{"a": {"b": [{"c": 1, "c": 1}]}}', "a name occurs twice"),
        ('{"a": 1, "\\u0061": 2}', "a name occurs twice"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": ["\\udfff"]}', "surrogate"),
        ('{"\\udc80": 1}', "surrogate"),
        ('{"a": "\udcff"}', "surrogate"),
        ('{"a": "' + "x" * 2**20 + '"}', "longer than"),
        (b'{"a": 1}', "text was expected, found bytes"),
        (None, "text was expected, found NoneType"),
        (7, "text was expected, found int"),
        (1.5, "text was expected, found float"),
    ],
    ids=range(40),
)
def test_other_json_is_a_journal_error(text: Any, words: str) -> None:
    assert words in refused(text)


def test_json_just_within_the_limits_is_read() -> None:
    assert decoded('{"a":' + "[" * 31 + "]" * 31 + "}", what="x")
    text = json.dumps({"a": "x" * 2**19, "b": -(2**63), "c": 2**63 - 1, "d": 1e308})
    assert decoded(text, what="x") == json.loads(text)
    assert decoded('{"a": "\\ud83d\\ude00"}', what="x") == {"a": "\U0001f600"}  # a pair is one character


@given(st.text() | st.text('{}[]":,\\u0123456789eE+-.ntf ') | st.binary() | st.integers() | st.none())
def test_any_text_raises_journal_error_at_most(text: Any) -> None:
    with contextlib.suppress(JournalError):
        assert isinstance(decoded(text, what="payout 'k'"), dict)
        return
    assert refused(text)


def test_error_does_not_repeat_the_text() -> None:
    assert "secret-ish" not in refused('{"secret-ish": 1, "secret-ish": 2}')
    assert "secret-ish" not in refused('{"a": "secret-ish" x}')
