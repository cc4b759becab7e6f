"""`client.request`: signed requests to any endpoint."""

from __future__ import annotations

import collections
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from clients import CREATE_PATH, WITHDRAWAL

from upbit_async import Safety
from upbit_async.errors import (
    DecodeError,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TransportError,
    ValidationError,
)
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox


WAITING = "00000000-0000-4000-8000-000000000006"

# -- what goes out, and what comes back ------------------------------------------------------------


async def test_query_with_arrays_is_signed(client: UpbitClient, sandbox: Sandbox) -> None:
    rows = await client.request(
        "get", "/v1/withdraws", params={"uuids": [WAITING, "a b"], "limit": 2, "state": None}
    )
    assert [row["uuid"] for row in rows] == [WAITING]
    assert rows[0]["amount"] == "10.0"  # as Upbit wrote it
    assert sandbox.requests[-1].query == f"uuids[]={WAITING}&uuids[]=a%20b&limit=2"


async def test_body_members_are_signed(client: UpbitClient, sandbox: Sandbox) -> None:
    record = await client.request(
        "POST", CREATE_PATH, json={**WITHDRAWAL, "amount": Decimal("1.3E+1"), "x": None}
    )
    assert record["uuid"] in sandbox.withdrawals
    assert sandbox.requests[-1].body == (
        '{"currency":"USDT","net_type":"TRX","amount":"13","address":"TFakeTronWithdrawAddressFakeFakeFa"}'
    )


async def test_delete_sends_its_parameters_in_the_query(client: UpbitClient, sandbox: Sandbox) -> None:
    record = await client.request("DELETE", CREATE_PATH, params={"uuid": WAITING})
    assert record["state"] == "CANCELLED"
    assert (sandbox.requests[-1].query, sandbox.requests[-1].body) == (f"uuid={WAITING}", "")


async def test_unknown_endpoints_can_be_called(client: UpbitClient) -> None:
    accounts = await client.request("GET", "/v1/accounts")
    assert {account["currency"] for account in accounts} >= {"BTC", "SGD"}
    with pytest.raises(NotFound):
        await client.request("GET", "/v1/brand_new")


async def test_numbers_keep_all_their_digits(client: UpbitClient, sandbox: Sandbox) -> None:
    body = b'{"a":0.123456789012345678901,"b":1e-8,"c":12345678901234567890123,"d":[1.0,-0.5],"e":"1.50"}'
    sandbox.faults.add(Fault.status(200, body=body))
    answer = await client.request("GET", "/v1/x")
    assert answer == {
        "a": Decimal("0.123456789012345678901"),
        "b": Decimal("1E-8"),
        "c": 12345678901234567890123,
        "d": [Decimal("1.0"), Decimal("-0.5")],
        "e": "1.50",
    }
    assert {type(answer[name]) for name in "ab"} == {Decimal}


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "PATCH"])
async def test_response_without_content_is_none(client: UpbitClient, sandbox: Sandbox, method: str) -> None:
    sandbox.faults.add(Fault.status(204, method, body="empty"))
    assert await client.request(method, "/v1/x") is None


# -- what may be repeated --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "safety", "kind", "times"),
    [
        ("GET", None, TransportError, 3),
        ("GET", Safety.ONCE, OutcomeUnknown, 1),
        ("POST", None, OutcomeUnknown, 1),
        ("PUT", None, OutcomeUnknown, 1),
        ("PATCH", None, OutcomeUnknown, 1),
        ("DELETE", None, OutcomeUnknown, 1),
        ("POST", Safety.READ, TransportError, 3),
        ("DELETE", Safety.REPEATABLE, TransportError, 3),
    ],
)
async def test_only_get_is_repeated_unless_the_caller_says_otherwise(
    client: UpbitClient,
    sandbox: Sandbox,
    method: str,
    safety: Safety | None,
    kind: type[Exception],
    times: int,
) -> None:
    sandbox.faults.add(Fault.lose_answer(times=None))
    with pytest.raises(kind):
        await client.request(method, "/v1/x", safety=safety)
    assert len(sandbox.requests) == times


@pytest.mark.parametrize("safety", [None, Safety.READ, Safety.REPEATABLE])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CREATE_PATH),
        ("post", CREATE_PATH),
        ("POST", f"{CREATE_PATH}/"),
        ("POST", CREATE_PATH.title()),
    ],
)
async def test_withdrawal_is_never_repeated_whatever_safety_is_given(
    client: UpbitClient, sandbox: Sandbox, method: str, path: str, safety: Safety | None
) -> None:
    sandbox.faults.add(Fault.lose_answer("POST"))
    with pytest.raises(OutcomeUnknown) as caught:
        await client.request(method, path, json=WITHDRAWAL, safety=safety)
    assert len(sandbox.requests) == 1
    found = await client.withdraws.reconcile(caught.value)
    assert found.withdrawal is not None
    assert found.withdrawal.uuid == list(sandbox.withdrawals)[-1]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"result":"ok"}', b"[]", b"OK"])
async def test_withdrawal_answer_without_a_uuid_keeps_its_raw_text(
    client: UpbitClient, sandbox: Sandbox, body: bytes
) -> None:
    for status in (200, 201, 204):
        sandbox.requests.clear()
        sandbox.faults.add(Fault.status(status, "POST", before=False, body=body))
        with pytest.raises(OutcomeUnknown) as caught:
            await client.request("POST", CREATE_PATH, json=WITHDRAWAL)
        assert caught.value.raw == (body.decode() if status != HTTPStatus.NO_CONTENT else "")
        assert len(sandbox.requests) == 1


async def test_known_endpoints_keep_their_own_safety_class(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.reset_before("DELETE"))
    record = await client.request("DELETE", CREATE_PATH, params={"uuid": WAITING}, safety=Safety.ONCE)
    assert record["state"] == "CANCELLED"
    sandbox.faults.add(Fault.status(503, "GET", times=2))
    await client.request("GET", "/v1/withdraws/", safety=Safety.ONCE)
    assert [line.path for line in sandbox.requests.of("GET")] == ["/v1/withdraws"] * 3


async def test_refusals_are_not_unknown_outcomes(client: UpbitClient, sandbox: Sandbox) -> None:
    with pytest.raises(ValidationError, match="withdraw_address_not_registered"):
        await client.request("POST", CREATE_PATH, json={**WITHDRAWAL, "address": "TAnother"})
    sandbox.faults.add(Fault.status(500, "GET", times=3))
    with pytest.raises(ServerError):
        await client.request("GET", "/v1/x")
    sandbox.faults.add(Fault.garbage("GET", body="html"))
    with pytest.raises(DecodeError):
        await client.request("GET", "/v1/accounts")


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["", "FETCH", "HEAD", "OPTIONS", "GET ", "GET\r\n", None, 5, b"GET", ["GET"]]
)
async def test_unknown_method_is_refused(client: UpbitClient, sandbox: Sandbox, method: Any) -> None:
    with pytest.raises(ValueError, match="method must be one of DELETE, GET"):
        await client.request(method, "/v1/x")
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "//", "v1/x", "https://evil.example/v1/x", "//evil.example/v1/x", "@evil.example/x"),
        *(
            "/v1/x?a=b",
            "/v1/x#a",
            "/v1/x%2Fy",
            "/v1/x y",
            "/v1/x\r\nHost: evil",
            "/v1/\tx",
            "/v1/ü",
            "/v1//x",
        ),
        *("/v1/../x", "/v1/./withdraws/coin", "/v1/x/../withdraws/coin", "/v1\\x", "/v1/x//", "/v1/x\x00"),
        *(None, 5, b"/v1/x", ["/v1/x"]),
    ],
)
async def test_path_that_is_not_plain_is_refused(client: UpbitClient, sandbox: Sandbox, path: Any) -> None:
    for method, safety in (("GET", None), ("POST", Safety.READ)):
        with pytest.raises(ValueError, match="path must look like /v1/accounts"):
            await client.request(method, path, safety=safety)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "PATCH"])
async def test_misplaced_or_malformed_parameters_are_refused(
    client: UpbitClient, sandbox: Sandbox, method: str
) -> None:
    right, wrong = ("params", "json") if method in {"GET", "DELETE"} else ("json", "params")
    with pytest.raises(ValueError, match=f"{method} takes {right}"):
        await client.request(method, "/v1/x", **{wrong: {}})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    bad: dict[str, tuple[Any, ...]] = {
        "mapping": ("a=b", b"a=b", 5, True, ["a"], [("a", "b")]),
        "a name in": ({5: "x"}, {b"a": "x"}, {None: "x"}),
        "can't be sent": ({"a": 1.5}, {"a": b"x"}, {"a": {}}, {"a": [1.5]}, {"a": object()}),
    }
    for problem, values in bad.items():
        for value in values:
            with pytest.raises(TypeError, match=problem):
                await client.request(method, "/v1/x", **{right: value})
    empty: tuple[Any, ...] = (
        {"": "x"},
        {"uuids": []},
        {"uuids": ()},
        {"uuids": collections.deque[str]()},
        {"a": Decimal("NaN")},
    )
    for value in empty:
        with pytest.raises(ValueError, match=r"empty|finite"):
            await client.request(method, "/v1/x", **{right: value})
    assert len(sandbox.requests) == 0


async def test_safety_of_a_wrong_type_is_refused(client: UpbitClient, sandbox: Sandbox) -> None:
    for odd in ("read", 1, True):
        with pytest.raises(TypeError, match="safety must be a Safety, got "):
            await client.request("GET", "/v1/x", safety=odd)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert len(sandbox.requests) == 0
