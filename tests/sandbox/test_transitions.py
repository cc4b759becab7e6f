"""How withdrawals progress, and that the books stay right whatever they do."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import VirtualTimeLoop

from upbit_async.region import Region
from upbit_async.sandbox import Knobs, Sandbox, Transition, Transitions
from upbit_async.sandbox.exchange.defaults import default_account, default_wallets
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.exchange import Exchange
from upbit_async.sandbox.exchange.state import ExchangeState
from upbit_async.sandbox.exchange.transfers import WithdrawalOrder

if TYPE_CHECKING:
    from signed_client import ManualClock, SignedClient


async def look(client: SignedClient, uuid: str) -> str:
    state: str = (await client.get("/v1/withdraw", f"uuid={uuid}")).json()["state"]
    return state


async def ordered(client: SignedClient) -> str:
    uuid: str = (await client.withdraw()).json()["uuid"]
    return uuid


@pytest.mark.parametrize("end", ["DONE", "FAILED", "CANCELLED", "REJECTED"])
async def test_at_once(client: SignedClient, sandbox: Sandbox, end: str) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate(end, first="PROCESSING")
    response = await client.withdraw()
    assert response.json()["state"] == "PROCESSING"
    assert sandbox.withdrawals[response.json()["uuid"]].state == end
    assert sandbox.ledger[-1].kind == ("settled" if end == "DONE" else "released")
    assert (sandbox.withdrawals[response.json()["uuid"]].done_at is None) is (end == "CANCELLED")


async def test_already_done_in_the_answer(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.manual(first="DONE")
    told = (await client.withdraw()).json()
    assert (told["state"], told["done_at"] is None, told["txid"] is None) == ("DONE", False, False)
    assert sandbox.ledger.moved("USDT") == 14


async def test_after_looks(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.after_reads(2, states=("PROCESSING", "DONE"))
    uuid = await ordered(client)
    await client.get("/v1/withdraws", f"uuids[]={uuid}")
    states = [await look(client, uuid) for _ in range(5)]
    assert states == ["WAITING", "PROCESSING", "PROCESSING", "DONE", "DONE"]


async def test_a_path_may_be_as_strange_as_one_likes(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    path = ("PROCESSING", "WAITING", "ON_THE_MOON", "DONE", "PROCESSING", "DONE")
    sandbox.withdrawals.transitions = Transitions.after_seconds(1.0, states=path)
    uuid = await ordered(client)
    states: list[str] = []
    for _ in path:
        clock.tick(1)
        states.append(await look(client, uuid))
    assert tuple(states) == path
    assert [entry.kind for entry in sandbox.ledger] == ["created", "settled"]


async def test_time_passes_faster_by_plan(client: SignedClient, sandbox: Sandbox, clock: ManualClock) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(10.0, speed=100.0)
    uuid = await ordered(client)
    clock.tick(0.15)
    assert await look(client, uuid) == "PROCESSING"
    clock.tick(0.05)
    assert await look(client, uuid) == "DONE"


async def test_steps_may_be_of_every_kind(client: SignedClient, sandbox: Sandbox, clock: ManualClock) -> None:
    steps = (
        Transition("A", seconds=1),
        Transition("B", reads=1),
        Transition("C"),
        Transition("D", seconds=0),
    )
    sandbox.withdrawals.transitions = Transitions(
        sequence=steps, txid_at=frozenset({"A"}), cancelable=frozenset({"C"})
    )
    uuid = await ordered(client)
    clock.tick(1)
    assert [await look(client, uuid) for _ in range(3)] == ["A", "B", "B"]
    assert sandbox.withdrawals[uuid].txid is not None
    assert sandbox.withdrawals.set_state(uuid, "C").is_cancelable
    clock.tick(100)
    assert await look(client, uuid) == "C"


async def test_several_come_due_in_their_order(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(2.0)
    first = await ordered(client)
    clock.tick(1)
    sandbox.withdrawals.transitions = Transitions.after_seconds(1.0, states=("DONE",))
    second, third = await ordered(client), await ordered(client)
    clock.tick(10)
    assert [entry.uuid for entry in sandbox.ledger.settled] == [second, third, first]
    assert [(entry.at - sandbox.now).total_seconds() for entry in sandbox.ledger.settled] == [-9, -9, -7]


async def test_a_cancellation_may_lose_the_race(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = await ordered(client)
    await client.delete("/v1/withdraws/coin", f"uuid={uuid}")
    sandbox.withdrawals.set_state(uuid, "DONE")
    assert [entry.kind for entry in sandbox.ledger] == ["created", "released", "settled"]
    assert sandbox.account.balance("USDT").available == 9986


async def test_what_has_left_does_not_come_back(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = await ordered(client)
    for state in ("DONE", "FAILED", "DONE", "CANCELLED"):
        sandbox.withdrawals.set_state(uuid, state)
    assert [entry.kind for entry in sandbox.ledger] == ["created", "settled"]
    assert sandbox.account.balance("USDT").available == 9986


async def test_records_can_be_kept_as_they_were(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = await ordered(client)
    before = sandbox.withdrawals.snapshot()[-1]
    sandbox.withdrawals.set_state(uuid, "DONE")
    assert (before.state, sandbox.withdrawals[uuid].state) == ("WAITING", "DONE")
    assert list(sandbox.withdrawals)[-1] == uuid
    assert len(sandbox.withdrawals) == 7
    assert uuid in sandbox.withdrawals
    with pytest.raises(KeyError):
        sandbox.withdrawals.set_state("unknown", "DONE")


async def test_the_ledger_is_a_sequence(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = await ordered(client)
    sandbox.withdrawals.set_state(uuid, "REJECTED")
    assert len(sandbox.ledger) == 2
    assert sandbox.ledger[0] == next(iter(sandbox.ledger)) == sandbox.ledger.created[0]
    assert [entry.kind for entry in sandbox.ledger[:2]] == ["created", "released"]
    assert sandbox.ledger.released[0].uuid == uuid


def test_a_plan_does_not_stand_still() -> None:
    with pytest.raises(ValueError, match="speed"):
        Transitions(speed=0)


# -- the books -------------------------------------------------------------------------------------

AMOUNTS = st.decimals(Decimal("0.1"), Decimal(4000), places=6)
STATES = st.sampled_from(["WAITING", "PROCESSING", "DONE", "FAILED", "CANCELLED", "REJECTED", "ELSEWHERE"])
STEPS = st.builds(
    Transition,
    STATES,
    seconds=st.none() | st.floats(0, 5),
    reads=st.none() | st.integers(1, 3),
)
PLANS = st.builds(Transitions, sequence=st.lists(STEPS, max_size=5).map(tuple), first=STATES)
ACTIONS = st.one_of(
    st.tuples(st.just("order"), AMOUNTS, PLANS),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("look"), st.integers(0, 9)),
    st.tuples(st.just("advance"), st.integers(0, 9), STATES),
    st.tuples(st.just("wait"), st.floats(0, 5)),
)


class LedgerModel:
    """An exchange, and what has to be true of it after everything that happens."""

    def __init__(self, *, fee_on_top: bool) -> None:
        numbers = count()
        self.now = datetime(2026, 11, 20, tzinfo=UTC)
        self.shared = ExchangeState(
            region=Region.SG,
            account=default_account(Region.SG),
            wallets=default_wallets(),
            knobs=Knobs(fee_on_top=fee_on_top),
            new_uuid=lambda: f"{next(numbers)}",
        )
        self.exchange = Exchange(self.shared, Transitions.manual())

    def do(self, action: tuple[object, ...]) -> None:
        withdrawals = self.exchange.withdrawals
        records = list(withdrawals.records.values())
        match action:
            case ("order", Decimal() as amount, Transitions() as plan):
                withdrawals.transitions = plan
                withdrawals.withdraw(
                    WithdrawalOrder(
                        currency="USDT",
                        net_type="TRX",
                        amount=amount,
                        amount_text=str(amount),
                        address="TFakeTronWithdrawAddressFakeFakeFa",
                    ),
                    self.now,
                )
            case ("wait", float() as seconds):
                self.now += timedelta(seconds=seconds)
            case (verb, int() as index, *rest) if index < len(records):
                self.touch(str(verb), records[index].uuid, [str(item) for item in rest])
            case _:
                pass
        self.exchange.catch_up(self.now)

    def touch(self, verb: str, uuid: str, rest: list[str]) -> None:
        if verb == "cancel":
            self.exchange.withdrawals.cancel(uuid, self.now)
        elif verb == "look":
            self.exchange.withdrawals.read(self.exchange.withdrawals.records[uuid], self.now)
        else:
            self.exchange.withdrawals.set_state(uuid, rest[0], self.now)

    def check(self) -> None:
        balance = self.exchange.account.balance("USDT")
        records = list(self.exchange.withdrawals.records.values())
        assert balance.available + balance.locked + self.exchange.ledger.moved("USDT") == 10_000
        assert balance.locked == sum(record.total for record in records if record.money == "held")
        settled = [entry.uuid for entry in self.exchange.ledger.settled]
        assert len(settled) == len(set(settled))
        assert set(settled) == {record.uuid for record in records if record.money == "settled"}
        assert {entry.uuid for entry in self.exchange.ledger.created} == set(
            self.exchange.withdrawals.records
        )


@given(actions=st.lists(ACTIONS, max_size=30), fee_on_top=st.booleans())
def test_no_money_appears_or_vanishes(actions: list[tuple[object, ...]], *, fee_on_top: bool) -> None:
    books = LedgerModel(fee_on_top=fee_on_top)
    for action in actions:
        before = list(books.exchange.ledger)
        try:
            books.do(action)
        except Refusal:
            assert list(books.exchange.ledger) == before
        books.check()


def test_a_look_from_outside_of_the_loop_does_not_stop_the_clock() -> None:
    loop = VirtualTimeLoop()
    sandbox = Sandbox("sg")

    async def look() -> datetime:
        return sandbox.now

    began = loop.run_until_complete(look())
    loop.run_until_complete(asyncio.sleep(30))
    assert sandbox.now == began  # nobody has looked within the loop since
    loop.run_until_complete(asyncio.sleep(30))
    assert loop.run_until_complete(look()) - began == timedelta(seconds=60)
    loop.close()


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, 1e12])
def test_no_state_lasts_longer_than_a_calendar(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        Transitions.after_seconds(seconds)
    with pytest.raises(ValueError, match="seconds"):
        Transition("DONE", seconds=seconds)


async def test_a_plan_may_be_as_slow_as_one_likes(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(1e9, speed=1e-300)
    assert (await client.withdraw()).json()["state"] == "WAITING"
