"""The token, against vectors computed from the documented rules."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from typing import Any, get_args

import jwt
import pytest
from examples import example
from hypothesis import given
from hypothesis import strategies as st

from upbit_async import Credentials
from upbit_async.errors import ConfigurationError
from upbit_async.protocol.message import Message, compose
from upbit_async.protocol.token import Algorithm, Signer

VECTORS = example("auth_vectors")
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
SECRET = "S" * 40
NONCE = "00000000-0000-4000-8000-000000000001"
PEM = (
    "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----"
)


def _signer(access_key: str = "A" * 40, secret_key: str = SECRET, algorithm: Algorithm = "HS256") -> Signer:
    return Signer(Credentials(access_key, secret_key), algorithm)


def _part(token: str, number: int) -> bytes:
    part = token.split(".")[number]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _message_of(vector: dict[str, Any]) -> Message:
    path, _, query = vector["request_target"].partition("?")
    params: dict[str, Any] = {}
    for pair in filter(None, (vector["hash_input"] or "").split("&")):
        name, value = pair.split("=", 1)
        if name.endswith("[]"):
            params.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            params[name] = value
    assert bool(query) == (bool(params) and vector["method"] != "POST")
    return compose(vector["method"], path, params or None)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["title"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_documented_vectors_match_byte_for_byte(vector: dict[str, Any], algorithm: Algorithm) -> None:
    message = _message_of(vector)
    hashed = "&".join(f"{name}={text}" for name, text in message.members)

    assert message.target == vector["request_target"]
    assert message.body.decode() == (vector["body_json_text"] or "")
    assert hashed == (vector["hash_input"] or "")
    assert message.query_hash == vector["query_hash"]

    signer = _signer(VECTORS["access_key"], VECTORS["secret_key"], algorithm)
    nonce = json.loads(vector[algorithm]["payload_json_text"])["nonce"]
    token = signer.token(nonce, message.query_hash)
    assert _part(token, 0).decode() == vector[algorithm]["header_json_text"]
    assert _part(token, 1).decode() == vector[algorithm]["payload_json_text"]
    assert token == vector[algorithm]["token"]


@given(secret=st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text == text.strip()))
def test_signature_is_the_hmac_of_the_secret(secret: str) -> None:
    for algorithm, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        try:
            token = Signer(Credentials("A", secret), "HS512" if algorithm == "HS512" else "HS256").token(
                NONCE, None
            )
        except ConfigurationError:
            return
        signed, _, _ = token.rpartition(".")
        assert _part(token, 2) == hmac.new(secret.encode(), signed.encode(), digest).digest()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("length", [1, 31, 40, 63, 64, 65, 200])
def test_no_key_length_emits_a_warning(algorithm: Algorithm, length: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _signer(secret_key="S" * length, algorithm=algorithm).token(NONCE, None)


def test_warnings_of_pyjwt_for_others_are_unchanged() -> None:
    before = _warnings_of_others()
    _signer(algorithm="HS512").token(NONCE, None)
    assert _warnings_of_others() == before


def _warnings_of_others() -> list[str]:
    """Say how PyJWT warns others of short keys; its newer versions do, its oldest allowed one does not."""
    pyjwt: Any = jwt
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pyjwt.encode({}, "short", algorithm="HS512")
        pyjwt.PyJWS().encode(b"{}", "short", "HS256")
    return [str(warning.message) for warning in caught]


def test_token_without_members_has_no_query_hash() -> None:
    assert set(json.loads(_part(_signer().token(NONCE, None), 1))) == {"access_key", "nonce"}


def test_token_has_no_time_claims() -> None:
    claims = json.loads(_part(_signer().token(NONCE, "ff"), 1))
    assert claims == {"access_key": "A" * 40, "nonce": NONCE, "query_hash": "ff", "query_hash_alg": "SHA512"}


@pytest.mark.parametrize(
    "secret",
    [
        PEM,
        PEM.replace("PRIVATE KEY", "PUBLIC KEY"),
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ user@host",
        '{"kty":"oct","k":"c2VjcmV0"}',
        '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}',
    ],
)
def test_secret_of_another_kind_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="secret key is not a text such as Upbit issues") as caught:
        _signer(secret_key=secret)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key", ['a"b', "a\\b", "a\nb", "a\x00b", "a\x7fb", "열쇠", "a\u200bb"])
def test_access_key_that_would_break_the_claims_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="access key has characters") as caught:
        _signer(access_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("bad", [("a" * 20 + '"', SECRET), ("A" * 20, PEM)], ids=["access key", "secret key"])
def test_refused_key_is_in_no_frame_of_the_traceback(bad: tuple[str, str]) -> None:
    credentials = Credentials(*bad)
    with pytest.raises(ConfigurationError) as caught:
        Signer(credentials)

    seen = caught.value.__traceback__
    assert seen is not None
    step = seen.tb_next
    while step is not None:
        shown = repr(step.tb_frame.f_locals)
        assert bad[0] not in shown
        assert bad[1][:30] not in shown
        step = step.tb_next


@given(key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_accepted_access_key_is_in_the_claims_unchanged(key: str) -> None:
    try:
        token = _signer(access_key=key).token(NONCE, "ff")
    except ConfigurationError:
        assert set('"\\') & set(key)
    else:
        assert json.loads(_part(token, 1))["access_key"] == key


@pytest.mark.parametrize("algorithm", ["HS384", "none", "", "hs256", "RS256"])
def test_other_algorithms_are_refused(algorithm: Any) -> None:
    with pytest.raises(ValueError, match="HS256 or HS512"):
        Signer(Credentials("a", "b"), algorithm)


def test_signer_repr_shows_no_key() -> None:
    signer = _signer("CANARYACCESS", "CANARYSECRET")
    assert "CANARY" not in repr(signer)
    assert not hasattr(signer, "__dict__")


def test_scrubbing_removes_keys_and_whole_tokens() -> None:
    signer = _signer("CANARYACCESS", "CANARYSECRET")
    token = signer.token(NONCE, "ff")
    text = f"Bearer {token}, CANARYACCESS and CANARYSECRET; xCANARYSECRETx; {token}.{token}"

    assert signer.scrub(text) == "Bearer ***, *** and ***; x***x; ***"


def test_scrubbing_keeps_ordinary_text() -> None:
    text = 'withdraw_address_not_registered: "주소" 10.00 at https://global-docs.upbit.com/reference/auth'
    assert _signer().scrub(text) == text


def test_scrubbing_a_hostile_text_takes_one_pass() -> None:
    # A pass for each character would run into the suite's time limit.
    for hostile in ("a" * 1_000_000, "aaaaaaaa." * 100_000 + "!", "aaaaaaa." * 100_000):
        assert len(_signer().scrub(hostile)) <= len(hostile)
