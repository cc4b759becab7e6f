"""Keys and base URLs from the environment, and which servers a key may be sent to."""

from __future__ import annotations

import os
import traceback
from typing import Any
from unittest import mock

import pytest
from environment import clear_environment
from hypothesis import given, settings
from hypothesis import strategies as st

from upbit_async import Credentials, Region
from upbit_async.errors import ConfigurationError
from upbit_async.settings import (
    base_url_for,
    credentials_for,
    host_of,
    keys_and_base_url,
    own_credentials_for,
    region_of,
)

PREFIXES = ("UPBIT_SG", "UPBIT", "UPBIT_OPEN_API")
ORDINARY = "https://sg-api.upbit.com"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)


def _set(monkeypatch: pytest.MonkeyPatch, prefix: str, access: str = "", secret: str = "") -> None:
    monkeypatch.setenv(f"{prefix}_ACCESS_KEY", access)
    monkeypatch.setenv(f"{prefix}_SECRET_KEY", secret)


@pytest.mark.parametrize("value", ["sg", "SG", "Sg", Region.SG])
def test_region_is_found_by_its_name(value: Region | str) -> None:
    assert region_of(value) is Region.SG


@pytest.mark.parametrize("value", ["", " sg", "us", "singapore", None, 1, b"sg"])
def test_unknown_region_is_refused_with_the_valid_names(value: Any) -> None:
    with pytest.raises(ValueError, match="region must be one of sg, id, th, kr, got"):
        region_of(value)


def test_empty_environment_has_no_keys() -> None:
    assert credentials_for(Region.SG) is None
    assert own_credentials_for(Region.SG) is None


@pytest.mark.parametrize("first", range(3))
def test_key_variables_are_read_in_order_of_precedence(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    for number, prefix in enumerate(PREFIXES[first:], first):
        _set(monkeypatch, prefix, f"access{number}", f"secret{number}")
    assert credentials_for(Region.SG) == Credentials(f"access{first}", f"secret{first}")


@pytest.mark.parametrize("region", Region)
def test_keys_of_a_region_are_used_for_that_region_only(
    monkeypatch: pytest.MonkeyPatch, region: Region
) -> None:
    _set(monkeypatch, f"UPBIT_{region.name}", "access", "secret")
    for other in Region:
        expected = Credentials("access", "secret") if other is region else None
        assert credentials_for(other) == expected
        assert own_credentials_for(other) == expected


@pytest.mark.parametrize("prefix", PREFIXES[1:])
def test_shared_keys_are_not_own_credentials(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    _set(monkeypatch, prefix, "access", "secret")
    assert own_credentials_for(Region.SG) is None


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("half", ["ACCESS_KEY", "SECRET_KEY"])
def test_half_a_key_pair_is_an_error_that_names_both_variables(
    monkeypatch: pytest.MonkeyPatch, prefix: str, half: str
) -> None:
    missing = "SECRET_KEY" if half == "ACCESS_KEY" else "ACCESS_KEY"
    monkeypatch.setenv(f"{prefix}_{half}", "CANARY")
    with pytest.raises(
        ConfigurationError, match=f"^{prefix}_{missing} is not set, but {prefix}_{half} is"
    ) as caught:
        credentials_for(Region.SG)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("half", ["ACCESS_KEY", "SECRET_KEY"])
@pytest.mark.parametrize("nothing", ["", "  ", "\n"])
@pytest.mark.parametrize("keys_elsewhere", [(), *((each,) for each in PREFIXES)])
def test_empty_key_is_an_error_even_if_other_keys_are_set(
    monkeypatch: pytest.MonkeyPatch, prefix: str, half: str, nothing: str, keys_elsewhere: tuple[str, ...]
) -> None:
    for each in keys_elsewhere:
        _set(monkeypatch, each, "CANARY", "CANARY")
    monkeypatch.setenv(f"{prefix}_{half}", nothing)
    with pytest.raises(ConfigurationError, match=f"^{prefix}_{half} is set but empty") as caught:
        credentials_for(Region.SG)
    assert "CANARY" not in str(caught.value)
    if prefix == "UPBIT_SG":
        with pytest.raises(ConfigurationError, match=f"^{prefix}_{half} is set but empty"):
            own_credentials_for(Region.SG)


def test_empty_key_of_another_region_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, "UPBIT_TH")
    assert credentials_for(Region.SG) is None


def test_half_a_key_pair_is_not_completed_from_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_SG_ACCESS_KEY", "access")
    _set(monkeypatch, "UPBIT", "other", "secret")
    with pytest.raises(ConfigurationError, match="UPBIT_SG_SECRET_KEY is not set"):
        credentials_for(Region.SG)


def test_white_space_around_keys_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, "UPBIT", " access\n", "\tsecret ")
    assert credentials_for(Region.SG) == Credentials("access", "secret")


def test_malformed_key_is_an_error_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _set(monkeypatch, "UPBIT", "CANARY", "CANARY\udcff")
    with pytest.raises(
        ConfigurationError, match="UPBIT_ACCESS_KEY and UPBIT_SECRET_KEY: a key must be"
    ) as caught:
        credentials_for(Region.SG)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    assert "CANARY" not in str(caught.value) + str([frame.f_locals for frame in frames])


@pytest.mark.parametrize("region", Region)
def test_base_url_defaults_to_the_regions_host(region: Region) -> None:
    assert base_url_for(region, None) == f"https://{region.host}"


def test_base_urls_are_read_in_order_of_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_OPEN_API_SERVER_URL", "https://second")
    assert base_url_for(Region.SG, None) == "https://second"
    monkeypatch.setenv("UPBIT_BASE_URL", "https://first")
    assert base_url_for(Region.SG, None) == "https://first"
    monkeypatch.setenv("UPBIT_SG_BASE_URL", "https://own")
    assert base_url_for(Region.SG, None) == "https://own"
    assert base_url_for(Region.TH, None) == "https://first"
    assert base_url_for(Region.SG, "https://given") == "https://given"


URL_NAMES = ("UPBIT_SG_BASE_URL", "UPBIT_BASE_URL", "UPBIT_OPEN_API_SERVER_URL")


@pytest.mark.parametrize("name", URL_NAMES)
@pytest.mark.parametrize("nothing", ["", "  ", "\t\n"])
@pytest.mark.parametrize("other", [None, *URL_NAMES])
def test_empty_base_url_variable_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, nothing: str, other: str | None
) -> None:
    if other is not None:
        monkeypatch.setenv(other, "https://other")
    monkeypatch.setenv(name, nothing)
    with pytest.raises(ConfigurationError, match=f"^{name} is set but empty"):
        base_url_for(Region.SG, None)
    assert base_url_for(Region.SG, ORDINARY) == ORDINARY


@pytest.mark.parametrize("name", URL_NAMES)
def test_base_url_of_the_environment_is_validated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://sg-api.upbit.com")
    with pytest.raises(ConfigurationError, match=f"{name}: .*must be https"):
        base_url_for(Region.SG, None)


# -- keys and servers that do not belong together ---------------------------------------------------

GENERIC_URLS = URL_NAMES[1:]
GIVEN = Credentials("given", "given-secret")


@pytest.mark.parametrize("name", GENERIC_URLS)
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8787", "https://th-api.upbit.com", "https://sg-api.upbit.com:8443"]
)
def test_keys_of_a_region_are_not_sent_to_a_server_for_all_regions(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    _set(monkeypatch, "UPBIT_SG", "CANARY", "CANARY-SECRET")
    _set(monkeypatch, "UPBIT", "other", "other-secret")
    monkeypatch.setenv(name, url)
    with pytest.raises(ConfigurationError) as caught:
        keys_and_base_url(Region.SG, credentials=None, base_url=None)
    text = str(caught.value)
    for variable in (name, "UPBIT_SG_ACCESS_KEY", "UPBIT_SG_SECRET_KEY", "UPBIT_SG_BASE_URL"):
        assert variable in text
    assert "CANARY" not in text
    assert keys_and_base_url(Region.SG, credentials=GIVEN, base_url=None) == (GIVEN, url)
    assert keys_and_base_url(Region.TH, credentials=None, base_url=None)[1] == url


@pytest.mark.parametrize("name", GENERIC_URLS)
def test_keys_of_a_region_are_sent_to_its_host_or_its_own_server(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _set(monkeypatch, "UPBIT_SG", "access", "secret")
    keys = Credentials("access", "secret")
    monkeypatch.setenv(name, "https://SG-API.upbit.com/")
    assert keys_and_base_url(Region.SG, credentials=None, base_url=None) == (keys, ORDINARY)
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    given = "http://127.0.0.1:2"
    assert keys_and_base_url(Region.SG, credentials=None, base_url=given) == (keys, given)
    monkeypatch.setenv("UPBIT_SG_BASE_URL", "http://127.0.0.1:3")
    assert keys_and_base_url(Region.SG, credentials=None, base_url=None) == (keys, "http://127.0.0.1:3")


def test_keys_without_a_region_are_sent_to_the_configured_server(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, "UPBIT", "access", "secret")
    keys = Credentials("access", "secret")
    assert keys_and_base_url(Region.SG, credentials=None, base_url=None) == (keys, ORDINARY)
    for name in reversed(URL_NAMES):
        monkeypatch.setenv(name, f"https://{name.lower().replace('_', '-')}.example")
        assert keys_and_base_url(Region.SG, credentials=None, base_url=None)[0] == keys
    assert keys_and_base_url(Region.SG, credentials=None, base_url=None)[1].startswith(
        "https://upbit-sg-base"
    )


_VALUES = st.sampled_from([None, "", "k", "https://sg-api.upbit.com", "https://elsewhere.example"])


@settings(max_examples=400)
@given(
    environment=st.fixed_dictionaries(
        {f"{prefix}_{half}": _VALUES for prefix in PREFIXES for half in ("ACCESS_KEY", "SECRET_KEY")}
        | dict.fromkeys(URL_NAMES, _VALUES)
    )
)
def test_any_environment_is_followed_exactly_or_refused(
    environment: dict[str, str | None],
) -> None:
    said = {name: value for name, value in environment.items() if value is not None}
    with mock.patch.dict(os.environ, said, clear=True):
        try:
            keys, url = keys_and_base_url(Region.SG, credentials=None, base_url=None)
        except ConfigurationError:
            return
    assert "" not in said.values()
    named = next((said[name] for name in URL_NAMES if name in said), ORDINARY)
    assert url == named
    pair = next((prefix for prefix in PREFIXES if f"{prefix}_ACCESS_KEY" in said), None)
    assert (keys is None) is (pair is None)
    if pair == "UPBIT_SG":
        assert url == ORDINARY or "UPBIT_SG_BASE_URL" in said


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://proxy.example", "https://proxy.example"),
        ("https://proxy.example/", "https://proxy.example"),
        ("https://proxy.example///", "https://proxy.example"),
        ("https://proxy.example/up/bit/", "https://proxy.example/up/bit"),
        ("https://proxy.example:8443/x", "https://proxy.example:8443/x"),
        ("HTTPS://SG-API.Upbit.com/V", "https://sg-api.upbit.com/V"),
        ("https://sg-api.upbit.com:443", ORDINARY),
        ("https://sg-api.upbit.com:", ORDINARY),
        ("https://10.0.0.1", "https://10.0.0.1"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost", "http://localhost"),
        ("http://localhost:80", "http://localhost"),
        ("http://LOCALHOST:8787", "http://localhost:8787"),
        ("http://127.0.0.1:8787/", "http://127.0.0.1:8787"),
        ("http://127.9.8.7:1", "http://127.9.8.7:1"),
        ("http://[::1]:8787", "http://[::1]:8787"),
        ("http://[::1]", "http://[::1]"),
    ],
)
def test_equivalent_urls_are_normalised_to_one(given: str, url: str) -> None:
    assert base_url_for(Region.SG, given) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://sg-api.upbit.com",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil",
        "http://localhost.",
        "http://evil.localhost",
        "http://0.0.0.0",
        "http://128.0.0.1",
        "http://126.255.255.255",
        "http://10.0.0.1",
        "http://[::2]",
        "http://[::]",
        "http://[fe80::1]",
        "http://2130706433",
        "http://127.1",
        "http://0x7f.0.0.1",
        "HTTP://sg-api.upbit.com",
    ],
)
def test_unencrypted_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be https"):
        base_url_for(Region.SG, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:CANARY@sg-api.upbit.com",
        "https://CANARY@sg-api.upbit.com",
        "https://@sg-api.upbit.com",
        "https://:CANARY@sg-api.upbit.com",
        "http://127.0.0.1@evil.com",
        "https://sg-api.upbit.com?",
        "https://sg-api.upbit.com?key=CANARY",
        "https://sg-api.upbit.com/#",
        "https://sg-api.upbit.com#CANARY",
        "https://sg-api.upbit.com /v1",
        " https://sg-api.upbit.com",
        "https://sg-api.upbit.com\n",
        "https://sg-api\t.upbit.com",
        "\x00https://sg-api.upbit.com",
        "https://sg-api.upbit.com\\@evil.com",
        "https://evil.com\\.upbit.com",
        "https://sg-api.upbit.com/\u3000",
        "https://업비트.com",
        "https://sg-api.upbit.com:0",
        "https://sg-api.upbit.com:65536",
        "https://sg-api.upbit.com:port",
        "https://sg-api.upbit.com:-1",
        "https://",
        "https:///v1",
        "https:sg-api.upbit.com",
        "//sg-api.upbit.com",
        "sg-api.upbit.com",
        "user:CANARY@sg-api.upbit.com",
        "ftp://sg-api.upbit.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://sg-api.upbit.com;evil",
        "https://[sg-api",
        "https://[::1%25eth0]",
        "https://[zz]",
        "",
        "/",
    ],
    ids=repr,
)
def test_malformed_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base URL") as caught:
        base_url_for(Region.SG, url)
    assert "CANARY" not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize("url", [b"https://sg-api.upbit.com", 1, object()])
def test_url_that_is_not_text_is_refused(url: Any) -> None:
    with pytest.raises(TypeError, match="base_url must be text"):
        base_url_for(Region.SG, url)


_LETTERS = "htpsHTPS:/.@?#[]%\\ 127.0localhost:evil\n"


@settings(max_examples=500)
@given(url=st.text(_LETTERS, max_size=20) | st.text(_LETTERS, max_size=14).map("http://".__add__) | st.text())
def test_accepted_url_is_safe_and_already_normalised(url: str) -> None:
    try:
        accepted = base_url_for(Region.SG, url)
    except ConfigurationError:
        return
    assert base_url_for(Region.SG, accepted) == accepted
    assert accepted.startswith(("https://", "http://localhost", "http://127.", "http://[::1]"))
    assert not set("@?#\\ \n") & set(accepted)
    assert host_of(accepted) in accepted


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (ORDINARY, "sg-api.upbit.com"),
        ("https://proxy.example:8443/x", "proxy.example:8443"),
        ("http://[::1]:8787", "[::1]:8787"),
    ],
)
def test_host_includes_a_port_that_is_not_the_default(url: str, host: str) -> None:
    assert host_of(url) == host
