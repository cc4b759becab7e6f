"""Withdrawals over a real socket, in real time, on both back ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from upbit_async import PollSchedule, RetryPolicy, UpbitClient
from upbit_async.errors import DecodeError, TransportError, WithdrawalFailed
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


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


async def test_withdrawal_is_sent_and_waited_for_over_a_socket(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.after_reads(1)
    poller = await client.withdraws.send(currency="XRP", net_type="XRP", amount="25", exchange_name="binance")
    assert (await poller.result()).state == "DONE"
    assert [entry.secondary_address for entry in sandbox.ledger] == ["123456789"] * 2
    sandbox.withdrawals.transitions = Transitions.after_reads(1, states=("FAILED",))
    poller = await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
    with pytest.raises(WithdrawalFailed):
        await client.withdraws.resume(poller.resume_token).result()


async def test_members_with_special_characters_arrive_unchanged(
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


@pytest.mark.parametrize("body", ["html", "gzip", "empty", "wrong json"])
async def test_client_stays_usable_after_garbage(client: UpbitClient, sandbox: Sandbox, body: Any) -> None:
    sandbox.faults.add(Fault.garbage("GET", body=body))
    with pytest.raises(DecodeError):
        await client.status.wallets()
    sandbox.faults.add(Fault.lose_answer("GET", times=3))
    with pytest.raises(TransportError):
        await client.status.wallets()
    assert len(await client.status.wallets()) == len(sandbox.wallets)
