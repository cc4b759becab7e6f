"""Construction of an `UpbitClient`: region, keys, server and options."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from upbit_async import Credentials, NoLimiter, Region, UpbitClient
from upbit_async.errors import AuthenticationError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.sandbox import Sandbox

KEYS = Credentials("made-up-access-key", "made-up-secret-key")
PREFIXES = ("UPBIT_SG", "UPBIT", "UPBIT_OPEN_API")

# -- regions ---------------------------------------------------------------------------------------


def test_client_requires_a_region() -> None:
    with pytest.raises(TypeError, match="region"):
        UpbitClient()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("region", [None, "", " ", "us", "sg ", "sgd", 5, True, b"sg", ["sg"]])
def test_unknown_region_is_refused(region: Any) -> None:
    with pytest.raises(ValueError, match="region must be one of sg, id, th, kr"):
        UpbitClient(region)


@pytest.mark.parametrize(
    ("name", "region", "host"),
    [
        ("sg", Region.SG, "sg-api.upbit.com"),
        ("ID", Region.ID, "id-api.upbit.com"),
        (Region.TH, Region.TH, "th-api.upbit.com"),
        ("kr", Region.KR, "api.upbit.com"),
    ],
)
def test_each_region_has_its_host(name: Region | str, region: Region, host: str) -> None:
    client = UpbitClient(name, credentials=KEYS)
    assert (client.region, client.host) == (region, host)
    assert repr(client) == f"<UpbitClient {region} at {host}>"


# -- keys ------------------------------------------------------------------------------------------


def set_keys(monkeypatch: pytest.MonkeyPatch, prefix: str, keys: Credentials) -> None:
    monkeypatch.setenv(f"{prefix}_ACCESS_KEY", keys.access_key.reveal())
    monkeypatch.setenv(f"{prefix}_SECRET_KEY", f" {keys.secret_key.reveal()}\n")


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncGenerator[httpx.AsyncClient]:
    """An HTTP client that reaches the sandbox."""
    async with httpx.AsyncClient(transport=sandbox.transport(), trust_env=False) as made:
        yield made


@pytest.mark.parametrize("first", range(3))
async def test_credentials_are_read_in_order_of_precedence(
    sandbox: Sandbox, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    keys = [sandbox.issue_key() for _ in PREFIXES[first:]]
    for prefix, key in zip(PREFIXES[first:], keys, strict=True):
        set_keys(monkeypatch, prefix, key)
    set_keys(monkeypatch, "UPBIT_TH", KEYS)
    await UpbitClient("sg", base_url=sandbox.base_url, http=http).status.wallets()
    assert sandbox.requests[-1].access_key == keys[0].access_key.reveal()
    given = sandbox.issue_key()
    await UpbitClient("sg", base_url=sandbox.base_url, http=http, credentials=given).status.wallets()
    assert sandbox.requests[-1].access_key == given.access_key.reveal()


async def test_without_keys_nothing_is_sent(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    client = UpbitClient("sg", base_url=sandbox.base_url, http=http)
    for call in (
        client.status.wallets,
        client.withdraws.addresses,
        client.withdraws.list,
        lambda: client.request("GET", "/v1/accounts"),
        lambda: client.withdraws.cancel("u"),
        lambda: client.withdraws.send(currency="USDT", net_type="TRX", amount=13, address="T"),
        lambda: client.withdraws.create(currency="USDT", net_type="TRX", amount=13, address="T"),
    ):
        with pytest.raises(ConfigurationError, match="UPBIT_SG_ACCESS_KEY and UPBIT_SG_SECRET_KEY") as caught:
            await call()
        assert not caught.value.may_have_executed
    with pytest.raises(ConfigurationError):
        await anext(client.status.watch())
    with pytest.raises(ConfigurationError):
        await client.withdraws.wait("u")
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("half", ["ACCESS", "SECRET"])
def test_half_a_key_pair_is_an_error(monkeypatch: pytest.MonkeyPatch, prefix: str, half: str) -> None:
    monkeypatch.setenv(f"{prefix}_{half}_KEY", "half")
    missing = "SECRET" if half == "ACCESS" else "ACCESS"
    with pytest.raises(ConfigurationError, match=f"{prefix}_{missing}_KEY is not set") as caught:
        UpbitClient("sg")
    assert "half" not in str(caught.value).replace("other half", "")


def test_empty_variable_is_not_replaced_by_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "UPBIT", KEYS)
    monkeypatch.setenv("UPBIT_SG_ACCESS_KEY", "")
    monkeypatch.setenv("UPBIT_SG_SECRET_KEY", "")
    with pytest.raises(ConfigurationError, match="UPBIT_SG_ACCESS_KEY is set but empty"):
        UpbitClient("sg")
    assert UpbitClient("th").host == "th-api.upbit.com"
    assert UpbitClient("sg", credentials=KEYS).host == "sg-api.upbit.com"


def test_repr_shows_no_key() -> None:
    client = UpbitClient("sg", credentials=KEYS)
    for text in (repr(client), str(vars(client)), repr(client.withdraws), repr(client.with_options())):
        assert "made-up" not in text


async def test_client_signs_with_hs256_or_hs512(sandbox: Sandbox) -> None:
    sandbox.knobs.algorithms = frozenset({"HS512"})
    client = sandbox.client(algorithm="HS512")
    await client.status.wallets()
    assert await client.withdraws.list(limit=1)
    with pytest.raises(AuthenticationError, match="jwt_verification"):
        await sandbox.client().status.wallets()


# -- the server ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://upbit.example/", "upbit.example"),
        ("https://Upbit.Example:8443/prefix", "upbit.example:8443"),
        ("http://127.0.0.1:8787", "127.0.0.1:8787"),
        ("http://localhost:1", "localhost:1"),
        ("http://[::1]:8787", "[::1]:8787"),
    ],
)
def test_base_url_may_be_given_or_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, url: str, host: str
) -> None:
    assert UpbitClient("sg", credentials=KEYS, base_url=url).host == host
    monkeypatch.setenv("UPBIT_OPEN_API_SERVER_URL", url)
    assert UpbitClient("sg", credentials=KEYS).host == host
    monkeypatch.setenv("UPBIT_BASE_URL", "https://first.example")
    assert UpbitClient("sg", credentials=KEYS).host == "first.example"
    assert UpbitClient("sg", credentials=KEYS, base_url=url).host == host


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "upbit.example",
            "http://upbit.example",
            "http://127.0.0.1.example",
            "ftp://127.0.0.1",
            "https://",
        ),
        *(
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://localhost.example",
            "https://key:secret@upbit.example",
        ),
        *(
            "https://upbit.example?a=b",
            "https://upbit.example#a",
            "https://upbit.example:99999",
            "https://ü.example",
        ),
        *("https://upbit.example:0", "https://up bit.example", "https://[::1", "//upbit.example"),
    ],
)
def test_unencrypted_or_malformed_base_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(ConfigurationError, match="base URL") as caught:
        UpbitClient("sg", credentials=KEYS, base_url=url)
    assert "secret" not in str(caught.value)
    if url:
        monkeypatch.setenv("UPBIT_BASE_URL", url)
        with pytest.raises(ConfigurationError, match="base URL"):
            UpbitClient("sg", credentials=KEYS)


def test_key_of_a_region_is_not_sent_to_a_server_named_for_all_regions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_keys(monkeypatch, "UPBIT_SG", KEYS)
    set_keys(monkeypatch, "UPBIT", Credentials("a" * 40, "s" * 40))
    monkeypatch.setenv("UPBIT_BASE_URL", "http://127.0.0.1:8787")
    with pytest.raises(
        ConfigurationError, match=r"UPBIT_SG_ACCESS_KEY.*UPBIT_BASE_URL.*set UPBIT_SG_BASE_URL"
    ):
        UpbitClient("sg")
    monkeypatch.setenv("UPBIT_SG_BASE_URL", "http://127.0.0.1:8788")
    assert UpbitClient("sg").host == "127.0.0.1:8788"
    assert UpbitClient("th").host == "127.0.0.1:8787"


def test_empty_base_url_does_not_mean_the_real_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_BASE_URL", "")
    with pytest.raises(ConfigurationError, match="UPBIT_BASE_URL is set but empty"):
        UpbitClient("sg", credentials=KEYS)


# -- options ---------------------------------------------------------------------------------------

ODD: dict[str, tuple[Any, ...]] = {
    "credentials": ("key", ("a", "b"), 5),
    "base_url": (5, b"https://upbit.example", True),
    "retry": (0, 3, True, "3", {}),
    "timeouts": (0, 5.0, httpx.Timeout(5)),
    "poll": (0, 1.0, []),
    "observer": (0, "print", []),
    "http": (0, "http", httpx, httpx.Client, httpx.AsyncHTTPTransport),
}
WRONG = [(name, value) for name, values in ODD.items() for value in values]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: repr(value)[:20])
def test_option_of_a_wrong_type_is_refused(name: str, value: Any) -> None:
    options: dict[str, Any] = {"credentials": KEYS, name: value}
    with pytest.raises(TypeError, match=name):
        UpbitClient("sg", **options)


@pytest.mark.parametrize(
    ("name", "value"),
    [pair for pair in WRONG if pair[0] in {"retry", "timeouts", "poll", "observer"}],
    ids=lambda value: repr(value)[:20],
)
def test_sibling_option_of_a_wrong_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        UpbitClient("sg", credentials=KEYS).with_options(**{name: value})


@pytest.mark.parametrize("algorithm", ["none", "", "HS384", "hs256", None, 256])
def test_unknown_algorithm_is_refused(algorithm: Any) -> None:
    with pytest.raises(ValueError, match="HS256 or HS512"):
        UpbitClient("sg", credentials=KEYS, algorithm=algorithm)


def test_client_options_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        UpbitClient("sg", KEYS)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_client_can_be_built_without_event_loop_threads_or_sockets() -> None:
    # In another process: without an event loop, and with threads and sockets forbidden.
    code = """
import sys
sys.addaudithook(lambda event, _: sys.exit(event) if event.startswith(("socket.", "_thread.start")) else None)
from upbit_async import Credentials, UpbitClient
client = UpbitClient("sg", credentials=Credentials("a", "s"))
print(client.with_options().host, "asyncio" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sg-api.upbit.com")


async def test_client_uses_the_given_limiter(sandbox: Sandbox) -> None:
    client = sandbox.client(limiter=NoLimiter())
    for _ in range(29):
        await client.status.wallets()
    assert {line.status for line in sandbox.requests} == {200}
