"""The documentation's table of endpoints: each endpoint has a row, and each row is true."""

from __future__ import annotations

import datetime as dt
import importlib.util
import inspect
import operator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async import Region
from upbit_async.errors import OutcomeUnknown
from upbit_async.models import Intent
from upbit_async.protocol.endpoints import ENDPOINTS
from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Callable

_SPEC = importlib.util.spec_from_file_location(
    "docs_endpoints", Path(__file__).parents[2] / "docs" / "endpoints.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
shown: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(shown)

WITHDRAWAL: dict[str, Any] = {
    "currency": "BTC",
    "net_type": "BTC",
    "amount": "0.1",
    "address": "1FakeBtcWithdrawAddressFakeFakeFak",
}
ROWS = [(label, method) for label, methods in shown.METHODS.items() for method in methods]


def test_every_endpoint_has_a_row_with_all_that_is_known_of_it() -> None:
    head, _, *rows = shown.table().splitlines()
    assert head.count("|") == 6
    assert len(rows) == len(ENDPOINTS)
    for endpoint, row in zip(ENDPOINTS.values(), rows, strict=True):
        upbits, here, safety, permission, regions = (cell.strip() for cell in row.strip("|").split("|"))
        assert upbits == f"[`{endpoint.label}`]({endpoint.docs})"
        assert here.count("{py:meth}") == len(shown.METHODS[endpoint.label]) > 0
        assert safety.split(",")[0] == endpoint.safety.value
        assert ("every 10 minutes" in safety) is (endpoint.interval == 600)
        assert permission == (f"`{endpoint.permission}`" if endpoint.permission else "any key")
        assert regions == ("all" if endpoint.regions is None else ", ".join(sorted(endpoint.regions)))


def test_no_row_is_for_an_endpoint_that_is_not_there() -> None:
    assert shown.METHODS.keys() == {endpoint.label for endpoint in ENDPOINTS.values()}


@pytest.mark.parametrize(("label", "method"), ROWS, ids=[method for _, method in ROWS])
async def test_a_method_calls_the_endpoint_of_its_row_and_no_other(label: str, method: str) -> None:
    (endpoint,) = (each for each in ENDPOINTS.values() if each.label == label)
    region = Region.SG if endpoint.regions is None or Region.SG in endpoint.regions else min(endpoint.regions)
    async with Sandbox(region, transitions=Transitions.manual()) as sandbox:
        client = sandbox.client()
        withdrawal = await client.withdraws.create(**WITHDRAWAL)
        deposit = sandbox.deposits.arrive("BTC", "BTC", "0.5")
        known = WITHDRAWAL | {
            "uuid": deposit.uuid if ".deposits." in method else withdrawal.uuid,
            "deposit_uuid": deposit.uuid,
            "txid": deposit.txid,
            "vasp_uuid": sandbox.vasps[0].vasp_uuid,
            "unknown": _lost_answer(client.host),
        }
        called = operator.attrgetter(method.removeprefix("client."))(client)
        sandbox.requests.clear()
        await _call(called, known)
        assert {f"{request.method} {request.path}" for request in sandbox.requests} == {label}
        assert {request.status for request in sandbox.requests} <= {200, 201}

    namespace, _, name = method.rpartition(".")
    home, _, kind = shown.NAMESPACES[namespace].rpartition(".")
    assert callable(getattr(getattr(importlib.import_module(home), kind), name))


def _lost_answer(host: str) -> OutcomeUnknown:
    members = dict(WITHDRAWAL)
    began = dt.datetime.now(dt.UTC)
    endpoint = "POST /v1/withdraws/coin"
    return OutcomeUnknown(
        "the answer was lost", intent=Intent(endpoint=endpoint, host=host, members=members, started_at=began)
    )


async def _call(called: Callable[..., Any], known: dict[str, Any]) -> None:
    names = inspect.signature(called).parameters
    given = {name: known[name] for name, parameter in names.items() if parameter.default is parameter.empty}
    if "uuid" in names:
        given["uuid"] = known["uuid"]
    answer = called(**given)
    if inspect.isawaitable(answer):
        await answer
        return
    async with aclosing(answer) as walk:
        await anext(walk)
