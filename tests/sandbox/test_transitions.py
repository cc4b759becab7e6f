"""State changes of withdrawals and deposits, and the clock that they follow."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from transfer_kinds import DEPOSITS, WITHDRAWALS, TransferKind
from virtual_time import VirtualTimeLoop

from upbit_async.sandbox import Sandbox, Transition, Transitions

if TYPE_CHECKING:
    from signed_client import ManualClock, SignedClient

both_kinds = pytest.mark.parametrize("kind", [WITHDRAWALS, DEPOSITS], ids=str)


async def state_of(client: SignedClient, uuid: str, kind: TransferKind = WITHDRAWALS) -> str:
    state: str = (await client.get(kind.get_path, f"uuid={uuid}")).json()["state"]
    return state


async def withdraw(client: SignedClient) -> str:
    uuid: str = (await client.withdraw()).json()["uuid"]
    return uuid


# -- both kinds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "end"), [(kind, end) for kind in (WITHDRAWALS, DEPOSITS) for end in kind.ends], ids=str
)
async def test_immediate_transfer_has_ended_when_it_is_read(
    client: SignedClient, sandbox: Sandbox, kind: TransferKind, end: str
) -> None:
    uuid = kind.create(sandbox, transitions=Transitions.immediate(end))
    assert await state_of(client, uuid, kind) == end
    is_cancelled_withdrawal = (kind, end) == (WITHDRAWALS, "CANCELLED")
    assert (kind.control(sandbox)[uuid].done_at is None) is is_cancelled_withdrawal
    assert [entry.kind for entry in sandbox.ledger] == {
        "DONE": ["created", "settled"],
        "ACCEPTED": ["credited"],
    }.get(end, ["created", "released"] if kind is WITHDRAWALS else [])


@pytest.mark.parametrize("end", WITHDRAWALS.ends)
async def test_immediate_withdrawal_is_answered_with_its_first_state(
    client: SignedClient, sandbox: Sandbox, end: str
) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate(end, first="PROCESSING")
    answer = (await client.withdraw()).json()
    assert answer["state"] == "PROCESSING"
    assert sandbox.withdrawals[answer["uuid"]].state == end


@both_kinds
async def test_transfer_changes_after_reads_alone_or_in_a_list(
    client: SignedClient, sandbox: Sandbox, kind: TransferKind
) -> None:
    transitions = Transitions.after_reads(3, states=("REJECTED", "FAILED"), first="PROCESSING")
    uuid = kind.create(sandbox, transitions=transitions)
    await client.get(kind.list_path, f"uuids[]={uuid}")
    await client.get(kind.list_path, f"uuids[]={kind.past(1)}")
    states = [await state_of(client, uuid, kind) for _ in range(6)]
    assert states == ["PROCESSING", "PROCESSING", "REJECTED", "REJECTED", "REJECTED", "FAILED"]


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        (WITHDRAWALS, ["WAITING", "PROCESSING", "PROCESSING", "DONE", "DONE"]),
        (DEPOSITS, ["PROCESSING", "ACCEPTED"]),
    ],
    ids=str,
)
async def test_transitions_after_reads_have_the_usual_states(
    client: SignedClient, sandbox: Sandbox, kind: TransferKind, states: list[str]
) -> None:
    uuid = kind.create(sandbox, transitions=Transitions.after_reads(2))
    await client.get(kind.list_path, f"uuids[]={uuid}")
    assert [await state_of(client, uuid, kind) for _ in states] == states


@pytest.mark.parametrize(
    ("kind", "first", "end", "balance"),
    [(WITHDRAWALS, "WAITING", "DONE", 9986), (DEPOSITS, "PROCESSING", "ACCEPTED", 10_013)],
    ids=str,
)
async def test_manual_transfer_changes_by_set_state_only(
    client: SignedClient,
    sandbox: Sandbox,
    clock: ManualClock,
    kind: TransferKind,
    first: str,
    end: str,
    balance: int,
) -> None:
    uuid = kind.create(sandbox, transitions=Transitions.manual())
    clock.tick(10_000)
    assert await state_of(client, uuid, kind) == first
    assert kind.control(sandbox).set_state(uuid, end) is kind.control(sandbox)[uuid]
    assert await state_of(client, uuid, kind) == end
    assert sandbox.account.balance("USDT").available == balance


@pytest.mark.parametrize(
    ("kind", "states", "entries"),
    [
        (
            WITHDRAWALS,
            ("PROCESSING", "WAITING", "ON_THE_MOON", "DONE", "PROCESSING", "DONE"),
            ["created", "settled"],
        ),
        (DEPOSITS, ("WARNING", "ACCEPTED", "PROCESSING", "ACCEPTED", "REFUNDING", "REFUNDED"), ["credited"]),
    ],
    ids=str,
)
async def test_sequence_may_have_any_states_in_any_order(
    client: SignedClient,
    sandbox: Sandbox,
    clock: ManualClock,
    kind: TransferKind,
    states: tuple[str, ...],
    entries: list[str],
) -> None:
    uuid = kind.create(sandbox, transitions=Transitions.after_seconds(1.0, states=states))
    seen: list[str] = []
    for _ in states:
        clock.tick(1)
        seen.append(await state_of(client, uuid, kind))
    assert tuple(seen) == states
    assert [entry.kind for entry in sandbox.ledger] == entries


@both_kinds
async def test_snapshot_keeps_records_unchanged(sandbox: Sandbox, kind: TransferKind) -> None:
    control = kind.control(sandbox)
    count = len(control)
    uuid = kind.create(sandbox, transitions=Transitions.manual(first="PROCESSING"))
    before = control.snapshot()[-1]
    control.set_state(uuid, "REJECTED")
    assert (before.state, control[uuid].state) == ("PROCESSING", "REJECTED")
    assert list(control)[-1] == uuid
    assert len(control) == count + 1
    assert uuid in control
    with pytest.raises(KeyError):
        control.set_state("unknown", "DONE")


async def test_transfers_of_both_kinds_change_in_one_order(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(2)
    await client.withdraw()
    for seconds in (3, 5):
        sandbox.deposits.arrive("USDT", "TRX", 1, transitions=Transitions.after_seconds(seconds))
    clock.tick(10)
    assert [entry.kind for entry in sandbox.ledger] == ["created", "credited", "settled", "credited"]
    assert [entry.kind for entry in sandbox.ledger.settled + sandbox.ledger.created] == ["settled", "created"]


@pytest.mark.parametrize(
    ("transitions", "state"), [(Transitions.manual(), "PROCESSING"), (Transitions.immediate(), "ACCEPTED")]
)
def test_transitions_without_states_apply_to_both_kinds(
    clock: ManualClock, transitions: Transitions, state: str
) -> None:
    sandbox = Sandbox("sg", clock=clock, seed=1, transitions=transitions)
    assert sandbox.withdrawals.transitions == sandbox.deposits.transitions == transitions
    assert sandbox.deposits[DEPOSITS.create(sandbox)].state == state


@pytest.mark.parametrize(
    "transitions",
    [
        Transitions.immediate("DONE"),
        Transitions.after_seconds(1, states=("FAILED",)),
        Transitions.manual(first="WAITING"),
        Transitions(sequence=(Transition("DONE"),)),
    ],
)
def test_transitions_with_states_apply_to_withdrawals_only(
    clock: ManualClock, transitions: Transitions
) -> None:
    sandbox = Sandbox("sg", clock=clock, seed=1, transitions=transitions)
    assert sandbox.withdrawals.transitions == transitions
    uuid = DEPOSITS.create(sandbox)
    clock.tick(2)
    assert sandbox.deposits[uuid].state == "PROCESSING"
    clock.tick(1)
    assert sandbox.deposits[uuid].state == "ACCEPTED"


async def test_each_kind_has_its_own_transitions(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    sandbox.deposits.transitions = Transitions.immediate()
    assert sandbox.deposits[DEPOSITS.create(sandbox)].state == "ACCEPTED"
    manual = sandbox.deposits.arrive("USDT", "TRX", 1, transitions=Transitions.manual())
    assert sandbox.deposits[manual.uuid].state == "PROCESSING"
    assert sandbox.withdrawals[await withdraw(client)].state == "WAITING"


# -- withdrawals -----------------------------------------------------------------------------------


async def test_first_state_may_be_the_last(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.manual(first="DONE")
    told = (await client.withdraw()).json()
    assert (told["state"], told["done_at"] is None, told["txid"] is None) == ("DONE", False, False)
    assert sandbox.ledger.moved("USDT") == 14


async def test_speed_shortens_the_seconds_of_each_state(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(10.0, speed=100.0)
    uuid = await withdraw(client)
    clock.tick(0.15)
    assert await state_of(client, uuid) == "PROCESSING"
    clock.tick(0.05)
    assert await state_of(client, uuid) == "DONE"


async def test_sequence_may_mix_seconds_reads_and_manual_transitions(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sequence = (
        Transition("A", seconds=1),
        Transition("B", reads=1),
        Transition("C"),
        Transition("D", seconds=0),
    )
    sandbox.withdrawals.transitions = Transitions(
        sequence=sequence, txid_at=frozenset({"A"}), cancelable=frozenset({"C"})
    )
    uuid = await withdraw(client)
    clock.tick(1)
    assert [await state_of(client, uuid) for _ in range(3)] == ["A", "B", "B"]
    assert sandbox.withdrawals[uuid].txid is not None
    assert sandbox.withdrawals.set_state(uuid, "C").is_cancelable
    clock.tick(100)
    assert await state_of(client, uuid) == "C"


async def test_transitions_are_applied_in_the_order_in_which_they_are_due(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(2.0)
    first = await withdraw(client)
    clock.tick(1)
    sandbox.withdrawals.transitions = Transitions.after_seconds(1.0, states=("DONE",))
    second, third = await withdraw(client), await withdraw(client)
    clock.tick(10)
    assert [entry.uuid for entry in sandbox.ledger.settled] == [second, third, first]
    assert [(entry.at - sandbox.now).total_seconds() for entry in sandbox.ledger.settled] == [-9, -9, -7]


async def test_cancelled_withdrawal_can_still_be_settled(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = await withdraw(client)
    await client.delete("/v1/withdraws/coin", f"uuid={uuid}")
    sandbox.withdrawals.set_state(uuid, "DONE")
    assert [entry.kind for entry in sandbox.ledger] == ["created", "released", "settled"]
    assert sandbox.account.balance("USDT").available == 9986


async def test_settled_money_is_not_returned(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = await withdraw(client)
    for state in ("DONE", "FAILED", "DONE", "CANCELLED"):
        sandbox.withdrawals.set_state(uuid, state)
    assert [entry.kind for entry in sandbox.ledger] == ["created", "settled"]
    assert sandbox.account.balance("USDT").available == 9986


def test_speed_must_be_positive() -> None:
    with pytest.raises(ValueError, match="speed"):
        Transitions(speed=0)


# -- the clock and its limits -----------------------------------------------------------------------


def test_clock_read_outside_of_the_loop_catches_up_within_it() -> None:
    loop = VirtualTimeLoop()
    sandbox = Sandbox("sg")

    async def read() -> datetime:
        return sandbox.now

    began = loop.run_until_complete(read())
    loop.run_until_complete(asyncio.sleep(30))
    assert sandbox.now == began  # it was not read within the loop since
    loop.run_until_complete(asyncio.sleep(30))
    assert loop.run_until_complete(read()) - began == timedelta(seconds=60)
    loop.close()


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, 1e12])
def test_seconds_beyond_the_calendar_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        Transitions.after_seconds(seconds)
    with pytest.raises(ValueError, match="seconds"):
        Transition("DONE", seconds=seconds)


async def test_speed_may_be_as_small_as_a_float_allows(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(1e9, speed=1e-300)
    assert (await client.withdraw()).json()["state"] == "WAITING"
