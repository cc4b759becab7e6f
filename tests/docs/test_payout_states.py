"""The reference of payout states agrees with the code: each state, what it can't become, and what one can do in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from upbit_async import errors
from upbit_async.payouts import MemoryJournal, Payouts, PayoutState, preflight
from upbit_async.payouts.states import EDGES
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "payout-states.md"
POST = ("POST", "/v1/withdraws/coin")
TRON: dict[str, Any] = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}
DECISIONS = ("retry", "resolve", "abandon")


def rows() -> dict[str, list[str]]:
    """Return the table of states: what each means, what one can do, and what it can never do."""
    section = PAGE.read_text(encoding="utf-8").split("\n## What each state means\n")[1].split("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {state.strip("`"): others for state, *others in cells}


ROWS = rows()


def test_the_table_has_every_state_in_order() -> None:
    assert [*ROWS] == [state.value for state in PayoutState]
    assert {len(cells) for cells in ROWS.values()} == {3}


@pytest.mark.parametrize("state", PayoutState)
def test_what_a_state_can_never_become_agrees_with_the_edges(state: PayoutState) -> None:
    never = ROWS[state][2]
    assert never.startswith("be sent") == (PayoutState.SENDING not in EDGES[state])
    named = {name for part in re.findall(r"become ([^;]*)", never) for name in re.findall(r"`(\w+)`", part)}
    reached_by_sending = {"sending"} if "before it was `sending`" in never else set[str]()
    assert named - reached_by_sending
    assert not (named - reached_by_sending) & EDGES[state]


def test_the_states_that_lead_to_a_copy_are_named() -> None:
    (named,) = re.findall(r"Only (.*) lead to `sending`", PAGE.read_text(encoding="utf-8"))
    assert set(re.findall(r"`(\w+)`", named)) == {
        state.value for state in PayoutState if PayoutState.SENDING in EDGES[state]
    }


def test_the_final_states_are_named() -> None:
    (named,) = re.findall(r"`is_final` is true of (.*?)\.", PAGE.read_text(encoding="utf-8"))
    assert set(re.findall(r"`(\w+)`", named)) == {state.value for state in PayoutState if state.is_final}


def test_the_codes_of_checks_are_the_ones_that_run_distinguishes() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    named = {
        row: set(re.findall(r"`(\w+)`", line))
        for row in ("may pass", "last")
        for line in lines
        if line.startswith(f"| {row} |")
    }
    assert named == {"may pass": preflight.PASSING, "last": preflight.LASTING}


# -- what one can do ---------------------------------------------------------------------------------


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.manual()) as made:
        yield made


class StateMaker:
    """Brings a payout into a state.

    Args:
        sandbox: The exchange.
        payouts: The payouts.
    """

    def __init__(self, sandbox: Sandbox, payouts: Payouts) -> None:
        self._sandbox = sandbox
        self._payouts = payouts

    async def make(self, state: PayoutState) -> None:
        """Bring the payout ``k`` into a state, from nothing."""
        if state in _ENDS:
            payout = await self._send()
            self._sandbox.withdrawals.set_state(payout.uuid, _ENDS[state])
            await self._payouts.wait("k")
        else:
            await _WAYS[state](self)
        payout = await self._payouts.get("k")
        assert payout is not None
        assert payout.state is state

    async def planned(self) -> None:
        self._sandbox.faults.add(Fault.status(418, *POST))
        with pytest.raises(errors.Banned):
            await self._send()

    async def queued(self) -> None:
        await self._payouts.enqueue("k", **TRON)

    async def accepted(self) -> None:
        await self._send()

    async def declined(self) -> None:
        await self._send(Fault.status(400, *POST, name="withdraw_address_not_registered"))

    async def unknown(self) -> None:
        await self._send(Fault.lose_answer(*POST))

    async def not_sent(self) -> None:
        await self._send(Fault.reset_before(*POST))
        await self._payouts.wait("k")

    async def needs_review(self) -> None:
        await self._send(Fault.lose_answer(*POST))
        self._sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=TRON["address"])
        await self._payouts.wait("k")

    async def abandoned(self) -> None:
        await self.not_sent()
        await self._payouts.abandon("k", force=True)

    async def _send(self, *faults: Fault) -> Any:
        self._sandbox.faults.add(*faults)
        return await self._payouts.send("k", **TRON, until="accepted")


_ENDS = {
    PayoutState.DONE: "DONE",
    PayoutState.FAILED: "FAILED",
    PayoutState.CANCELLED: "CANCELLED",
    PayoutState.REJECTED: "REJECTED",
}
_WAYS: Mapping[PayoutState, Callable[[StateMaker], Awaitable[None]]] = {
    PayoutState.PLANNED: StateMaker.planned,
    PayoutState.QUEUED: StateMaker.queued,
    PayoutState.ACCEPTED: StateMaker.accepted,
    PayoutState.DECLINED: StateMaker.declined,
    PayoutState.UNKNOWN: StateMaker.unknown,
    PayoutState.NOT_SENT: StateMaker.not_sent,
    PayoutState.NEEDS_REVIEW: StateMaker.needs_review,
    PayoutState.ABANDONED: StateMaker.abandoned,
}


async def is_possible(payouts: Payouts, decision: str) -> bool:
    try:
        match decision:
            case "retry":
                await payouts.retry("k")
            case "resolve":
                await payouts.resolve("k", not_sent=True)
            case _:
                before = await payouts.get("k")
                after = await payouts.abandon("k", force=True)
                return before != after  # an abandoned payout stays as it is
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("state", [state for state in PayoutState if state is not PayoutState.SENDING])
async def test_the_decisions_that_a_row_names_are_the_possible_ones(
    state: PayoutState, decision: str, sandbox: Sandbox
) -> None:
    async with Payouts(sandbox.client(), MemoryJournal()) as payouts:
        await StateMaker(sandbox, payouts).make(state)
        assert await is_possible(payouts, decision) == (f"`{decision}`" in ROWS[state][1])


@pytest.mark.parametrize("decision", DECISIONS)
async def test_no_decision_is_possible_while_a_request_is_on_the_wire(
    decision: str, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault.slow(5, *POST))
    async with Payouts(sandbox.client(), MemoryJournal()) as payouts, anyio.create_task_group() as tasks:
        tasks.start_soon(StateMaker(sandbox, payouts).make, PayoutState.ACCEPTED)
        await anyio.sleep(1)
        payout = await payouts.get("k")
        assert payout is not None
        assert payout.state is PayoutState.SENDING
        assert not await is_possible(payouts, decision)
        assert f"`{decision}`" not in ROWS[PayoutState.SENDING][1]
