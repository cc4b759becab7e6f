"""The threat model: its claims about the environment, HTTP clients and logs."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from clients import WITHDRAWAL, client_for, withdrawal_json
from fault_server import http, serve
from tls import certificate, client_context, server_context

from upbit_async import errors
from upbit_async.transport import foreign_logs, http_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fault_server import Connection, FaultServer

    from upbit_async import UpbitClient

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "explanation" / "security.md").read_text(encoding="utf-8")

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOGGERS = ("httpx", "httpx2", "httpcore", "httpcore2", "hpack")
LIBRARIES: dict[str, Any] = {"httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}
TXID = "0xAskedForInAQuery"


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Use real sockets, on both back ends."""
    return str(request.param)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset all of the variables, and discard the TLS context of other tests."""
    for name in (*CERTIFICATES, *PROXIES, "NO_PROXY", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(http_port, "_tls_context", functools.cache(http_port._tls_context.__wrapped__))  # noqa: SLF001 - without its cache


async def _answers(connection: Connection, request: bytes) -> None:
    await connection.send(http(200, b"[]" if request.startswith(b"GET") else withdrawal_json()))


async def _refuses_tunnels(connection: Connection, request: bytes) -> bool:
    await connection.send(http(403, b""))
    return False


async def _look_and_pay(client: UpbitClient) -> None:
    await client.withdraws.list(txids=[TXID])
    await client.withdraws.create(**WITHDRAWAL)


def _table(heading: str) -> str:
    """Return the tables of a section of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return "\n".join(line for line in section.splitlines() if line.startswith("|"))


def test_each_variable_and_logger_of_the_table_is_tested_here() -> None:
    first_cells = " ".join(row.split("|")[1] for row in _table("Settings that weaken it").splitlines())
    names = set(re.findall(r"`([A-Za-z0-9_]+)`", first_cells))
    environment = {"UPBIT_BASE_URL", "UPBIT_SG_BASE_URL"}  # tests/test_settings.py
    assert {name for name in names if name.isupper()} == {
        *CERTIFICATES,
        *PROXIES,
        "SSLKEYLOGFILE",
    } | environment
    assert {name for name in names if name in LOGGERS} == set(LOGGERS)


def test_each_test_that_a_page_names_is_there() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS.parent / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"def (test_\w+)\(", tests))
    named = {
        name for page in DOCS.rglob("*.md") for name in re.findall(r"`(test_\w+)`", page.read_text("utf-8"))
    }
    assert len(named) > 30
    assert named - defined == set()


# -- TLS -------------------------------------------------------------------------------------------


@pytest.fixture
def trusted(tmp_path: Path) -> dict[str, str]:
    """Return what makes each variable trust the test server's certificate."""
    file = tmp_path / "authority.pem"
    file.write_text(certificate(), encoding="ascii")
    folder = tmp_path / "authorities"
    folder.mkdir()
    made = {"SSL_CERT_FILE": str(file)}
    openssl = shutil.which("openssl")
    if openssl is not None:  # a folder's files are named by a hash that Python can't make
        command = [openssl, "x509", "-hash", "-noout", "-in", str(file)]
        hashed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        shutil.copy(file, folder / f"{hashed}.0")
        made["SSL_CERT_DIR"] = str(folder)
    return made


@contextlib.asynccontextmanager
async def _client(server: FaultServer, library: str | None, **options: Any) -> AsyncGenerator[UpbitClient]:
    """Open a client: the library's own, or one with an injected HTTP client that is made with the options."""
    async with contextlib.AsyncExitStack() as stack:
        injected = None
        if library is not None:
            injected = await stack.enter_async_context(LIBRARIES[library](**options))
        yield await stack.enter_async_context(client_for(server.url, http=injected))


async def _is_refused(server: FaultServer, library: str | None, **options: Any) -> None:
    async with _client(server, library, **options) as client:
        with pytest.raises(errors.NotSent, match=r"(?i)certificate"):
            await client.withdraws.create(**WITHDRAWAL)
    assert server.requests == []


@pytest.mark.parametrize("library", [None, *LIBRARIES])
async def test_a_certificate_of_an_unknown_authority_is_refused(library: str | None) -> None:
    async with serve(_answers, tls=server_context()) as server:
        await _is_refused(server, library)


@pytest.mark.parametrize("library", [None, *LIBRARIES])
@pytest.mark.parametrize("name", CERTIFICATES)
async def test_authorities_of_the_environment_are_trusted_instead(
    name: str, library: str | None, trusted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name not in trusted:
        pytest.skip("a folder of certificates is made with openssl")
    monkeypatch.setenv(name, trusted[name])
    async with serve(_answers, tls=server_context()) as server:
        async with _client(server, library) as client:
            await _look_and_pay(client)
        assert len(server.requests) == 2


@pytest.mark.parametrize("library", LIBRARIES)
async def test_an_injected_client_can_ignore_the_authorities_of_the_environment(
    library: str, trusted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", trusted["SSL_CERT_FILE"])
    async with serve(_answers, tls=server_context()) as server:
        await _is_refused(server, library, trust_env=False)


@pytest.mark.parametrize("library", [None, "httpx"])
async def test_the_keys_of_tls_are_written_where_the_environment_says(
    library: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    async with serve(_answers, tls=server_context()) as server:
        await _is_refused(server, library, trust_env=False)  # which does not switch it off
    assert "TRAFFIC_SECRET" in keys.read_text("ascii")


# -- proxies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "trust_env", "goes_by_the_proxy"),
    [
        (None, True, False),
        ("httpx", True, True),
        ("httpx2", True, True),
        ("httpx", False, False),
        ("httpx2", False, False),
    ],
)
@pytest.mark.parametrize("name", PROXIES)
async def test_a_proxy_of_the_environment_is_used_by_injected_clients_only(
    name: str, library: str | None, trust_env: bool, goes_by_the_proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = name == "HTTPS_PROXY"
    monkeypatch.setattr(http_port, "_tls_context", client_context)
    async with (
        serve(_refuses_tunnels) as proxy,
        serve(_answers, tls=server_context() if tls else None) as server,
    ):
        monkeypatch.setenv(name, proxy.url)
        async with _client(server, library, trust_env=trust_env, verify=client_context()) as client:
            if goes_by_the_proxy:
                with pytest.raises(errors.UpbitError):
                    await _look_and_pay(client)
            else:
                await _look_and_pay(client)
        assert bool(proxy.requests) is goes_by_the_proxy
        assert bool(server.requests) is not goes_by_the_proxy
    if goes_by_the_proxy:  # one for http sees the token, one for https is asked for a tunnel
        assert (b"Authorization: Bearer" in proxy.requests[0]) is not tls
        assert proxy.requests[0].startswith(b"CONNECT") is tls


# -- logs, hooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [None, *LIBRARIES])
async def test_queries_are_in_the_log_of_an_injected_client_and_nowhere_else(
    library: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(_answers) as server, _client(server, library) as client:
        await _look_and_pay(client)
    lines = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    shown = [(name, level) for name, level, text in lines if TXID in text]
    assert shown == ([] if library is None else [(library, "INFO")])
    assert {name.partition(".")[0] for name, _, _ in lines} >= {"upbit_async"}
    assert not [text for _, _, text in lines if "Bearer" in text or WITHDRAWAL["address"] in text]


@pytest.mark.parametrize("library", LIBRARIES)
async def test_the_hooks_of_an_injected_client_see_tokens(library: str) -> None:
    seen: list[str] = []

    async def hook(request: Any) -> None:
        seen.append(request.headers["Authorization"])

    hooks = {"request": [hook]}
    async with serve(_answers) as server, _client(server, library, event_hooks=hooks) as client:
        await client.withdraws.list()
    assert seen[0].startswith("Bearer eyJ")


def test_hpack_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJhY2Nlc3Nfa2V5IjoiYSJ9." + "a" * 43
    caplog.set_level(logging.DEBUG)
    foreign_logs.keep_tokens_out()
    for name in ("httpcore.http2", "hpack.hpack"):  # as hpack writes it
        logging.getLogger(name).debug(
            "Adding %s to the header table", (b"authorization", f"Bearer {token}".encode())
        )
    (line,) = caplog.messages
    assert token not in line


async def test_certificates_that_are_missing_are_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    async with client_for("https://127.0.0.1:1") as client:
        with pytest.raises(errors.ConfigurationError, match="check what SSL_CERT_FILE names") as caught:
            await client.status.wallets()
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
