"""What the official SDK does with answers that are lost or wrong: why this library exists."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from sdk import done, rows

from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox

upbit: Any = import_module("upbit")

TRON = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}


@pytest.mark.parametrize("sdk", ["sync", "async"], indirect=True)
@pytest.mark.parametrize(
    "fault",
    [Fault.lose_answer("POST"), Fault.status(502, "POST", before=False, body="html")],
    ids=["lost", "502"],
)
async def test_one_lost_answer_is_two_withdrawals_and_no_error(
    sdk: Any, sandbox: Sandbox, fault: Fault
) -> None:
    sandbox.faults.add(fault)
    record = await done(sdk.withdraws.create_withdrawal(**TRON))
    assert [entry.amount for entry in sandbox.ledger.created] == [13, 13]
    assert sandbox.ledger.created[1].uuid == record.uuid
    assert len({line.nonce for line in sandbox.requests.of("POST")}) == 2


@pytest.mark.parametrize("sdk", ["async"], indirect=True)
async def test_answers_that_stay_away_are_three_withdrawals(sdk: Any, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate()
    sandbox.faults.add(Fault.lose_answer("POST", times=None))
    with pytest.raises(upbit.APIConnectionError):
        await done(sdk.withdraws.create_withdrawal(**TRON))
    assert sandbox.ledger.moved("USDT") == 3 * 14


async def test_a_proxys_page_is_handed_out_as_a_withdrawal(sdk: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.garbage("POST", body="html"), Fault.garbage("POST", body="wrong json"))
    assert isinstance(await done(sdk.withdraws.create_withdrawal(**TRON)), str)
    record = await done(sdk.withdraws.create_withdrawal(**TRON))
    assert (type(record).__name__, record.uuid, record.state) == ("Withdraw", None, None)


async def test_walking_forward_shows_the_first_page_again_and_nothing_after_it(
    sdk: Any, sandbox: Sandbox
) -> None:
    oldest = list(sandbox.withdrawals)[:2]
    walked = [row.uuid for row in await rows(sdk.withdraws.list(limit=2, order_by="asc"))]
    assert walked == [*oldest, oldest[0]]


async def test_an_empty_id_finds_another_withdrawal(sdk: Any, sandbox: Sandbox) -> None:
    record = await done(sdk.withdraws.retrieve(uuid=""))
    assert record.uuid == list(sandbox.withdrawals)[-1]
