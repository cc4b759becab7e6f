"""Requests: what is sent and what is hashed, against a second implementation."""

from __future__ import annotations

import enum
import hashlib
import json
import re
from decimal import Decimal
from typing import Any, cast
from urllib.parse import unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.models import WithdrawalState
from upbit_async.protocol.message import Message, compose

PATH = "/v1/withdraws"

_text = st.text(st.characters(codec="utf-8"), max_size=12)
_name = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda name: "[" not in name)
_number = st.decimals(allow_nan=False, allow_infinity=False, places=8) | st.integers()
_value = st.none() | _text | st.booleans() | _number | st.lists(_text, min_size=1, max_size=3)
_params = st.dictionaries(_name, _value, max_size=5)


def _decoded(text: str) -> str:
    """Undo percent-encoding by hand."""
    out, rest = bytearray(), text
    while rest:
        if rest[0] == "%":
            out.append(int(rest[1:3], 16))
            rest = rest[3:]
        else:
            out += rest[0].encode("ascii")
            rest = rest[1:]
    return out.decode()


def _hash(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()


def _hash_of_wire(message: Message) -> str | None:
    """What an exchange works out from the query that arrives."""
    _, found, query = message.target.partition("?")
    if not found:
        return None
    return _hash("&".join("=".join(map(_decoded, pair.split("=", 1))) for pair in query.split("&")))


def _hash_of_body(message: Message) -> str | None:
    """What an exchange works out from the body that arrives."""
    if not message.body:
        return None
    pairs: list[tuple[str, Any]] = json.loads(message.body, object_pairs_hook=list)
    members: list[str] = []
    for name, value in pairs:
        if isinstance(value, str):
            members.append(f"{name}={value}")
        else:
            members += [f"{name}[]={item}" for item in value]
    return _hash("&".join(members))


@given(params=_params, method=st.sampled_from(["GET", "DELETE"]))
def test_query_hash_matches_the_query_on_the_wire(params: dict[str, Any], method: str) -> None:
    message = compose(method, PATH, params)
    assert message.query_hash == _hash_of_wire(message)
    assert message.body == b""


@given(params=_params)
def test_query_hash_matches_the_body_on_the_wire(params: dict[str, Any]) -> None:
    message = compose("POST", PATH, params)
    sent: dict[str, Any] = json.loads(message.body or "{}")
    assert all(isinstance(value, str | list) for value in sent.values()), "every value travels as text"
    assert message.query_hash == _hash_of_body(message)
    assert message.target == PATH


@given(params=_params)
def test_query_uses_unreserved_characters_only(params: dict[str, Any]) -> None:
    query = compose("GET", PATH, params).target.removeprefix(PATH)
    assert re.fullmatch(r"(\?([A-Za-z0-9_.~\[\]-]|%[0-9A-F]{2}|[=&])*)?", query)


@given(params=_params)
def test_none_is_neither_sent_nor_hashed(params: dict[str, Any]) -> None:
    said = {name: value for name, value in params.items() if value is not None}
    for method in ("GET", "POST"):
        assert compose(method, PATH, params) == compose(method, PATH, said)


@given(params=_params)
def test_members_keep_the_callers_order(params: dict[str, Any]) -> None:
    names = list(dict.fromkeys(name.removesuffix("[]") for name, _ in compose("GET", PATH, params).members))
    assert names == [name for name, value in params.items() if value is not None]


@given(params=st.dictionaries(_name, _text | st.lists(_text, min_size=1, max_size=3), min_size=1, max_size=5))
def test_space_as_plus_follows_upbits_reference(params: dict[str, Any]) -> None:
    wire = {name if isinstance(value, str) else f"{name}[]": value for name, value in params.items()}
    recipe = unquote(urlencode(wire, doseq=True))

    with_setting = compose("GET", PATH, params, space_as_plus=True)

    assert with_setting.query_hash == _hash(recipe)
    assert with_setting.target == compose("GET", PATH, params).target, "the wire stays as it is"
    assert compose("POST", PATH, params, space_as_plus=True).query_hash == _hash(recipe)


def test_space_in_a_query_is_encoded_but_hashed_as_a_space() -> None:
    message = compose("GET", PATH, {"exchange_name": "A B+C"})
    assert message.target == f"{PATH}?exchange_name=A%20B%2BC"
    assert message.query_hash == _hash("exchange_name=A B+C")


def test_space_in_a_body_is_raw_in_body_and_hash() -> None:
    message = compose("POST", PATH, {"secondary_address": "memo 1"})
    assert message.body == b'{"secondary_address":"memo 1"}'
    assert message.query_hash == _hash("secondary_address=memo 1")


def test_brackets_of_array_names_stay_raw() -> None:
    message = compose("GET", PATH, {"uuids": ["a[1]", "b"], "limit": 2})
    assert message.target == f"{PATH}?uuids[]=a%5B1%5D&uuids[]=b&limit=2"
    assert message.query_hash == _hash("uuids[]=a[1]&uuids[]=b&limit=2")


def test_array_name_with_brackets_gets_no_second_pair() -> None:
    assert compose("GET", PATH, {"uuids[]": ["a"]}) == compose("GET", PATH, {"uuids": ["a"]})


def test_array_in_a_body_is_hashed_by_item() -> None:
    message = compose("POST", PATH, {"tags": ("a", "b")})
    assert message.body == b'{"tags":["a","b"]}'
    assert message.query_hash == _hash("tags[]=a&tags[]=b")


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
@pytest.mark.parametrize("nothing", [None, {}, {"page": None}])
def test_empty_parameters_are_neither_sent_nor_hashed(method: str, nothing: dict[str, Any] | None) -> None:
    message = compose(method, PATH, nothing)
    assert (message.target, message.body, message.members, message.query_hash) == (PATH, b"", (), None)


class _Word(str, enum.Enum):  # noqa: UP042 - whose str() is not its value, unlike a StrEnum's
    DONE = "DONE"


class _Count(enum.IntEnum):
    TWO = 2


class _OddCount(int, enum.Enum):
    TWO = 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (10**30, "1" + "0" * 30),
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("10.00"), "10.00"),
        (Decimal("0.1") * Decimal("0.1"), "0.01"),
        (WithdrawalState.DONE, "DONE"),
        (WithdrawalState("NEWER"), "NEWER"),
        (_Word.DONE, "DONE"),
        (_Count.TWO, "2"),
        (_OddCount.TWO, "2"),
        ("한 글", "한 글"),
        ("😀", "😀"),
        ("100%25", "100%25"),
    ],
)
def test_each_kind_of_value_has_one_text(value: Any, text: str) -> None:
    for method in ("GET", "POST"):
        message = compose(method, PATH, {"x": value})
        assert message.members == (("x", text),)
        assert type(message.members[0][1]) is str
        assert message.query_hash == _hash(f"x={text}")
    assert json.loads(compose("POST", PATH, {"x": value}).body) == {"x": text}


@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=20))
def test_decimal_is_written_exactly_without_exponent(number: Decimal) -> None:
    ((_, text),) = compose("POST", PATH, {"amount": number}).members
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)
    assert Decimal(text) == number


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        1.0,
        [0.1],
        b"bytes",
        bytearray(b"x"),
        {"nested": "x"},
        [["nested"]],
        [{"nested": "x"}],
        [None],
        {"a", "set"},
        object(),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_value_without_a_certain_text_is_refused(method: str, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^amount can't be sent as "):
        compose(method, PATH, {"amount": value})


def test_refusal_of_a_float_says_what_to_use() -> None:
    with pytest.raises(TypeError, match="as text or as a Decimal"):
        compose("POST", PATH, {"amount": cast("Any", 1e-8)})


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_decimal_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        compose("POST", PATH, {"amount": Decimal(text)})


@pytest.mark.parametrize("text", ["1E+999999999", "1E-999999999", "9" * 1001])
def test_huge_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 1000 digits"):
        compose("POST", PATH, {"amount": Decimal(text)})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_empty_list_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="uuids must not be an empty list"):
        compose(method, PATH, {"uuids": []})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_text_with_surrogates_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        compose(method, PATH, {"x": "\ud800"})


def test_overlong_query_is_refused_and_a_long_body_is_not() -> None:
    with pytest.raises(ValueError, match="send several requests"):
        compose("GET", PATH, {"x": "x" * 33_000})
    assert len(compose("POST", PATH, {"x": "x" * 33_000}).body) > 33_000


def test_message_repr_hides_its_content() -> None:
    message = compose("GET", PATH, {"address": "CANARY"})
    assert "CANARY" not in repr(message)
    assert message.query_hash is not None
    assert message.query_hash not in repr(message)
