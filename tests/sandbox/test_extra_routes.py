"""Routes that a test adds pass the same checks as those of the exchange, in process and on a socket."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from answers import error_of
from signed_client import SignedClient, signed_client

from upbit_async.sandbox import Fault, Sandbox, SandboxRequest, SandboxResponse

ORDERS = "/v1/orders"


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run in real time, because one of the adapters is a socket."""
    backend: str = request.param
    return backend


@pytest.fixture
def client(client_by_adapter: SignedClient) -> SignedClient:
    return client_by_adapter


def echo(request: SandboxRequest) -> SandboxResponse:
    return SandboxResponse.of_json(201, {**dict(request.parameters), **request.members})


async def test_extra_route_answers_signed_requests(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.add_route("POST", ORDERS, echo, permission="make_orders")
    sandbox.add_route("GET", ORDERS, echo, permission="view_orders")
    posted = await client.post(ORDERS, {"market": "SGD-BTC"}, nonce="n")
    assert (posted.status_code, posted.json()) == (201, {"market": "SGD-BTC"})
    assert posted.headers["Remaining-Req"] == "group=default; min=1800; sec=29"
    assert (await client.get(ORDERS, "state=wait")).json() == {"state": "wait"}
    assert [(each.method, each.path, each.status) for each in sandbox.requests] == [
        ("POST", ORDERS, 201),
        ("GET", ORDERS, 201),
    ]
    assert error_of(await client.post(ORDERS, {}, nonce="n")) == (401, "nonce_used")


async def test_extra_route_refuses_what_other_routes_refuse(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.add_route("POST", ORDERS, echo, permission="make_orders")
    body = {"market": "SGD-BTC"}
    assert error_of(await client.http.post(ORDERS, json=body)) == (401, "no_authorization_token")
    assert error_of(await client.post(ORDERS, body, text="market=other")) == (401, "invalid_query_payload")
    client.credentials = sandbox.issue_key(permissions=["view_orders"])
    assert error_of(await client.post(ORDERS, body)) == (403, "out_of_scope")
    sandbox.knobs.limit = 0
    assert (await client.post(ORDERS, body)).status_code == 429


async def test_extra_route_without_permission_accepts_any_key(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.add_route("GET", ORDERS, echo)
    client.credentials = sandbox.issue_key(permissions=[])
    assert (await client.get(ORDERS)).status_code == 201


async def test_extra_public_route_is_limited_by_address(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.add_route("GET", "/v1/ticker", echo, public_group="ticker")
    answers = [await client.http.get("/v1/ticker") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    assert answers[0].headers["Remaining-Req"] == "group=ticker; min=600; sec=9"
    assert (await client.get("/v1/accounts")).headers["Remaining-Req"].endswith("sec=29")


async def test_extra_route_is_affected_by_faults(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.add_route("POST", ORDERS, echo)
    sandbox.faults.add(Fault.lose_answer("POST", ORDERS), Fault.status(503, "POST", ORDERS))
    with pytest.raises(httpx.ReadError):
        await client.post(ORDERS, {})
    assert (await client.post(ORDERS, {})).status_code == 503
    assert not sandbox.faults.unused


async def test_extra_route_replaces_the_route_of_the_same_path(
    client: SignedClient, sandbox: Sandbox
) -> None:
    sandbox.add_route("GET", "/v1/accounts", lambda _: SandboxResponse.of_json(200, []))
    assert (await client.get("/v1/accounts")).json() == []
    async with signed_client(Sandbox("sg")) as other:
        assert len((await other.get("/v1/accounts")).json()) == 5


async def test_refusal_of_an_extra_route_keeps_its_nonce_by_knob(
    client: SignedClient, sandbox: Sandbox
) -> None:
    sandbox.add_route(
        "POST", ORDERS, lambda _: SandboxResponse.of_error(400, "under_min_total", "Too small.")
    )
    assert error_of(await client.post(ORDERS, {}, nonce="n")) == (400, "under_min_total")
    assert error_of(await client.post(ORDERS, {}, nonce="n")) == (401, "nonce_used")
    sandbox.knobs.rejected_burns_nonce = False
    for _ in range(2):
        assert error_of(await client.post(ORDERS, {}, nonce="m")) == (400, "under_min_total")


async def test_extra_route_that_raises_is_logged_as_500(sandbox: Sandbox) -> None:
    def broken(_request: SandboxRequest) -> SandboxResponse:
        raise ZeroDivisionError

    sandbox.add_route("GET", ORDERS, broken)
    async with signed_client(sandbox) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get(ORDERS)
    assert [record.status for record in sandbox.requests] == [500]


@pytest.mark.parametrize(
    ("method", "path", "options", "problem"),
    [
        ("get", ORDERS, {}, "method must be an HTTP method in upper case, got 'get'"),
        ("", ORDERS, {}, "method must be an HTTP method in upper case, got ''"),
        ("GET", "v1/orders", {}, "path must start with a slash and have no query, got 'v1/orders'"),
        ("GET", "/v1/orders?a=1", {}, "path must start with a slash and have no query"),
        (
            "GET",
            ORDERS,
            {"permission": "a", "public_group": "b"},
            "permission must be None for a public route",
        ),
    ],
)
def test_extra_route_that_no_request_can_reach_is_refused(
    sandbox: Sandbox, method: str, path: str, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem.replace("?", r"\?")):
        sandbox.add_route(method, path, echo, **options)


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b"9" * 5000], ids=lambda body: repr(body[:9])
)
def test_members_of_a_body_that_is_no_object_are_empty(body: bytes) -> None:
    assert SandboxRequest(method="POST", path=ORDERS, body=body).members == {}
