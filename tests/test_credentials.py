"""Credentials: where keys must not appear."""

from __future__ import annotations

import copy
import hmac
import json
import logging
import pickle
import pprint
import traceback
from typing import Any

import attrs
import pytest

from upbit_async import Credentials
from upbit_async.credentials import Secret

ACCESS, SECRET = "CANARYACCESS" + "a" * 28, "CANARYSECRET" + "s" * 28


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(ACCESS, SECRET)


def test_reveal_returns_the_key(credentials: Credentials) -> None:
    assert (credentials.access_key.reveal(), credentials.secret_key.reveal()) == (ACCESS, SECRET)


def test_secret_is_masked_in_every_representation(credentials: Credentials) -> None:
    secret = credentials.secret_key
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        f"{secret:>60}",
        "%s %r" % (secret, secret),  # noqa: UP031 - as a log line does it
        "{}".format(secret),  # noqa: UP032
        json.dumps({"key": secret}, default=str),
        pprint.pformat(secret),
    ]
    assert [text for text in shown if "CANARY" in text] == []
    assert (repr(secret), str(secret)) == ("Secret(***)", "***")


def test_credentials_are_masked_in_every_representation(credentials: Credentials) -> None:
    shown = [
        repr(credentials),
        str(credentials),
        f"{credentials}",
        "%s %r" % (credentials, credentials),  # noqa: UP031
        str(attrs.asdict(credentials)),
        str(attrs.astuple(credentials)),
        pprint.pformat(attrs.asdict(credentials)),
        str([getattr(credentials, name) for name in dir(credentials) if not name.startswith("__")]),
    ]
    assert [text for text in shown if "CANARY" in text] == []
    assert repr(credentials) == f"Credentials(#{credentials.access_key.fingerprint})"


def test_logged_key_is_masked(credentials: Credentials, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("x").warning(
        "%s %r %s", credentials, credentials.secret_key, {"key": credentials.secret_key}
    )
    assert "CANARY" not in caplog.text
    assert "***" in caplog.text


def test_attributes_of_a_key_do_not_contain_its_text(credentials: Credentials) -> None:
    for thing in (credentials, credentials.secret_key):
        with pytest.raises(TypeError):
            vars(thing)
    slots = [getattr(credentials.secret_key, name, None) for name in Secret.__slots__]
    assert SECRET not in slots
    assert "CANARY" not in str(slots)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_keys_can_not_be_pickled(credentials: Credentials, protocol: int) -> None:
    for thing in (credentials, credentials.secret_key, {"deep": [credentials]}):
        with pytest.raises(TypeError, match="can't be pickled") as caught:
            pickle.dumps(thing, protocol)
        assert "CANARY" not in str(caught.value)


def test_keys_can_be_copied(credentials: Credentials) -> None:
    for twin in (copy.copy(credentials), copy.deepcopy(credentials), attrs.evolve(credentials)):
        assert twin == credentials
        assert twin.secret_key.reveal() == SECRET
    assert copy.deepcopy(credentials.secret_key) is credentials.secret_key
    assert copy.copy(credentials.secret_key) is credentials.secret_key


def test_keys_can_not_be_changed(credentials: Credentials) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        credentials.secret_key = Secret("x")  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []

    def spy(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return bool(left == right)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    assert Secret("한") == Secret("한")
    assert Secret("a") != Secret("b")
    assert compared == [("한".encode(), "한".encode()), (b"a", b"b")]


def test_secret_does_not_equal_its_text() -> None:
    assert Secret("a") != "a"
    assert Secret("a") != b"a"


def test_equal_secrets_have_one_hash_and_one_fingerprint() -> None:
    assert hash(Secret("a")) == hash(Secret("a"))
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert len({Credentials("a", "b"), Credentials("a", "b"), Credentials("a", "c")}) == 2
    assert Secret("a").fingerprint != Secret("b").fingerprint
    assert len(Secret(SECRET).fingerprint) == 8


def test_credentials_accept_a_secret() -> None:
    secret = Secret(SECRET)
    assert Credentials(Secret(ACCESS), secret).secret_key is secret


BAD = [
    ("", ValueError, "must not be empty"),
    (f" {SECRET}", ValueError, "white space"),
    (f"{SECRET}\n", ValueError, "white space"),
    (f"{SECRET}\u3000", ValueError, "white space"),
    ("\t", ValueError, "white space"),
    (f"{SECRET}\udcff", ValueError, "UTF-8"),
    (SECRET.encode(), TypeError, "got bytes"),
    (None, TypeError, "got NoneType"),
    (7, TypeError, "got int"),
]


@pytest.mark.parametrize(("bad", "kind", "text"), BAD, ids=lambda value: repr(value)[:20])
def test_malformed_key_is_refused_without_showing_it(bad: Any, kind: type[Exception], text: str) -> None:
    attempts = (lambda: Secret(bad), lambda: Credentials(ACCESS, bad), lambda: Credentials(bad, SECRET))
    for attempt in attempts:
        with pytest.raises(kind, match=text) as caught:
            attempt()
        assert "CANARY" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("bad", [f" {SECRET}", SECRET.encode()], ids=["text", "bytes"])
def test_malformed_key_is_in_no_frame_of_the_traceback(bad: Any) -> None:
    attempts = (lambda: Secret(bad), lambda: Credentials(ACCESS, bad), lambda: Credentials(bad, SECRET))
    for attempt in attempts:
        with pytest.raises((TypeError, ValueError)) as caught:
            attempt()
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        ours = [frame for frame in frames if frame.f_code.co_filename != __file__]
        assert ours
        assert "CANARY" not in str([frame.f_locals for frame in ours])
