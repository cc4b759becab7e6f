"""No request, however broken, is answered with a 500 or is missing in the log."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from answers import error_of
from raw_requests import BROKEN, COIN, DEEP, METHODS, Caller, added, asgi_scope, exchanged, signed

from upbit_async.sandbox import Fault, Sandbox
from upbit_async.sandbox.app import LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from signed_client import SignedClient


JSON = "application/json"


# -- tokens and bodies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"9" * 5000,
        b'{"access_key":"\\ud800","nonce":"n"}',
        b"\xff\xfe",
    ],
    ids=["lists", "objects", "digits", "surrogate", "no text"],
)
@pytest.mark.parametrize("part", ["header", "claims"])
async def test_broken_token_is_refused(sandbox: Sandbox, claims: bytes, part: str) -> None:
    token = signed(sandbox, claims) if part == "claims" else signed(sandbox, b"{}", claims)
    async with httpx.AsyncClient(transport=sandbox.transport(), base_url=sandbox.base_url) as http:
        response = await http.get("/v1/accounts", headers={"Authorization": f"Bearer {token}"})
    assert error_of(response) == (401, "jwt_verification")
    assert [line.status for line in sandbox.requests] == [401]


@pytest.mark.parametrize("name", ["nonce", "query_hash", "query_hash_alg"])
async def test_claim_with_half_a_surrogate_pair_is_refused(
    client: SignedClient, sandbox: Sandbox, name: str
) -> None:
    response = await client.get("/v1/withdraws", "limit=1", claims={name: "\ud800"})
    assert error_of(response) == (401, "jwt_verification")
    assert [line.status for line in sandbox.requests] == [401]


@pytest.mark.parametrize(
    "body",
    [
        b'{"currency":"\\ud800"}',
        b'{"\\udfff":"USDT"}',
        b'{"currency":["\\ud800"]}',
        b'{"currency":{"a":[{"b":"\\ud800"}]}}',
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"\xff",
    ],
    ids=["value", "name", "in a list", "nested", "lists", "objects", "no text"],
)
async def test_broken_body_is_refused(client: SignedClient, sandbox: Sandbox, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {client.token('currency=USDT')}", "Content-Type": JSON}
    response = await client.http.post(COIN, content=body, headers=headers)
    assert error_of(response) == (400, "invalid_parameter")
    assert [line.status for line in sandbox.requests] == [400]


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 201),
        ("Application/JSON", 201),
        ("APPLICATION/JSON; charset=utf-8", 201),
        ("application/json ;charset=utf-8", 201),
        ("application/json;", 201),
        ("application/jsonx", 400),
        ("application/json-patch+json", 400),
        ("text/plain; application/json", 400),
        ("", 400),
    ],
)
async def test_body_must_have_the_media_type_of_json(
    client: SignedClient, sandbox: Sandbox, media_type: str, status: int
) -> None:
    body = {
        "currency": "USDT",
        "net_type": "TRX",
        "amount": "13",
        "address": "TFakeTronWithdrawAddressFakeFakeFa",
    }
    text = "&".join(f"{name}={value}" for name, value in body.items())
    headers = {"Authorization": f"Bearer {client.token(text)}", "Content-Type": media_type}
    response = await client.http.post(COIN, content=json.dumps(body), headers=headers)
    assert response.status_code == status
    assert len(sandbox.ledger.created) == (status == 201)


# -- sizes -----------------------------------------------------------------------------------------


async def test_body_above_the_limit_is_refused_before_it_is_read(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.lose_answer())
    caller = Caller(b"x" * 2**16 for _ in range(320))
    await sandbox.app(asgi_scope(), caller.receive, caller.send)
    assert caller.status == 413
    assert json.loads(caller.body)["error"]["name"] == "payload_too_large"
    assert caller.read <= LARGEST_BODY + 2**16
    (line,) = sandbox.requests
    assert (line.method, line.path, line.body, line.status) == ("POST", COIN, "", 413)
    assert len(sandbox.faults.unused) == 1


async def test_body_at_the_limit_is_read(sandbox: Sandbox) -> None:
    caller = Caller(iter([b" " * LARGEST_BODY]))
    await sandbox.app(asgi_scope(), caller.receive, caller.send)
    assert caller.status == 401
    assert len(sandbox.requests[0].body) == 2**14, "the log keeps the beginning of a long body"


def test_large_bodies_are_not_kept_in_memory() -> None:
    size = 20 * 2**20
    sandbox = Sandbox("sg")

    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 2**16 for _ in range(size // 2**16))

    tracemalloc.start()
    try:
        with sandbox.serve() as url, httpx.Client(base_url=url) as http:
            for headers in ({"Content-Length": str(size)}, {}) * 4:
                response = http.post(COIN, content=pieces(), headers=headers)
                assert error_of(response) == (413, "payload_too_large")
            assert http.get("/v1/accounts").status_code == 401
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
    assert [line.status for line in sandbox.requests] == [413] * 8 + [401]


# -- everything is logged --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/v1/accounts", "/", "*", "", "http://other/v1/accounts", "/v1/\x00"])
async def test_any_method_and_path_is_logged(sandbox: Sandbox, method: str, path: str) -> None:
    caller = Caller(iter([]))
    headers = [(b"host", b"["), (b"content-length", b"9" * 5000)]
    await sandbox.app(asgi_scope(method=method, path=path, headers=headers), caller.receive, caller.send)
    assert caller.status == (401 if (method, path) == ("GET", "/v1/accounts") else 404)
    assert [(line.method, line.path, line.status) for line in sandbox.requests] == [
        (method, path, caller.status)
    ]


async def test_incomplete_body_is_logged(sandbox: Sandbox) -> None:
    caller = Caller(iter([b"{"]), complete=False)
    await sandbox.app(asgi_scope(), caller.receive, caller.send)
    assert caller.status is None
    assert [(line.path, line.body, line.status) for line in sandbox.requests] == [(COIN, "", None)]


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/\ud800"])
async def test_websocket_is_refused_and_logged(sandbox: Sandbox, path: str) -> None:
    scope = {"type": "websocket", "path": path, "headers": [(b"host", b"[")]}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await sandbox.app(scope, receive, send)
    assert sent == ["websocket.close"]
    assert [(line.method, line.path, line.status) for line in sandbox.requests] == [("GET", path, 403)]


async def test_exception_in_a_fault_is_logged_as_500(client: SignedClient, sandbox: Sandbox) -> None:
    def rewrite(_answer: object) -> Any:
        raise ZeroDivisionError

    sandbox.faults.add(Fault(rewrite=rewrite))
    with pytest.raises(ZeroDivisionError):
        await client.get("/v1/accounts")
    assert [line.status for line in sandbox.requests] == [500]


@pytest.mark.parametrize("data", BROKEN, ids=lambda data: repr(data[-40:]))
def test_broken_bytes_are_logged(
    served: tuple[Sandbox, tuple[str, int]], caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    sandbox, address = served
    before = len(sandbox.requests)
    came = exchanged(address, data)
    assert b" 500 " not in came
    (line,) = added(sandbox, before)
    statuses = [int(status) for status in re.findall(rb"^HTTP/1.1 ([0-9]+)", came, re.MULTILINE)]
    final: list[int | None] = [status for status in statuses if status != 100]
    assert [line.status] == (final or [None])
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
