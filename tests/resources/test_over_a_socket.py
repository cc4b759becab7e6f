"""The same over a real socket, on both back ends, by the clock of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from upbit_async import PollSchedule, RetryPolicy, UpbitClient
from upbit_async.errors import DecodeError, OutcomeUnknown, TransportError, WithdrawalFailed
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

COIN = "/v1/withdraws/coin"


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncGenerator[UpbitClient]:
    async with (
        sandbox.serve() as url,
        UpbitClient(
            "sg",
            credentials=sandbox.credentials,
            base_url=url,
            retry=RetryPolicy(base=0.001, throttled_base=0.001),
            poll=PollSchedule(first=0.01, longest=0.05),
        ) as made,
    ):
        yield made


async def test_from_the_order_to_its_end(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.after_reads(1)
    poller = await client.withdraws.send(currency="XRP", net_type="XRP", amount="25", exchange_name="binance")
    assert (await poller.result()).state == "DONE"
    assert [entry.secondary_address for entry in sandbox.ledger] == ["123456789"] * 2
    sandbox.withdrawals.transitions = Transitions.after_reads(1, states=("FAILED",))
    poller = await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
    with pytest.raises(WithdrawalFailed):
        await client.withdraws.resume(poller.resume_token).result()


async def test_members_that_are_hard_to_write_arrive_as_they_were(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    name = "Siti & Söhne 100%+1 = ?"
    record = await client.withdraws.create(**tron, extra={"beneficiary_name": name})
    assert f'"beneficiary_name":"{name}"' in sandbox.requests.of("POST")[0].body
    rows = await client.withdraws.list(uuids=[record.uuid, "a b&c=d", "ü"], currency="USDT")
    assert [row.uuid for row in rows] == [record.uuid]
    assert sandbox.requests[-1].query == (
        f"currency=USDT&uuids[]={record.uuid}&uuids[]=a%20b%26c%3Dd&uuids[]=%C3%BC&limit=100&order_by=desc"
    )


@pytest.mark.parametrize("how", ["reset", "close", "cut"])
async def test_a_lost_answer_is_one_request_and_found_again(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], how: Any
) -> None:
    sandbox.faults.add(Fault.lose_answer("POST", how=how))
    with pytest.raises(OutcomeUnknown) as caught:
        await client.withdraws.send(**tron)
    assert len(sandbox.requests.of("POST")) == 1
    found = await client.withdraws.reconcile(caught.value)
    assert found.withdrawal is not None
    assert found.withdrawal.uuid == list(sandbox.withdrawals)[-1]


async def test_a_cancellation_is_settled_by_reading(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.faults.add(Fault.lose_answer("DELETE"))
    assert (await client.withdraws.cancel(old[5])).state == "CANCELLED"


@pytest.mark.parametrize("body", ["html", "gzip", "empty", "wrong json"])
async def test_garbage_does_not_spoil_the_client(client: UpbitClient, sandbox: Sandbox, body: Any) -> None:
    sandbox.faults.add(Fault.garbage("GET", body=body))
    with pytest.raises(DecodeError):
        await client.status.wallets()
    sandbox.faults.add(Fault.lose_answer("GET", times=3))
    with pytest.raises(TransportError):
        await client.status.wallets()
    assert len(await client.status.wallets()) == len(sandbox.wallets)


async def test_a_long_history_is_walked_through_completely(
    client: UpbitClient, grow: Callable[[int], list[str]]
) -> None:
    uuids = grow(251)
    assert [row.uuid async for row in client.withdraws.iter(order_by="asc")] == uuids
    assert [row.uuid async for row in client.withdraws.iter()] == uuids[::-1]
