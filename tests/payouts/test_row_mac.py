"""Message authentication codes of rows."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from upbit_async.payouts import row_mac
from upbit_async.payouts.row_mac import (
    JOURNAL_KEY_PURPOSE,
    JournalKeys,
    mac_of_departure,
    mac_of_payment,
    verifies_departure,
    verifies_payment,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, SECOND = b"first key, 16 b.", b"second key, 16 b"
KEYS = JournalKeys([FIRST])
MEMBERS = {"currency": "USDT", "net_type": "TRX", "amount": "13", "address": "T"}
REQUEST: dict[str, Any] = {
    "host": "sg-api.upbit.com",
    "account": "main",
    "key": "invoice-42",
    "members": MEMBERS,
}
DEPARTURE: dict[str, Any] = {**REQUEST, "nonce": "n-1", "algorithm": "HS256", "signed_by": "f" * 64}
KINDS: list[tuple[Callable[..., str], Callable[..., bool], dict[str, Any]]] = [
    (mac_of_payment, verifies_payment, REQUEST),
    (mac_of_departure, verifies_departure, DEPARTURE),
]

texts = st.text(st.characters(codec=None), max_size=6)  # lone surrogates are among them
bodies = st.lists(st.tuples(texts, texts), max_size=4, unique_by=lambda pair: pair[0]).map(dict)
requests = st.fixed_dictionaries({"host": texts, "account": texts, "key": texts, "members": bodies})
departures = st.fixed_dictionaries(
    {
        "host": texts,
        "account": texts,
        "key": texts,
        "members": bodies,
        "nonce": texts,
        "algorithm": texts,
        "signed_by": texts,
    }
)
key_sets = st.lists(st.binary(min_size=16, max_size=40), min_size=1, max_size=3)


def changed(row: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return row | fields


def written(row: dict[str, Any]) -> list[object]:
    """Return all fields of a row, with its members in order, so that two rows can be compared."""
    return [
        (name, list(value.items()) if name == "members" else value) for name, value in sorted(row.items())
    ]


# Signing and verifying


@given(key_sets, requests)
def test_signed_request_verifies(keys: list[bytes], row: dict[str, Any]) -> None:
    mac = mac_of_payment(JournalKeys(keys), **row)
    assert verifies_payment(JournalKeys(keys), mac, **row)
    assert verifies_payment(JournalKeys([b"x" * 16, *keys]), mac, **row)


@given(key_sets, departures)
def test_signed_departure_verifies(keys: list[bytes], row: dict[str, Any]) -> None:
    mac = mac_of_departure(JournalKeys(keys), **row)
    assert verifies_departure(JournalKeys(keys), mac, **row)
    assert verifies_departure(JournalKeys([b"x" * 16, *keys]), mac, **row)


@given(requests, requests)
def test_different_requests_have_different_macs(row: dict[str, Any], other: dict[str, Any]) -> None:
    assume(written(row) != written(other))
    assert mac_of_payment(KEYS, **row) != mac_of_payment(KEYS, **other)
    assert not verifies_payment(KEYS, mac_of_payment(KEYS, **row), **other)


@given(departures, departures)
def test_different_departures_have_different_macs(row: dict[str, Any], other: dict[str, Any]) -> None:
    assume(written(row) != written(other))
    assert not verifies_departure(KEYS, mac_of_departure(KEYS, **row), **other)


@given(departures, st.data())
def test_any_single_change_is_detected(row: dict[str, Any], data: st.DataObject) -> None:
    mac = mac_of_departure(KEYS, **row)
    name = data.draw(st.sampled_from(sorted(row)))
    other = changed(row, **{name: data.draw(bodies if name == "members" else texts)})
    assume(written(other) != written(row))
    assert not verifies_departure(KEYS, mac, **other)


@given(departures, st.data())
def test_text_moved_between_fields_is_detected(row: dict[str, Any], data: st.DataObject) -> None:
    mac = mac_of_departure(KEYS, **row)
    names = ["account", "algorithm", "host", "key", "nonce", "signed_by"]
    giver, taker = data.draw(st.permutations(names))[:2]
    assume(row[giver])
    cut = data.draw(st.integers(0, len(row[giver]) - 1))
    moved = changed(row, **{giver: row[giver][:cut], taker: row[giver][cut:] + row[taker]})
    assert not verifies_departure(KEYS, mac, **moved)
    moved = changed(row, **{giver: row[giver][:cut], taker: row[taker] + row[giver][cut:]})
    assert not verifies_departure(KEYS, mac, **moved)


@given(bodies, st.data())
def test_order_of_members_is_signed(body: dict[str, str], data: st.DataObject) -> None:
    other = dict(data.draw(st.permutations(list(body.items()))))
    mac = mac_of_payment(KEYS, **changed(REQUEST, members=body))
    assert verifies_payment(KEYS, mac, **changed(REQUEST, members=other)) is (list(other) == list(body))


@given(st.lists(texts, min_size=2, max_size=6, unique=True), st.data())
def test_members_and_fields_are_delimited(words: list[str], data: st.DataObject) -> None:
    """The same words, cut into members in two ways, have two codes."""
    pairs = [(words[at], words[at + 1]) for at in range(0, len(words) - 1, 2)]
    fewer = data.draw(st.integers(0, len(pairs) - 1))
    mac = mac_of_departure(KEYS, **changed(DEPARTURE, members=dict(pairs)))
    rest = "".join(f"{name}{value}" for name, value in pairs[fewer:])
    other = changed(DEPARTURE, members=dict(pairs[:fewer]), nonce=rest + DEPARTURE["nonce"])
    assert not verifies_departure(KEYS, mac, **other)


@pytest.mark.parametrize(
    "members",
    [
        {**MEMBERS, "amount": "99"},
        {**MEMBERS, "address": "U"},
        {**MEMBERS, "secondary_address": ""},
        {name: value for name, value in MEMBERS.items() if name != "net_type"},
        {"net_type": "TRX", "currency": "USDT", "amount": "13", "address": "T"},
        {"currency": "USDTnet_type", "": "TRX", "amount": "13", "address": "T"},
        {"currency": "USDT", "net_type": "TRX", "amount": "13a", "ddress": "T"},
        {},
    ],
)
@pytest.mark.parametrize(("sign", "verifies", "row"), KINDS)
def test_another_body_does_not_verify(
    sign: Callable[..., str], verifies: Callable[..., bool], row: dict[str, Any], members: dict[str, str]
) -> None:
    mac = sign(KEYS, **row)
    assert verifies(KEYS, mac, **row)
    assert not verifies(KEYS, mac, **changed(row, members=members))


@given(departures)
def test_request_mac_and_departure_mac_are_not_interchangeable(row: dict[str, Any]) -> None:
    request = {name: row[name] for name in REQUEST}
    assert not verifies_departure(KEYS, mac_of_payment(KEYS, **request), **row)
    assert not verifies_payment(KEYS, mac_of_departure(KEYS, **row), **request)


def test_departure_with_empty_fields_is_no_request() -> None:
    empty = changed(REQUEST, nonce="", algorithm="", signed_by="")
    assert not verifies_payment(KEYS, mac_of_departure(KEYS, **empty), **REQUEST)
    assert not verifies_departure(KEYS, mac_of_payment(KEYS, **REQUEST), **empty)


# Codes that never verify


@pytest.mark.parametrize(("sign", "verifies", "row"), KINDS)
def test_missing_or_damaged_mac_never_verifies(
    sign: Callable[..., str], verifies: Callable[..., bool], row: dict[str, Any]
) -> None:
    mac = sign(KEYS, **row)
    assert verifies(KEYS, mac, **row)
    version, _, digits = mac.partition(":")
    assert (version, len(digits)) == ("1", 64)
    damaged: list[Any] = [
        None,
        "",
        "1:",
        digits,
        f"2:{digits}",
        f"01:{digits}",
        f"1:{digits.upper()}",
        f"1:{digits[:-1]}",
        f"1:{digits}0",
        f" {mac}",
        f"{mac}\n",
        mac.encode(),
        1,
        True,
        [mac],
        "1:" + "\udcff" * 64,
        "1:" + "١" * 64,
    ]
    for other in damaged:
        if other != mac:
            assert not verifies(KEYS, other, **row), other


@given(
    st.one_of(st.none(), st.text(), st.text("0123456789abcdef", min_size=64, max_size=64).map("1:".__add__))
)
def test_guessed_mac_does_not_verify(guess: str | None) -> None:
    assert not verifies_payment(KEYS, guess, **REQUEST)


@pytest.mark.parametrize(("sign", "verifies", "row"), KINDS)
def test_fields_that_are_not_text_are_refused(
    sign: Callable[..., str], verifies: Callable[..., bool], row: dict[str, Any]
) -> None:
    mac = sign(KEYS, **row)
    odd: list[dict[str, Any]] = [
        {**row, "members": {**MEMBERS, "amount": 13}},
        {**row, "members": {None: "x"}},
    ]
    odd += [{**row, "members": ["currency"]}, {**row, "members": None}]
    odd += [{**row, name: value} for name in row if name != "members" for value in (None, b"x", 7)]
    for other in odd:
        assert not verifies(KEYS, mac, **other)
        with pytest.raises(TypeError, match="must be"):
            sign(KEYS, **other)


# Keys


@pytest.mark.parametrize(("sign", "verifies", "row"), KINDS)
def test_first_key_signs_and_all_keys_verify(
    sign: Callable[..., str], verifies: Callable[..., bool], row: dict[str, Any]
) -> None:
    former, rotated = JournalKeys([FIRST]), JournalKeys([SECOND, FIRST])
    assert verifies(rotated, sign(former, **row), **row)
    assert sign(rotated, **row) == sign(JournalKeys([SECOND]), **row)
    assert not verifies(former, sign(rotated, **row), **row)


def test_every_key_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    really = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return really(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = JournalKeys([FIRST, SECOND])
    assert verifies_payment(keys, mac_of_payment(keys, **REQUEST), **REQUEST)
    assert len(compared) == 2


@pytest.mark.parametrize(
    ("keys", "kind", "words"),
    [
        ([], ValueError, "at least one"),
        ([b"short, 15 bytes"], ValueError, "at least 16 bytes, got 15"),
        ([FIRST, b""], ValueError, "at least 16 bytes, got 0"),
        (["x" * 16], TypeError, "must be bytes, got str"),
        ([bytearray(16)], TypeError, "must be bytes, got bytearray"),
        (FIRST, TypeError, "a sequence of keys"),
        ("x" * 16, TypeError, "a sequence of keys"),
        (None, TypeError, "a sequence of keys"),
        (7, TypeError, "a sequence of keys"),
    ],
)
def test_short_keys_are_refused(keys: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        JournalKeys(keys)


def test_keys_appear_in_no_representation() -> None:
    keys = JournalKeys([FIRST, SECOND])
    for text in (
        repr(keys),
        str(keys),
        f"{keys}",
        repr([keys]),
        repr(attrs.asdict(keys)),
        repr(vars(type(keys))),
    ):
        assert "key, 16" not in text
    assert repr(keys) == "JournalKeys(2 keys)"
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(keys)
    assert copy.copy(keys) is copy.deepcopy(keys) is keys


@pytest.mark.parametrize(
    "keys", [[b"hidden"], [b"hidden key 16 by", "hidden"], b"hidden", [FIRST, b"hidden"]]
)
def test_traceback_locals_contain_no_keys(keys: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        JournalKeys(keys)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if frame.filename == row_mac.__file__]
    assert ours
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr([frame.locals for frame in ours])


def test_keys_of_one_value_are_equal() -> None:
    assert JournalKeys([FIRST]) == JournalKeys((FIRST,))
    assert JournalKeys([FIRST]) != JournalKeys([SECOND])
    assert hash(JournalKeys([FIRST])) == hash(JournalKeys([FIRST]))
    assert JournalKeys([FIRST]) != FIRST


# Stored codes are the same in every version


def test_mac_format_is_stable() -> None:
    def field(text: str) -> bytes:
        return len(text.encode()).to_bytes(8, "big") + text.encode()

    body = (4).to_bytes(8, "big") + b"".join(field(name) + field(value) for name, value in MEMBERS.items())
    common = field("sg-api.upbit.com") + field("main") + field("invoice-42") + body
    request = field("upbit_async payouts journal v1: request") + common
    assert mac_of_payment(KEYS, **REQUEST) == "1:" + hmac.new(FIRST, request, hashlib.sha256).hexdigest()
    sent_request = field("upbit_async payouts journal v1: departure") + common
    sent_request += field("n-1") + field("HS256") + field("f" * 64)
    assert (
        mac_of_departure(KEYS, **DEPARTURE)
        == "1:" + hmac.new(FIRST, sent_request, hashlib.sha256).hexdigest()
    )
    assert JOURNAL_KEY_PURPOSE == b"upbit_async payouts journal v1"
