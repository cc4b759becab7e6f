"""`client.deposits`: reads and waits."""

from __future__ import annotations

from contextlib import aclosing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from examples import example
from withdrawals import answer_with

from upbit_async import PollSchedule
from upbit_async.errors import (
    AuthenticationError,
    DecodeError,
    DepositNotAccepted,
    NotFound,
    PollTimeout,
    ValidationError,
)
from upbit_async.models import DepositState
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient

MANY, ONE = "/v1/deposits", "/v1/deposit"
STATES = {state.value for state in DepositState}


def slowly(*path: str) -> Transitions:
    return Transitions.after_seconds(20, states=path, first="PROCESSING")


# -- reading ---------------------------------------------------------------------------------------


async def test_list_and_iter_return_every_state(client: UpbitClient, sandbox: Sandbox) -> None:
    records = await client.deposits.list()
    assert {record.state.value for record in records} == STATES
    assert [record.uuid for record in records] == [*sandbox.deposits][::-1]
    (suspected,) = await client.deposits.list(state="TRAVEL_RULE_SUSPECTED")
    assert not suspected.state.is_final
    assert [record.uuid async for record in client.deposits.iter()] == [record.uuid for record in records]


async def test_list_sends_its_parameters(client: UpbitClient, sandbox: Sandbox) -> None:
    uuid = next(iter(sandbox.deposits))
    await client.deposits.list(currency="USDT", state=DepositState.ACCEPTED, uuids=[uuid], limit=5, to=uuid)
    assert sandbox.requests[-1].query == (
        f"currency=USDT&state=ACCEPTED&uuids[]={uuid}&limit=5&order_by=desc&to={uuid}"
    )
    before = len(sandbox.requests)
    assert await client.deposits.list(txids=[]) == []
    assert len(sandbox.requests) == before


async def test_get_takes_a_uuid_or_a_txid(client: UpbitClient, sandbox: Sandbox) -> None:
    made = sandbox.deposits.arrive(
        "USDT", "TRX", "35.72344", txid="ab" * 32, transitions=Transitions.manual()
    )
    record = await client.deposits.get(made.uuid)
    assert record == await client.deposits.get(txid="ab" * 32)
    assert record == await client.deposits.latest("USDT")
    assert (record.amount, record.state, record.txid) == (Decimal("35.72344"), "PROCESSING", "ab" * 32)
    with pytest.raises(NotFound):
        await client.deposits.get("00000000-0000-4000-8000-00000000ffff")
    with pytest.raises(ValueError, match="takes either uuid or txid"):
        await client.deposits.get()


async def test_answer_about_another_deposit_is_refused(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", ONE, example("deposit_get"))
    with pytest.raises(DecodeError, match=r"asked for uuid u, and Upbit answered with another"):
        await client.deposits.get("u")


async def test_fiat_deposit_has_no_network(client: UpbitClient) -> None:
    (fiat,) = await client.deposits.list(currency="SGD")
    assert fiat.net_type is None
    assert (fiat.txid or "").startswith("BKD-")


@pytest.mark.parametrize(
    "name", ["deposit_get", "deposit_get_travel_rule_suspected", "deposits_get_observed_2024"]
)
async def test_documented_examples_are_read(client: UpbitClient, sandbox: Sandbox, name: str) -> None:
    documented = example(name)
    rows: list[dict[str, Any]] = [documented] if isinstance(documented, dict) else documented
    answer_with(sandbox, "GET", MANY, rows)
    for record, row in zip(await client.deposits.list(), rows, strict=True):
        assert {key: str(getattr(record, key)) for key in ("uuid", "currency", "state", "type")} == {
            key: row[key] for key in ("uuid", "currency", "state", "type")
        }
        assert record.amount == Decimal(row["amount"])
        assert record.created_at is not None
        assert record.created_at.tzinfo is not None
        assert record.state.is_final == (row["state"] == "ACCEPTED")


async def test_chance_returns_minimum_and_availability(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.wallets["USDT", "TRX"].minimum_deposit = Decimal(5)
    chance = await client.deposits.chance("USDT", "TRX")
    assert chance.is_deposit_possible
    assert chance.minimum_deposit_amount == 5
    answer_with(sandbox, "GET", "/v1/deposits/chance/coin", example("deposits_chance_coin_get"))
    closed = await client.deposits.chance("BTC", "BTC")
    assert not closed.is_deposit_possible
    assert "network upgrade" in (closed.deposit_impossible_reason or "")
    with pytest.raises(ValidationError):
        await client.deposits.chance("NONE", "NONE")
    answer_with(sandbox, "GET", "/v1/deposits/chance/coin", example("deposits_chance_coin_get"))
    with pytest.raises(DecodeError, match="asked for currency ETH"):
        await client.deposits.chance("ETH", "ETH")


# -- waiting ---------------------------------------------------------------------------------------


async def test_changes_end_when_the_deposit_is_credited(client: UpbitClient, sandbox: Sandbox) -> None:
    before = await client.accounts.get("USDT")
    made = sandbox.deposits.arrive("USDT", "TRX", 100, transitions=slowly("ACCEPTED"))
    poller = client.deposits.poller(made.uuid)
    assert [change.state async for change in poller.changes()] == ["PROCESSING", "ACCEPTED"]
    assert (await poller.result()).uuid == made.uuid
    assert (await client.accounts.get("USDT")).balance == before.balance + 100


async def test_wait_by_txid_may_begin_before_the_deposit_appears(
    client: UpbitClient, sandbox: Sandbox
) -> None:
    patient = client.with_options(poll=PollSchedule(grace=3600))

    async def send_it() -> None:
        await anyio.sleep(600)
        sandbox.deposits.arrive("USDT", "TRX", 100, txid="ab" * 32, transitions=slowly("ACCEPTED"))

    poller = patient.deposits.poller(txid="ab" * 32)
    async with anyio.create_task_group() as group:
        group.start_soon(send_it)
        await poller.wait(timeout=3000)
    record = await poller.result()
    assert (record.state, record.txid) == (DepositState.ACCEPTED, "ab" * 32)


async def test_many_waits_share_one_request(client: UpbitClient, sandbox: Sandbox) -> None:
    made = [sandbox.deposits.arrive("USDT", "TRX", 10, transitions=slowly("ACCEPTED")) for _ in range(40)]
    ended: list[str] = []

    async def wait(uuid: str) -> None:
        ended.append((await client.deposits.wait(uuid)).state.value)

    async with anyio.create_task_group() as group:
        for deposit in made:
            group.start_soon(wait, deposit.uuid)
    assert ended == ["ACCEPTED"] * 40
    assert len(sandbox.requests) < 12


async def test_txid_of_several_deposits_means_the_oldest(client: UpbitClient, sandbox: Sandbox) -> None:
    first = sandbox.deposits.arrive("USDT", "TRX", 1, txid="cd" * 32, transitions=Transitions.manual())
    await anyio.sleep(5)
    second = sandbox.deposits.arrive("USDT", "TRX", 2, txid="cd" * 32, transitions=Transitions.manual())
    poller = client.deposits.poller(txid="CD" * 32)
    sandbox.deposits.set_state(second.uuid, "REJECTED")
    with pytest.raises(PollTimeout):
        await client.deposits.wait(txid="cd" * 32, timeout=20)
    sandbox.deposits.set_state(first.uuid, "ACCEPTED")
    assert (await client.deposits.poller(txid="cd" * 32).result()).uuid == first.uuid
    assert poller.uuid is None  # it has not looked


async def test_waits_by_txid_read_all_pages(client: UpbitClient, sandbox: Sandbox) -> None:
    mine = sandbox.deposits.arrive("USDT", "TRX", 1, txid="mine", transitions=Transitions.manual())
    sandbox.deposits.set_state(mine.uuid, "ACCEPTED")
    others = [f"other{number}" for number in range(60)]
    for txid in [*others, *others, *others]:
        sandbox.deposits.arrive("USDT", "TRX", 1, txid=txid, transitions=Transitions.immediate())
    ended: dict[str, str] = {}

    async def wait(txid: str) -> None:
        ended[txid] = (await client.deposits.wait(txid=txid)).uuid

    async with anyio.create_task_group() as group:
        for txid in ["mine", *others]:
            group.start_soon(wait, txid)
    oldest = {record.txid: record.uuid for record in reversed(sandbox.deposits.snapshot())}
    assert ended == {txid: oldest[txid] for txid in ["mine", *others]}


async def test_poller_keeps_to_the_deposit_first_seen(client: UpbitClient, sandbox: Sandbox) -> None:
    seen_first = example("deposits_get_observed_2024")[0] | {"txid": "t", "uuid": "b", "state": "PROCESSING"}
    also = seen_first | {"uuid": "a", "state": "ACCEPTED"}
    answer_with(sandbox, "GET", MANY, [seen_first])
    answer_with(sandbox, "GET", MANY, [also, seen_first], times=3)
    answer_with(sandbox, "GET", MANY, [also, seen_first | {"state": "REJECTED"}])
    poller = client.deposits.poller(txid="t")
    seen = [(change.record.uuid, change.state.value) async for change in poller.changes()]
    assert seen == [("b", "PROCESSING"), ("b", "REJECTED")]
    assert poller.uuid == "b"


async def test_error_after_the_deposit_was_seen_contains_its_uuid(
    client: UpbitClient, sandbox: Sandbox
) -> None:
    made = sandbox.deposits.arrive("USDT", "TRX", 1, txid="t", transitions=Transitions.manual())
    poller = client.deposits.poller(txid="t")
    async with aclosing(poller.changes()) as changes:
        await anext(changes)
        sandbox.faults.add(Fault.status(401, "GET", MANY, name="expired_access_key"))
        with pytest.raises(AuthenticationError) as error:
            await anext(changes)
    assert made.uuid in (error.value.resume_token or "")


async def test_pollers_by_txid_of_two_accounts_differ(client: UpbitClient, sandbox: Sandbox) -> None:
    other = sandbox.client(credentials=sandbox.issue_key())
    assert client.deposits.poller(txid="t") != other.deposits.poller(txid="t")
    assert client.deposits.poller(txid="t") == client.deposits.poller(txid="T")
    assert client.deposits.poller("u") == other.deposits.poller("U")


async def test_suspected_deposit_is_credited_after_verification(
    client: UpbitClient, sandbox: Sandbox
) -> None:
    made = sandbox.deposits.arrive(
        "USDT", "TRX", 50, vasp_name="Example Exchange A", transitions=Transitions.suspected()
    )
    poller = client.deposits.poller(made.uuid)
    states: list[str] = []
    async for change in poller.changes():
        states.append(change.state.value)
        if change.state is DepositState.TRAVEL_RULE_SUSPECTED:
            vasps = {vasp.vasp_name: vasp.vasp_uuid for vasp in await client.travel_rule.vasps()}
            assert (await client.travel_rule.verify_by_uuid(made.uuid, vasps["Example Exchange A"])).verified
    assert "TRAVEL_RULE_SUSPECTED" in states
    assert states[-1] == "ACCEPTED"


@pytest.mark.parametrize("end", ["CANCELLED", "REJECTED", "REFUNDED"])
async def test_result_raises_if_the_deposit_was_not_credited(
    client: UpbitClient, sandbox: Sandbox, end: str
) -> None:
    made = sandbox.deposits.arrive("USDT", "TRX", 50, transitions=slowly(end))
    with pytest.raises(DepositNotAccepted, match=f"ended as {end}") as error:
        await client.deposits.poller(made.uuid).result()
    assert error.value.record.uuid == made.uuid


async def test_done_at_does_not_end_a_wait_for_a_deposit(client: UpbitClient) -> None:
    (suspected,) = await client.deposits.list(state="TRAVEL_RULE_SUSPECTED")
    assert suspected.done_at is not None
    with pytest.raises(PollTimeout, match=r"TRAVEL_RULE_SUSPECTED.*client\.travel_rule"):
        await client.deposits.wait(suspected.uuid, timeout=60)


async def test_wait_can_be_resumed_by_another_client(client: UpbitClient, sandbox: Sandbox) -> None:
    made = sandbox.deposits.arrive("USDT", "TRX", 50, txid="ef" * 32, transitions=slowly("ACCEPTED"))
    for poller in (client.deposits.poller(made.uuid), client.deposits.poller(txid="ef" * 32)):
        assert client.deposits.resume(poller.resume_token) == poller
        elsewhere = sandbox.client().deposits.resume(poller.resume_token)
        assert (elsewhere == poller) is (poller.uuid is not None)  # it might be another account's
        assert (await elsewhere.wait()).uuid == made.uuid
    with pytest.raises(ValueError, match=r"client\.deposits"):
        client.withdraws.resume(client.deposits.poller(made.uuid).resume_token)


async def test_refused_key_ends_the_wait_with_a_resume_token(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.status(401, "GET", MANY, name="expired_access_key"))
    poller = client.deposits.poller(txid="t")
    with pytest.raises(AuthenticationError) as error:
        await poller.wait()
    assert error.value.resume_token == poller.resume_token
    with pytest.raises(NotFound, match="deposit t was not found"):
        await poller.wait()
