"""The table of what `send`, `enqueue` and `run` do in each case is true: each of its rows is made to happen."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from upbit_async import UpbitClient
from upbit_async.errors import UpbitError
from upbit_async.payouts import AmountLimit, MemoryJournal, Payouts, PayoutState, SqliteJournal
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.payouts import Payout

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "payout-states.md"
POST = ("POST", "/v1/withdraws/coin")
TRON: dict[str, Any] = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}


def rows() -> dict[str, tuple[str, str, str]]:
    """Return the table: what `send`, `enqueue` and `run` do, by what happens."""
    section = PAGE.read_text(encoding="utf-8").split("\n## What each method raises\n")[1].split("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {happens: (send, enqueue, run) for happens, send, enqueue, run in cells[1:]}


ROWS = rows()


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.immediate()) as made:
        yield made


async def nothing(_sandbox: Sandbox, _payouts: Payouts) -> None:
    pass


def fault(*faults: Fault) -> Callable[[Sandbox, Payouts], Awaitable[None]]:
    async def arm(sandbox: Sandbox, _payouts: Payouts) -> None:
        sandbox.faults.add(*faults)

    return arm


async def another_payment(_sandbox: Sandbox, payouts: Payouts) -> None:
    another: dict[str, Any] = {**TRON, "amount": "14"}
    await payouts.enqueue("k", **another)


async def much_sent(_sandbox: Sandbox, payouts: Payouts) -> None:
    earlier: dict[str, Any] = {**TRON, "amount": "14"}
    assert (await payouts.send("earlier", **earlier)).state is PayoutState.DONE


async def pause(_sandbox: Sandbox, payouts: Payouts) -> None:
    await payouts.pause()


async def a_review(sandbox: Sandbox, payouts: Payouts) -> None:
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("equal", **TRON, until="accepted")
    await an_unowned_withdrawal(sandbox, payouts)
    assert (await payouts.wait("equal")).state is PayoutState.NEEDS_REVIEW


async def an_unowned_withdrawal(sandbox: Sandbox, _payouts: Payouts) -> None:
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=TRON["address"])


@attrs.frozen(kw_only=True)
class Case:
    """A case in which the table says what happens.

    Attributes:
        row: What happens, as the table names it.
        arrange: Makes it happen.
        options: Options of the payouts.
        arguments: Arguments of the call that differ from the usual ones.
        state: State of an enqueued payout after `run_once`; None if it can't be enqueued.
    """

    row: str
    arrange: Callable[[Sandbox, Payouts], Awaitable[None]] = nothing
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    arguments: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    state: PayoutState | None = None


_HELD_UP = "no connection, a throttled or banned key, Upbit in maintenance"
_BLOCKED = "an equal payout needs review, or an equal withdrawal belongs to no payout"
_CHECK = "a check fails"
CASES = {
    "another payment": Case(row="the key belongs to another payment", arrange=another_payment),
    "a wrong amount": Case(
        row="an argument is wrong, such as an amount that is not positive", arguments={"amount": "-1"}
    ),
    "a wrong type": Case(
        row="an argument is wrong, such as an amount that is not positive", arguments={"amount": 0.5}
    ),
    "limit per payout": Case(
        row="the amount exceeds the limit per payout",
        options={"amount_limits": [AmountLimit("USDT", per_payout="12")]},
    ),
    "limit per day": Case(
        row="the sum would exceed the limit per day",
        arrange=much_sent,
        options={"amount_limits": [AmountLimit("USDT", per_day="26")]},
        state=PayoutState.QUEUED,
    ),
    "paused": Case(row="payouts are paused", arrange=pause, state=PayoutState.QUEUED),
    "below the minimum": Case(row=_CHECK, arguments={"amount": "0.1"}, state=PayoutState.DECLINED),
    "balance": Case(row=_CHECK, arguments={"amount": "50000"}, state=PayoutState.QUEUED),
    "review": Case(row=_BLOCKED, arrange=a_review, state=PayoutState.QUEUED),
    "unowned": Case(row=_BLOCKED, arrange=an_unowned_withdrawal, state=PayoutState.QUEUED),
    "no connection": Case(
        row=_HELD_UP,
        arrange=fault(Fault.reset_before("GET", "/v1/withdraws", times=None)),
        state=PayoutState.QUEUED,
    ),
    "throttled": Case(
        row=_HELD_UP, arrange=fault(Fault.status(429, *POST, times=None)), state=PayoutState.QUEUED
    ),
    "banned": Case(
        row=_HELD_UP, arrange=fault(Fault.status(418, *POST, times=None)), state=PayoutState.QUEUED
    ),
    "maintenance": Case(
        row=_HELD_UP,
        arrange=fault(Fault.status(503, "GET", "/v1/withdraws", times=None)),
        state=PayoutState.QUEUED,
    ),
    "refused": Case(
        row="Upbit refuses the request",
        arrange=fault(Fault.status(400, *POST, name="withdraw_address_not_registered")),
        state=PayoutState.DECLINED,
    ),
    "lost": Case(row="the answer is lost", arrange=fault(Fault.lose_answer(*POST)), state=PayoutState.DONE),
}
_ELSEWHERE = {
    "the journal can't be used": "test_a_journal_that_cannot_be_used_is_reported_by_every_method",
    "there are no keys to sign with, or for the journal's rows": "test_missing_keys_are_reported",
    "`timeout` is over and nothing was sent": "test_a_timeout_before_the_departure_is_not_sent",
}
"""Rows whose cases have tests of their own."""


def test_each_row_has_a_case() -> None:
    assert {*ROWS} == {case.row for case in CASES.values()} | {*_ELSEWHERE}
    assert all(name in globals() for name in _ELSEWHERE.values())


async def outcome_of(call: Awaitable[Payout]) -> str:
    """Return the name of the error that a call raises, or the state that it returns."""
    try:
        return (await call).state.value
    except (UpbitError, TypeError, ValueError) as error:
        return type(error).__name__


def agrees(cell: str, outcome: str) -> bool:
    """Return whether a cell names an outcome; a cell without a name says that the payout is returned."""
    return outcome in re.findall(r"`(\w+)`", cell) or (
        "returned" in cell and outcome in {state.value for state in PayoutState}
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_send_does_what_the_table_says(case: Case, sandbox: Sandbox) -> None:
    async with Payouts(sandbox.client(), MemoryJournal(), **case.options) as payouts:
        await case.arrange(sandbox, payouts)
        outcome = await outcome_of(payouts.send("k", **{**TRON, **case.arguments}))
    assert agrees(ROWS[case.row][0], outcome), outcome


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_enqueue_and_run_do_what_the_table_says(case: Case, sandbox: Sandbox) -> None:
    _, enqueue, run = ROWS[case.row]
    async with Payouts(sandbox.client(), MemoryJournal(), **case.options) as payouts:
        await case.arrange(sandbox, payouts)
        outcome = await outcome_of(payouts.enqueue("k", **{**TRON, **case.arguments}))
        if case.state is None:
            assert agrees(ROWS[case.row][0] if enqueue == "the same" else enqueue, outcome), outcome
            return
        assert (enqueue, outcome) == ("–", "queued")
        with anyio.move_on_after(120):
            await payouts.run()
        payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is case.state
    assert agrees(run, case.state) or "then settled" in run
    if case.state is PayoutState.QUEUED:
        assert payout.error is not None


async def test_a_journal_that_cannot_be_used_is_reported_by_every_method(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    send, enqueue, run = ROWS["the journal can't be used"]
    payouts = Payouts(sandbox.client(), SqliteJournal(tmp_path))  # a folder
    assert agrees(send, await outcome_of(payouts.send("k", **TRON)))
    assert agrees(enqueue, await outcome_of(payouts.enqueue("k", **TRON)))
    with pytest.raises(UpbitError) as caught:
        await payouts.run()
    assert agrees(run, type(caught.value).__name__)


async def test_missing_keys_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"UPBIT_SG_{name}", raising=False)
        monkeypatch.delenv(f"UPBIT_{name}", raising=False)
    send, enqueue, run = ROWS["there are no keys to sign with, or for the journal's rows"]
    async with UpbitClient("sg") as client, Payouts(client, MemoryJournal()) as payouts:
        assert agrees(send, await outcome_of(payouts.send("k", **TRON)))
        assert agrees(enqueue, await outcome_of(payouts.enqueue("k", **TRON)))
        with pytest.raises(UpbitError) as caught, anyio.fail_after(60):
            await payouts.run()
        assert agrees(run, type(caught.value).__name__)


async def test_a_timeout_before_the_departure_is_not_sent(sandbox: Sandbox) -> None:
    send, enqueue, run = ROWS["`timeout` is over and nothing was sent"]
    assert (enqueue, run) == ("–", "–")
    sandbox.faults.add(Fault.slow(5, "GET", "/v1/withdraws"))
    async with Payouts(sandbox.client(), MemoryJournal()) as payouts:
        assert agrees(send, await outcome_of(payouts.send("k", **TRON, timeout=2)))
