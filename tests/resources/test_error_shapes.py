"""Refusals in the flat shape that Upbit's SDK also reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clients import CREATE_PATH

from upbit_async.errors import AuthenticationError, OutcomeUnknown, RateLimited, ValidationError
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient


def _flat(name: str) -> bytes:
    return f'{{"name":"{name}","message":"no such luck"}}'.encode()


async def test_flat_refusal_of_a_withdrawal_is_certain(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(400, "POST", CREATE_PATH, body=_flat("withdraw_address_not_registered")))
    with pytest.raises(ValidationError, match="no such luck") as caught:
        await client.withdraws.create(**tron)
    assert caught.value.name == "withdraw_address_not_registered"
    assert not caught.value.may_have_executed
    assert len(sandbox.requests) == 1


async def test_flat_nonce_used_leaves_a_withdrawal_unknown(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(401, "POST", CREATE_PATH, body=_flat("nonce_used")))
    with pytest.raises(OutcomeUnknown) as caught:
        await client.withdraws.create(**tron)
    assert caught.value.name == "nonce_used"


async def test_flat_nonce_used_is_retried_once_for_a_read(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.status(401, "GET", body=_flat("nonce_used")))
    await client.withdraws.list()
    sandbox.faults.add(Fault.status(401, "GET", body=_flat("nonce_used"), times=2))
    with pytest.raises(AuthenticationError):
        await client.withdraws.list()
    assert len(sandbox.requests) == 4


async def test_flat_429_is_retried_for_a_withdrawal(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(429, "POST", CREATE_PATH, body=_flat("too_many_requests"), times=3))
    with pytest.raises(RateLimited) as caught:
        await client.withdraws.create(**tron)
    assert not caught.value.may_have_executed
    assert len(sandbox.requests) == 3
