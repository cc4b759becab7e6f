"""Faults are the same through both adapters, and the ledger shows what was processed."""

from __future__ import annotations

import contextlib
import gzip
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import httpx
import pytest
from answers import error_of

from upbit_async.credentials import Credentials
from upbit_async.sandbox import Fault, Sandbox, SandboxRequest, SandboxResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from signed_client import SignedClient

COIN = "/v1/withdraws/coin"


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run in real time, because one of the adapters is a socket."""
    backend: str = request.param
    return backend


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox("sg", limits=False)


@pytest.fixture
def client(client_by_adapter: SignedClient) -> SignedClient:
    return client_by_adapter


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("reset", httpx.ReadError),
        ("close", httpx.RemoteProtocolError),
        ("cut", httpx.RemoteProtocolError),
        ("hang", httpx.ReadTimeout),
    ],
)
async def test_lost_answer_is_a_transport_error_after_the_work(
    sandbox: Sandbox, client: SignedClient, how: Any, error: type[httpx.HTTPError]
) -> None:
    fault = Fault.lose_answer("POST", COIN, how=how)
    sandbox.faults.add(fault)
    client.http.timeout = httpx.Timeout(5, read=0.2)
    assert (await client.get("/v1/accounts")).status_code == 200
    assert list(sandbox.faults.unused) == [fault]
    with pytest.raises(error):
        await client.withdraw()
    assert not sandbox.faults.unused
    assert len(sandbox.ledger.created) == 1
    assert sandbox.requests[-1].status == (201 if how == "cut" else None)
    assert (await client.withdraw()).status_code == 201
    assert len(sandbox.requests.of("POST")) == 2


async def test_empty_body_can_be_cut(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault(ending="cut", rewrite=lambda answer: SandboxResponse(answer.status)))
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/v1/accounts")


async def test_reset_before_leaves_the_request_unprocessed(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.reset_before("POST"))
    with pytest.raises(httpx.ReadError):
        await client.withdraw(nonce="n")
    assert len(sandbox.ledger) == 0
    assert (await client.withdraw(nonce="n")).status_code == 201


@pytest.mark.parametrize(("before", "created"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("status", [302, 408, 409, 418, 429, 500, 502, 503, 504])
async def test_status_fault_answers_with_any_status(
    sandbox: Sandbox, client: SignedClient, status: int, *, before: bool, created: int
) -> None:
    sandbox.faults.add(Fault.status(status, "POST", COIN, before=before, headers={"Retry-After": "7"}))
    response = await client.withdraw()
    assert response.status_code == status
    assert set(response.json()["error"]) == {"name", "message"}
    assert response.headers["Retry-After"] == "7"
    assert len(sandbox.ledger.created) == created
    assert sandbox.requests[-1].status == status


@pytest.mark.parametrize(
    ("body", "start"), [("html", b"<!doctype html>"), ("empty", b""), (b"<?xml?>", b"<?xml?>")]
)
async def test_status_fault_answers_with_any_body(
    sandbox: Sandbox, client: SignedClient, body: Any, start: bytes
) -> None:
    sandbox.faults.add(Fault.status(503, body=body))
    response = await client.get("/v1/accounts")
    assert response.content[: max(len(start), 1)] == start


async def test_status_fault_answers_with_any_name(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.status(400, name="thirdparty_agreement_required"))
    error = (await client.get("/v1/accounts")).json()["error"]
    assert error == {"name": "thirdparty_agreement_required", "message": "Thirdparty agreement required."}


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ("text", b"OK"),
        ("html", b"<!doctype html>"),
        ("wrong json", b'{"result":"ok"}'),
        ("empty", b""),
        (b"\xff\xfe", b"\xff\xfe"),
    ],
)
async def test_garbage_replaces_the_body_after_the_work(
    sandbox: Sandbox, client: SignedClient, body: Any, start: bytes
) -> None:
    sandbox.faults.add(Fault.garbage("POST", COIN, body=body))
    response = await client.withdraw()
    assert response.status_code == 201
    assert response.content[: max(len(start), 1)] == start
    assert len(sandbox.ledger.created) == 1


async def test_huge_garbage_exceeds_32_megabytes(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.garbage(body="huge"))
    response = await client.get("/v1/accounts")
    assert len(response.content) > 2**25


async def test_gzip_garbage_is_compressed_and_says_so(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.garbage(body="gzip"))
    headers = {"Authorization": f"Bearer {client.token()}"}
    async with client.http.stream("GET", "/v1/status/wallet", headers=headers) as response:
        raw = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["Content-Encoding"] == "gzip"
    assert b"wallet_state" in gzip.decompress(raw)


async def test_slow_answer_is_late_or_a_read_timeout(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.slow(0.05), Fault.slow(60))
    assert (await client.get("/v1/accounts")).status_code == 200
    client.http.timeout = httpx.Timeout(5, read=0.05)
    with pytest.raises(httpx.ReadTimeout):
        await client.withdraw()
    assert len(sandbox.ledger.created) == 1


async def test_request_is_processed_if_its_client_disconnects(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.lose_answer("POST", how="hang"))
    client.http.timeout = httpx.Timeout(None)
    with anyio.move_on_after(0.2):
        await client.withdraw()
    assert len(sandbox.ledger.created) == 1


async def test_fault_respects_times_skip_method_and_path(sandbox: Sandbox, client: SignedClient) -> None:
    endless = Fault.status(500, path="/v1/withdraw", times=None)
    late = Fault.status(503, "GET", times=2, skip=1)
    sandbox.faults.add(endless, late)
    assert list(sandbox.faults.unused) == [endless, late]
    statuses = [(await client.get("/v1/accounts")).status_code for _ in range(4)]
    assert statuses == [200, 503, 503, 200]
    assert [(await client.get("/v1/withdraw")).status_code for _ in range(3)] == [500] * 3
    assert not sandbox.faults.unused
    sandbox.faults.clear()
    assert (await client.get("/v1/withdraw")).status_code == 200


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("none", "no_authorization_token"),
        ("unreadable", "jwt_verification"),
        ("unknown", "invalid_access_key"),
        ("forged", "jwt_verification"),
    ],
)
@pytest.mark.parametrize("path", [None, COIN])
async def test_unsigned_request_uses_up_no_fault(
    sandbox: Sandbox, client: SignedClient, key: str, name: str, path: str | None
) -> None:
    sandbox.faults.add(Fault.lose_answer("POST", path), Fault.reset_before("POST", path, times=2))
    credentials = {
        "unknown": Credentials("x" * 40, "y" * 40),
        "forged": Credentials(sandbox.credentials.access_key, "y" * 40),
    }
    headers: dict[str, dict[str, str]] = {"none": {}, "unreadable": {"Authorization": "Bearer a.b.c"}}
    for _ in range(4):
        if key in headers:
            response = await client.http.post(COIN, headers=headers[key])
        else:
            response = await attrs.evolve(client, credentials=credentials[key]).withdraw()
        assert error_of(response) == (401, name)
    assert [fault.before for fault in sandbox.faults.unused] == [False, True]
    with pytest.raises(httpx.ReadError):
        await client.withdraw()
    assert [fault.before for fault in sandbox.faults.unused] == [True]
    assert len(sandbox.ledger.created) == 1


async def test_public_request_uses_up_a_fault_unsigned(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.status(503, "GET", "/v1/market/all"))
    assert [(await client.http.get("/v1/market/all")).status_code for _ in range(2)] == [503, 200]


async def test_unauthenticated_fault_affects_any_request(sandbox: Sandbox, client: SignedClient) -> None:
    outage = Fault.status(503, times=None)
    sandbox.faults.add(attrs.evolve(outage, unauthenticated=True))
    assert (await client.http.get("/v1/nothing")).status_code == 503
    assert (await client.get("/v1/accounts")).status_code == 503


async def test_reset_sends_a_tcp_reset(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(before=True, ending="reset", unauthenticated=True))
    async with sandbox.serve() as url:
        host, port = url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(b"GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with pytest.raises(anyio.BrokenResourceError) as raised:
                await stream.receive()
    assert isinstance(raised.value.__cause__, ConnectionResetError)


@pytest.mark.parametrize("status", [204, 304])
async def test_bodiless_status_is_sent_without_a_body(
    sandbox: Sandbox, client: SignedClient, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add(Fault.status(status))
    response = await client.get("/v1/accounts")
    assert (response.status_code, response.content) == (status, b"")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("status", [101, 199, 600, 1000, -1, True, "200"])
def test_impossible_status_is_refused(status: Any) -> None:
    with pytest.raises(ValueError, match="status must be a whole number from 200 to 599"):
        Fault.status(status)


@pytest.mark.parametrize(
    ("name", "value"),
    [("Retry-After", "\u20ac"), ("a", "b\r\nc: d"), ("a", "\x00"), ("a", " b"), ("a b", "c"), ("", "c")],
)
def test_impossible_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="header must be a name and a value that HTTP can carry"):
        Fault.status(429, headers={name: value})


async def test_half_a_surrogate_pair_is_sent_escaped(sandbox: Sandbox, client: SignedClient) -> None:
    sandbox.faults.add(Fault.status(400, name="\ud800"))
    sandbox.knobs.unit_currency = "\ud800"
    assert error_of(await client.get("/v1/accounts")) == (400, "\ud800")
    rows = (await client.get("/v1/accounts")).json()
    assert {row["unit_currency"] for row in rows} == {"\ud800"}


FAULTS: dict[str, tuple[Callable[..., Fault], tuple[float, ...]]] = {
    "lose_answer": (Fault.lose_answer, ()),
    "reset_before": (Fault.reset_before, ()),
    "status": (Fault.status, (503,)),
    "slow": (Fault.slow, (0.0,)),
    "garbage": (Fault.garbage, ()),
    "Fault": (Fault, ()),
}


def is_ten(request: SandboxRequest) -> bool:
    return bool(request.members.get("amount") == "10")


@pytest.mark.parametrize("name", FAULTS)
async def test_fault_affects_only_requests_that_its_predicate_selects(
    sandbox: Sandbox, client: SignedClient, name: str
) -> None:
    constructor, arguments = FAULTS[name]
    sandbox.faults.add(constructor(*arguments, "POST", COIN, when=is_ten))
    assert (await client.withdraw(amount="11")).status_code == 201
    assert (await client.get("/v1/accounts")).status_code == 200
    assert len(sandbox.faults.unused) == 1
    with contextlib.suppress(httpx.TransportError):
        await client.withdraw(amount="10")
    assert not sandbox.faults.unused


async def test_predicate_sees_the_query_and_skips_count_only_what_it_selects(
    sandbox: Sandbox, client: SignedClient
) -> None:
    def second_page(request: SandboxRequest) -> bool:
        return ("page", "2") in request.parameters

    sandbox.faults.add(Fault.status(503, "GET", when=second_page, skip=1))
    pages = ("page=1", "page=2", "page=1", "page=2")
    assert [(await client.get("/v1/withdraws", page)).status_code for page in pages] == [200, 200, 200, 503]


async def test_predicate_is_not_asked_about_unsigned_requests(sandbox: Sandbox, client: SignedClient) -> None:
    asked: list[SandboxRequest] = []

    def ask(request: SandboxRequest) -> bool:
        asked.append(request)
        return True

    sandbox.faults.add(Fault.status(503, when=ask))
    assert (await client.http.get("/v1/accounts")).status_code == 401
    assert asked == []


@pytest.mark.parametrize(
    ("name", "wrong", "problem"),
    [
        ("lose_answer", {"how": "away"}, "how must be one of 'reset', 'close', 'cut', 'hang'"),
        ("status", {"body": "xml"}, "body must be one of 'json', 'html', 'empty'"),
        ("garbage", {"body": "xml"}, "body must be one of 'text', 'html', 'wrong json', 'empty', 'huge'"),
        ("Fault", {"ending": "away"}, "ending must be one of 'send', 'reset', 'close', 'cut', 'hang'"),
        ("Fault", {"delay": "soon"}, r"delay must be a number from 0 to 10\^9"),
        ("Fault", {"delay": -1}, r"delay must be a number from 0 to 10\^9"),
    ],
)
def test_fault_refuses_a_misspelt_choice(name: str, wrong: dict[str, Any], problem: str) -> None:
    constructor, arguments = FAULTS[name]
    with pytest.raises(ValueError, match=f"{problem}.*got "):
        constructor(*arguments, **wrong)


def test_slow_fault_refuses_an_impossible_delay() -> None:
    with pytest.raises(ValueError, match=r"delay must be a number from 0 to 10\^9, got nan"):
        Fault.slow(float("nan"))
