"""`NotFound` says what was asked for."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.errors import APIError, NotFound
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.client import UpbitClient

NOBODYS = "99999999-0000-4000-8000-000000000009"
CALLS: dict[str, tuple[str, Callable[[UpbitClient], Awaitable[object]]]] = {
    "get": (f"uuid {NOBODYS}", lambda client: client.withdraws.get(NOBODYS)),
    "get by txid": ("txid feed", lambda client: client.withdraws.get(txid="feed")),
    "deposit": (f"uuid {NOBODYS}", lambda client: client.deposits.get(NOBODYS)),
    "latest": ("USDC", lambda client: client.withdraws.latest("USDC")),
    "cancel": (f"uuid {NOBODYS}", lambda client: client.withdraws.cancel(NOBODYS)),
    "wallet": ("USDT on NOPE", lambda client: client.status.wallet("USDT", "NOPE")),
    "account": ("NOPE", lambda client: client.accounts.get("NOPE")),
    "verify": (
        f"deposit_uuid {NOBODYS}",
        lambda client: client.travel_rule.verify_by_uuid(NOBODYS, NOBODYS),
    ),
}


@pytest.mark.parametrize("name", CALLS)
async def test_not_found_says_what_was_asked_for(client: UpbitClient, sandbox: Sandbox, name: str) -> None:
    wanted, call = CALLS[name]
    if name not in {"wallet", "account"}:
        sandbox.faults.add(Fault.status(404, name="record_not_found"))
    with pytest.raises(NotFound) as caught:
        await call(client)
    error = caught.value
    assert wanted in str(error)
    for each in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert each.asked_for == wanted


@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_refusal_about_one_record_names_it(client: UpbitClient, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add(Fault.status(status, name="odd", times=3))
    with pytest.raises(APIError, match=f"for uuid {NOBODYS}"):
        await client.withdraws.get(NOBODYS)


@pytest.mark.parametrize("odd", ["a\nERROR forged", "\x1b[31m", "\u202egnp", "x" * 5000])
async def test_unusual_id_is_shown_escaped_and_shortened(
    client: UpbitClient, sandbox: Sandbox, odd: str
) -> None:
    sandbox.faults.add(Fault.status(404, name="record_not_found"))
    with pytest.raises(NotFound) as caught:
        await client.withdraws.get(odd)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


async def test_refusal_about_no_single_record_names_none(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(404, name="record_not_found"))
    with pytest.raises(NotFound) as caught:
        await client.accounts.list()
    assert caught.value.asked_for == ""
    sandbox.faults.add(Fault.status(404, name="record_not_found"))
    with pytest.raises(NotFound) as caught:
        await client.withdraws.create(**tron)
    assert caught.value.asked_for == "USDT on TRX"
    assert tron["address"] not in str(caught.value)
