"""A served sandbox listens on loopback and answers for loopback, unless remote clients are allowed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from answers import error_of
from raw_requests import claims_of, signed

from upbit_async.sandbox import Fault, Sandbox
from upbit_async.sandbox.adapters.hosts import base_url

if TYPE_CHECKING:
    from collections.abc import Iterator

WILDCARDS = ["0.0.0.0", "::", ""]  # noqa: S104 - they are refused


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Sandbox("sg").serve() as url:
        yield url


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:1",
        "127.1.2.3:8787",
        "localhost",
        "LocalHost:8787",
        "[::1]",
        "[::1]:8787",
    ],
)
def test_loopback_host_is_answered(url: str, host: str) -> None:
    assert httpx.get(f"{url}/v1/accounts", headers={"Host": host}).status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "example.com:8787",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "example.com@127.0.0.1",
        "user@localhost",
        "0.0.0.0:8787",
        "[::]:8787",
        "192.0.2.1",
        "::1",
        "[::1",
        "localhost:port",
        "localhost,example.com",
        "",
    ],
)
def test_foreign_host_is_refused_and_logged(host: str) -> None:
    sandbox = Sandbox("sg")
    sandbox.faults.add(Fault(before=True, ending="reset", unauthenticated=True))
    with sandbox.serve() as url:
        response = httpx.post(f"{url}/v1/withdraws/coin", headers={"Host": host}, content=b"{}")
    assert error_of(response) == (421, "misdirected_request")
    assert "--allow-remote" in response.json()["error"]["message"]
    assert [(line.path, line.status) for line in sandbox.requests] == [("/v1/withdraws/coin", 421)]
    assert len(sandbox.faults.unused) == 1


@pytest.mark.parametrize("host", [*WILDCARDS, "192.0.2.1", "example.com", "localhost.example.com"])
def test_address_beyond_loopback_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="allow_remote=True"):
        Sandbox("sg").serve(host=host)


def test_remote_clients_can_be_allowed() -> None:
    with Sandbox("sg").serve(host="0.0.0.0", allow_remote=True) as url:  # noqa: S104 - what is tested
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/v1/accounts", headers={"Host": "build-box:8787"}).status_code == 401


def test_forwarding_header_does_not_change_the_client_address() -> None:
    sandbox = Sandbox("sg")
    sandbox.credentials = sandbox.issue_key(ips=["192.0.2.1"])
    token = signed(sandbox, claims_of(sandbox, nonce="n"))
    with sandbox.serve() as url:
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "192.0.2.1"}
        response = httpx.get(f"{url}/v1/accounts", headers=headers)
    assert error_of(response) == (401, "no_authorization_ip")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_sandbox_is_served_on_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with Sandbox("sg").serve(host="::1") as url:
        assert url.startswith("http://[::1]:")
        assert httpx.get(f"{url}/v1/accounts").status_code == 401


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),  # noqa: S104 - what is tested
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
    ],
)
def test_base_url_is_reachable_on_the_same_machine(host: str, url: str) -> None:
    assert base_url(host, 1) == url
