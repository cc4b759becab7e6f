"""Scrubbing of keys and tokens from foreign texts, whole or cut."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.credentials import Credentials
from upbit_async.protocol.scrub import scrub
from upbit_async.protocol.token import Algorithm, Signer

ACCESS, SECRET = "CANARYACCESS" + "a" * 28, "CANARYSECRET" + "s" * 28
NONCE = "8f6a0b8e-0000-4000-8000-000000000000"
SIGNER = Signer(Credentials(ACCESS, SECRET))
TOKEN = SIGNER.token(NONCE, "f" * 128)
HEAD, CLAIMS, SIGNATURE = TOKEN.split(".")


def keys_in(text: str) -> list[str]:
    """Return what of the keys can be read in a text: in plain, or by decoding what looks like base64."""
    plain = [part for key in (ACCESS, SECRET) for part in (key[:12], key[-20:]) if part in text]
    readable = base64.urlsafe_b64encode(ACCESS[:9].encode()).decode()
    return plain + [readable] * (readable in text)


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
@pytest.mark.parametrize("around", ["{}", "Bearer {}", "a {} b", '"{}"', "Authorization:{}\n"])
def test_whole_token_is_removed(around: str, algorithm: Algorithm) -> None:
    token = SIGNER.token(NONCE, "f" * 128, algorithm)
    assert SIGNER.scrub(around.format(token)) == around.format("***")


@pytest.mark.parametrize("length", range(12, len(TOKEN)))
def test_start_of_a_cut_token_is_removed(length: int) -> None:
    assert SIGNER.scrub(f"Bearer {TOKEN[:length]}").rstrip(".") == "Bearer ***"


@pytest.mark.parametrize("around", ["Bearer%20{}%0d%0a", "Bearer\\t{}\\r\\n", "b'{}'"])
@pytest.mark.parametrize("length", [100, 300, len(TOKEN)])
def test_reformatted_token_is_removed(around: str, length: int) -> None:
    scrubbed = SIGNER.scrub(around.format(TOKEN[:length]))
    assert "***" in scrubbed
    assert HEAD not in scrubbed
    assert CLAIMS[:40] not in scrubbed


@pytest.mark.parametrize("start", range(1, len(HEAD) + len(CLAIMS)))
def test_end_of_a_token_reveals_no_key(start: int) -> None:
    scrubbed = SIGNER.scrub(f"… {TOKEN[start:]} …")
    assert keys_in(scrubbed) == []
    assert CLAIMS[-20:] not in scrubbed
    assert SIGNATURE not in scrubbed


@pytest.mark.parametrize("length", range(8, 40))
@pytest.mark.parametrize("key", [ACCESS, SECRET], ids=["access", "secret"])
def test_key_cut_at_the_end_of_the_text_is_removed(key: str, length: int) -> None:
    assert SIGNER.scrub(f"key {key}, key {key[:length]}") == "key ***, key ***"


@pytest.mark.parametrize("short", ["a", "key", "4567890"])
def test_short_keys_are_not_searched_for(short: str) -> None:
    text = "a keyed answer: 1234567890, jackal"
    assert scrub(text, access_key=short, secret_key=short) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        'withdraw_address_not_registered: "주소" 10.00 at https://global-docs.upbit.com/reference/auth',
        "sg-api.upbit.com, 9f432943-54e0-40b7-825f-b6fec8b42b79, eyJ, eyJhbGc",
        "EQCkR1cGmnsE45N4K0otPl5EnxnRakmGqeJUNua5fkWeyJ_V",  # an address on TON
        "0x" + "ab" * 32,
    ],
)
def test_other_texts_are_unchanged(text: str) -> None:
    assert SIGNER.scrub(text) == text


@given(st.text())
def test_scrubbing_twice_changes_nothing(text: str) -> None:
    once = SIGNER.scrub(text)
    assert SIGNER.scrub(once) == once


HOSTILE = [
    "a" * 70_000,
    "aaaaaaaa." * 8_000 + "!",
    "aaaaaaa." * 9_000,
    "aaaaaaaa.b." * 6_000,
    "eyJ" * 23_000,
    "eyJaaaaaaa " * 6_000,
    "%20eyJ" * 11_000,
    "\\n" * 35_000,
    ACCESS * 1_700,
    CLAIMS * 200,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_text_is_scrubbed_in_one_pass(text: str) -> None:
    # A pass for each character would run into the suite's time limit.
    assert len(SIGNER.scrub(text * 15)) <= 15 * len(text)


# -- whole answers ---------------------------------------------------------------------------------


def test_echoed_token_is_removed_from_an_answer() -> None:
    body = json.dumps(
        {"echo": f"Bearer {TOKEN}", "keys": [ACCESS], "other": "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln"}
    )
    cleaned = SIGNER.without_token(body.encode()).decode()
    assert CLAIMS not in cleaned
    assert SIGNATURE not in cleaned
    assert json.loads(cleaned) == json.loads(body) | {"echo": f"Bearer {HEAD}.***"}


@given(st.binary())
def test_other_answers_are_returned_unchanged(body: bytes) -> None:
    assert SIGNER.without_token(body) is body


def test_large_answer_is_searched_in_one_pass() -> None:
    for body in (b"a" * 4_000_000 + CLAIMS.encode(), CLAIMS.encode() * 10_000, b"eyJ" * 1_300_000):
        assert len(SIGNER.without_token(body)) <= len(body)
