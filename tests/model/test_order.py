"""The explorer runs the library's code: the same calls to the journal, in the same order, as with a real exchange."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import anyio
import attrs
import pytest
from clients import CREATE
from explorer.ages import NOW, aged
from explorer.exchange import Exchange, Request
from explorer.journal_state import JournalState, execute
from explorer.replay import NO_REPLY, Call, Raised, next_call
from explorer.service import EPOCH, Process, ServiceOptions, replaced
from explorer.values import rewritten
from internals import driver_of, settler_of

from upbit_async.errors import OutcomeUnknown
from upbit_async.models import Intent
from upbit_async.payouts import MemoryJournal, Payout, Payouts
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

MEMBERS: dict[str, Any] = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}
OTHER_MEMBERS: dict[str, Any] = {**MEMBERS, "amount": "20"}
NOT_EXPLORED = {"aclose", "bind", "unreported"}
"""Calls that the explorer leaves out, because they change no payout."""

SCENARIOS: dict[str, list[tuple[str, str]]] = {
    "answered": [("drive", "answered")],
    "lost, and found in the list": [("drive", "lost"), ("settle", "")],
    "lost, and sent again": [("drive", "dropped"), ("settle", ""), ("retry", ""), ("drive", "answered")],
    "lost twice": [("drive", "dropped"), ("settle", ""), ("retry", ""), ("drive", "lost"), ("settle", "")],
    "lost, and waits for another": [
        ("drive", "dropped"),
        ("enqueue b 20", ""),
        ("drive b", "lost"),
        ("settle", ""),
    ],
    "abandoned, and compared": [("drive", "dropped"), ("settle", ""), ("abandon", ""), ("compare", "")],
    "resolved, and sent with a new nonce": [
        ("drive", "dropped"),
        ("settle", ""),
        ("resolve_as_not_sent", ""),
        ("retry_with_new_nonce", ""),
        ("drive", "answered"),
    ],
}
"""Operations, and what happens to the request of each. They are about payout ``a``, unless they name another."""


def shown(name: str, arguments: Sequence[Any]) -> str:
    """Return a call as text: its name, and of a write the states before and after."""
    if name != "compare_and_swap":
        return name
    old, new = arguments[:2]
    return f"{old.state} -> {new.state}"


# -- the explorer ------------------------------------------------------------------------------------


@attrs.define
class Model:
    """The explorer's journal and exchange, for one operation at a time without others beside it."""

    journal: JournalState = attrs.field(factory=JournalState)
    exchange: Exchange = attrs.field(factory=Exchange)
    key: str = ""
    fate: str = ""
    calls: list[str] = attrs.field(factory=list[str])

    def run(self, operation: str, fate: str, number: int) -> None:
        self.fate = fate
        options = ServiceOptions("A", nonce=f"n{number}")
        name, key, *rest = (*operation.split(), "a") if " " not in operation else operation.split()
        self.key = key
        next_call(lambda: Process(options).start(name, key, *rest), (), self.respond)

    def respond(self, call: Call) -> Any:
        match call.name:
            case "now":
                self.calls.append("now")
                return NOW
            case "list":
                return tuple(self.exchange.listed(call.arguments[1]))
            case "first_byte":
                nonce, members = call.arguments
                request = Request(self.key, nonce, dict(members)["amount"], "A")
                self.exchange = self.exchange.sent(request)
                if self.fate != "dropped":
                    self.exchange = self.exchange.executed(request)
                return True
            case "answer":
                return self.answer()
            case _:
                self.calls.append(shown(call.name, call.arguments))
                outcome = execute(self.journal, call.name, call.arguments)
                self.journal = outcome.state
                return Raised(outcome.error) if outcome.error is not None else outcome.result

    def answer(self) -> Any:
        if self.fate == "answered":
            return self.exchange.shown(self.exchange.withdrawals[-1].uuid) or NO_REPLY
        intent = Intent(endpoint="", host="", members={}, started_at=EPOCH)
        return Raised(OutcomeUnknown("lost", intent=intent))

    def later(self) -> None:
        for _ in range(2):
            self.journal = rewritten(self.journal, aged)
            self.exchange = self.exchange.later(lists_all=True, drops_late=True)


def explored(scenario: Sequence[tuple[str, str]]) -> list[str]:
    model = Model()
    with replaced():
        for number, (operation, fate) in enumerate([("enqueue a 13", ""), *scenario]):
            model.run(operation, fate, number)
            model.later()
    return model.calls


# -- the library -------------------------------------------------------------------------------------


class RecordingJournal:
    """A journal in memory that records the calls to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._journal = MemoryJournal()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def method(*args: Any, **kwargs: Any) -> Any:
            if name not in NOT_EXPLORED:
                self.calls.append(shown(name, args))
            return await getattr(self._journal, name)(*args, **kwargs)

        return method


FAULTS = {"lost": [Fault.lose_answer(*CREATE)], "dropped": [Fault.reset_before(*CREATE)]}


async def carried_out(sandbox: Sandbox, scenario: Sequence[tuple[str, str]]) -> list[str]:
    journal = RecordingJournal()
    async with Payouts(sandbox.client(), cast("Any", journal), check=False) as payouts:
        operations: dict[str, Callable[[], Any]] = {
            "drive": lambda: driver_of(payouts).drive("a", waits=False),
            "drive b": lambda: driver_of(payouts).drive("b", waits=False),
            "enqueue b 20": lambda: payouts.enqueue("b", **OTHER_MEMBERS),
            "settle": lambda: settler_of(payouts).settle("a"),
            "compare": lambda: compare(payouts),
            "retry": lambda: payouts.retry("a"),
            "retry_with_new_nonce": lambda: payouts.retry("a", new_nonce=True),
            "resolve_as_not_sent": lambda: payouts.resolve("a", not_sent=True),
            "abandon": lambda: payouts.abandon("a", force=True),
        }
        await payouts.enqueue("a", **MEMBERS)
        for operation, fate in scenario:
            sandbox.faults.add(*FAULTS.get(fate, []))
            await operations[operation]()
            await anyio.sleep(200)
    return without_repeated_check(journal.calls)


def without_repeated_check(calls: list[str]) -> list[str]:
    """Return calls without the second of two checks after a departure, which injected HTTP clients make."""
    check = ["get", "now"]
    departures = (number for number, each in enumerate(calls) if each.endswith("-> sending"))
    repeated = {number + 3 for number in departures if calls[number + 1 : number + 5] == [*check, *check]}
    return [each for number, each in enumerate(calls) if not {number, number - 1} & repeated]


async def compare(payouts: Payouts) -> Payout:
    return await settler_of(payouts).read_again(await settler_of(payouts).expire("a"), -math.inf)


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.manual()) as made:
        yield made


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_explorer_makes_the_calls_of_the_library(name: str, sandbox: Sandbox) -> None:
    assert explored(SCENARIOS[name]) == await carried_out(sandbox, SCENARIOS[name])
