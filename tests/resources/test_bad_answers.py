"""Malformed, missing and refusing answers to every call: the error raised, and a client that stays usable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clients import CREATE_PATH, WITHDRAWAL

from upbit_async.errors import (
    APIError,
    AuthenticationError,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    ServerError,
    TransportError,
    UpbitError,
    ValidationError,
)
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

WAITING = "00000000-0000-4000-8000-000000000006"


async def _first(client: UpbitClient) -> object:
    return [row async for row in client.withdraws.iter(max_items=1)]


Call = tuple[str, str, "Callable[[UpbitClient], Awaitable[object]]"]
READS: dict[str, Call] = {
    "wallets": ("GET", "/v1/status/wallet", lambda client: client.status.wallets()),
    "wallet": ("GET", "/v1/status/wallet", lambda client: client.status.wallet("BTC", "BTC")),
    "list": ("GET", "/v1/withdraws", lambda client: client.withdraws.list()),
    "iter": ("GET", "/v1/withdraws", _first),
    "get": ("GET", "/v1/withdraw", lambda client: client.withdraws.get(WAITING)),
    "latest": ("GET", "/v1/withdraw", lambda client: client.withdraws.latest()),
    "chance": ("GET", "/v1/withdraws/chance", lambda client: client.withdraws.chance("BTC", "BTC")),
    "addresses": ("GET", "/v1/withdraws/coin_addresses", lambda client: client.withdraws.addresses()),
    "check": ("GET", "/v1/withdraws/chance", lambda client: client.withdraws.check(**WITHDRAWAL)),
}
CANCEL: Call = ("DELETE", CREATE_PATH, lambda client: client.withdraws.cancel(WAITING))
CREATE: Call = ("POST", CREATE_PATH, lambda client: client.withdraws.create(**WITHDRAWAL))
GARBAGE: tuple[Any, ...] = (
    *("text", "html", "wrong json", "empty", "gzip"),
    *(
        b"null",
        b"5",
        b'"text"',
        b"[5]",
        b"[null]",
        b"[[]]",
        b"[{}]",
        b'{"uuid":5}',
        b'{"uuid":""}',
        b'{"uuid":"u","currency":"\xff"}',
        b"[" * 100_000,
        b"\xff\xfe",
    ),
    *(b'{"a":' * 50_000, b'{"uuid":"u","currency":"XRP","state":"DONE","amount":"NaN"}', b"[", b'[{"uuid"'),
)


async def failure(client: UpbitClient, call: Call) -> UpbitError:
    with pytest.raises(UpbitError) as caught:
        await call[2](client)
    assert len(str(caught.value)) < 1000
    return caught.value


@pytest.mark.parametrize("name", READS)
async def test_read_answered_with_garbage_is_a_decode_error(
    client: UpbitClient, sandbox: Sandbox, name: str
) -> None:
    method, path, call = READS[name]
    for body in GARBAGE:
        sandbox.faults.add(Fault.garbage(method, path, body=body))
        error = await failure(client, READS[name])
        assert isinstance(error, DecodeError), body
        assert (error.may_have_executed, error.path[:1]) == (False, "$")
        assert not sandbox.faults.unused
    await call(client)


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: str(body)[:16])
async def test_withdrawal_answered_with_garbage_is_unknown(
    client: UpbitClient, sandbox: Sandbox, body: Any
) -> None:
    sandbox.faults.add(Fault.garbage("POST", CREATE_PATH, body=body))
    error = await failure(client, CREATE)
    assert isinstance(error, OutcomeUnknown)
    assert error.may_have_executed
    assert len(sandbox.requests) == 1
    assert (await client.withdraws.reconcile(error)).status == "found"


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: str(body)[:16])
async def test_cancel_answered_with_garbage_may_have_executed(
    client: UpbitClient, sandbox: Sandbox, body: Any
) -> None:
    sandbox.faults.add(Fault.garbage("DELETE", CREATE_PATH, body=body))
    error = await failure(client, CANCEL)
    assert isinstance(error, DecodeError)
    assert error.may_have_executed
    assert (await client.withdraws.get(WAITING)).state == "CANCELLED"


# httpx's stream leaves its generator to the garbage collector, about which trio warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("call", "kind"), [(READS["list"], DecodeError), (CANCEL, DecodeError), (CREATE, OutcomeUnknown)]
)
async def test_huge_answer_is_refused(
    client: UpbitClient, sandbox: Sandbox, call: Call, kind: type[UpbitError]
) -> None:
    sandbox.faults.add(Fault.garbage(call[0], call[1], body="huge"))
    error = await failure(client, call)
    assert isinstance(error, kind)
    assert len(error.raw) <= 64 * 1024  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    await client.withdraws.list()


@pytest.mark.parametrize("how", ["reset", "close", "cut", "hang"])
@pytest.mark.parametrize("name", READS)
async def test_unanswered_read_is_a_transport_error_after_three_attempts(
    client: UpbitClient, sandbox: Sandbox, name: str, how: Any
) -> None:
    method, path, call = READS[name]
    sandbox.faults.add(Fault.lose_answer(method, path, how=how, times=3))
    error = await failure(client, READS[name])
    assert isinstance(error, TransportError)
    assert not error.may_have_executed
    assert not sandbox.faults.unused
    await call(client)


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "validation_error", ValidationError),
        (401, "jwt_verification", AuthenticationError),
        (403, "out_of_scope", PermissionDenied),
        (404, "withdraw_not_found", NotFound),
        (418, "too_many_requests", APIError),
        (429, "too_many_requests", RateLimited),
        (500, "server_error", ServerError),
    ],
)
@pytest.mark.parametrize("call", [READS["list"], READS["get"], CANCEL], ids=["list", "get", "cancel"])
async def test_refusals_have_their_error_class(
    client: UpbitClient, sandbox: Sandbox, call: Call, status: int, name: str, kind: type[APIError]
) -> None:
    sandbox.faults.add(Fault.status(status, call[0], call[1], name=name, times=3))
    error = await failure(client, call)
    assert isinstance(error, kind)
    assert (error.status, error.name, error.endpoint) == (status, name, f"{call[0]} {call[1]}")
