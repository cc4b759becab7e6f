"""Reconciliation of the account: what is stored, reported and reviewed, and where the marks move."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from clients import CREATE, LIST, WITHDRAWAL
from internals import reconciler_of, settler_of, snapshots_of

from upbit_async import NoLimiter, errors
from upbit_async.events import Event, UnownedWithdrawal
from upbit_async.payouts import ManualDecision, MemoryJournal, Payouts, PayoutState
from upbit_async.payouts.observation import new_rows
from upbit_async.protocol.endpoint import PAGE_SIZE
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.client import UpbitClient
    from upbit_async.payouts import AccountReconciliation
    from upbit_async.sandbox import Sandbox


SAMPLES = "00000000-0000-4000-8000-"
"""Beginning of the ids of the withdrawals that a sandbox has from the start."""


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def payouts(sandbox: Sandbox, journal: MemoryJournal, events: list[Event]) -> AsyncGenerator[Payouts]:
    client = sandbox.client().with_options(observer=events.append)
    async with Payouts(client, journal=journal, clock=lambda: sandbox.now, check=False) as made:
        yield made


@pytest.fixture
async def elsewhere(sandbox: Sandbox, journal: MemoryJournal, events: list[Event]) -> AsyncGenerator[Payouts]:
    """Payouts of another process."""
    client = sandbox.client().with_options(observer=events.append)
    async with Payouts(client, journal=journal, clock=lambda: sandbox.now, check=False) as made:
        yield made


def website(sandbox: Sandbox, amount: str = "13", currency: str = "USDT", net_type: str = "TRX") -> str:
    """Return the id of a withdrawal that was made on the website."""
    address = WITHDRAWAL["address"]
    if currency != "USDT":
        address = "rFakeXrpWithdrawAddressFakeFakeFak"
        sandbox.account.fund(currency, 100)
        sandbox.account.allow_address(currency, net_type, address)
    return sandbox.withdrawals.create_on_website(currency, net_type, amount, address=address).uuid


async def run_pass(payouts: Payouts, currency: str | None = None) -> AccountReconciliation:
    return await reconciler_of(payouts).run_pass(currency)


def reported(events: list[Event]) -> list[str]:
    """Return the ids of the withdrawals that were reported as unowned, without the sandbox's samples."""
    found = [event.uuid for event in events if isinstance(event, UnownedWithdrawal)]
    return [uuid for uuid in found if not uuid.startswith(SAMPLES)]


def unowned(found: AccountReconciliation) -> set[str]:
    """Return the ids of the unowned withdrawals, without the sandbox's samples."""
    return {row.uuid for row in found.unowned if not row.uuid.startswith(SAMPLES)}


async def unsent(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], state: PayoutState) -> None:
    """Lose a request, so that its payout is not sent, queued again or abandoned."""
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    if state is PayoutState.QUEUED:
        await payouts.retry("k")
    if state is PayoutState.ABANDONED:
        await payouts.abandon("k", force=True)


# -- unowned withdrawals ---------------------------------------------------------------------------


async def test_unowned_withdrawal_is_reported_once_after_the_settling_time(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any], events: list[Event]
) -> None:
    await payouts.send("k", **tron)
    theirs = [website(sandbox, "20"), website(sandbox, "5", "XRP", "XRP")]
    found = await run_pass(payouts)
    assert unowned(found) == set(theirs)
    assert (found.reviews, found.is_complete, found.problem) == ((), True, "")
    assert reported(events) == []
    await anyio.sleep(31)
    for process in (payouts, elsewhere, payouts):
        assert unowned(await run_pass(process)) == set(theirs)
    assert sorted(reported(events)) == sorted(theirs)


async def test_acknowledged_withdrawal_is_not_reported(
    payouts: Payouts, sandbox: Sandbox, events: list[Event]
) -> None:
    theirs = website(sandbox)
    await run_pass(payouts)
    await payouts.acknowledge(theirs)
    await anyio.sleep(31)
    assert unowned(await run_pass(payouts)) == set()
    assert reported(events) == []


async def test_withdrawal_of_an_open_payout_is_not_unowned(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], events: list[Event]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("lost", **tron, until="accepted")
    for _ in range(3):
        assert unowned(await run_pass(payouts)) == set()
        await anyio.sleep(9)
    assert (await payouts.wait("lost")).state is PayoutState.DONE
    assert unowned(await run_pass(payouts)) == set()
    assert reported(events) == []


async def test_one_currency_is_reconciled_alone(payouts: Payouts, sandbox: Sandbox) -> None:
    theirs = website(sandbox)
    website(sandbox, "5", "XRP", "XRP")
    found = await run_pass(payouts, "USDT")
    assert [row.uuid for row in found.unowned] == [theirs]
    assert found.is_complete


# -- the marks -------------------------------------------------------------------------------------


async def test_pass_reads_one_list_and_moves_all_marks(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal
) -> None:
    coins, ripples = website(sandbox), website(sandbox, "5", "XRP", "XRP")
    await anyio.sleep(100)
    website(sandbox, "20")
    await run_pass(payouts)
    assert [await journal.mark(each) for each in ("", "USDT", "XRP")] == [ripples, coins, ripples]
    health = await journal.health()
    assert health.reconciled_at is not None
    await anyio.sleep(100)
    last = website(sandbox, "21")
    await anyio.sleep(100)
    before = len(sandbox.requests)
    website(sandbox, "6", "XRP", "XRP")
    await run_pass(payouts)
    assert len(sandbox.requests) - before == 1
    assert [await journal.mark(each) for each in ("", "USDT", "XRP")] == [last, last, ripples]


@pytest.mark.parametrize("what", ["unreadable", "out of order", "without a time"])
async def test_list_that_may_hide_something_moves_no_mark(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, client: UpbitClient, what: str
) -> None:
    first = website(sandbox)
    await anyio.sleep(100)
    website(sandbox, "20")
    await run_pass(payouts)
    await anyio.sleep(100)
    rows: Any = await client.request(*LIST)
    odd = dict(rows[0], uuid="0dd")
    match what:
        case "unreadable":
            odd["amount"] = "a lot"
        case "out of order":
            odd["created_at"] = "2099-01-01T00:00:00"
        case _:
            odd["created_at"] = "yesterday"
    newest = dict(rows[0], uuid="new", created_at=sandbox.now.replace(tzinfo=None).isoformat())
    sandbox.faults.add(Fault.garbage(*LIST, body=json.dumps([newest, odd, *rows]).encode(), times=None))
    before = await journal.health()
    found = await run_pass(payouts)
    assert (found.is_complete, bool(found.problem)) == (False, True)
    assert [await journal.mark(each) for each in ("", "USDT")] == [first, first]
    assert (await journal.health()).reconciled_at == before.reconciled_at
    assert "new" in {row.uuid for row in found.unowned}


async def test_mark_stops_at_a_withdrawal_an_open_payout_may_own(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    first = website(sandbox, "20")
    await anyio.sleep(100)
    sandbox.faults.add(attrs.evolve(Fault.lose_answer(*CREATE)))
    await payouts.send("lost", **tron, until="accepted")
    await anyio.sleep(100)
    website(sandbox, "5", "XRP", "XRP")
    await run_pass(payouts)
    assert [await journal.mark(each) for each in ("", "USDT")] == [first, first]


# -- payouts that were considered unsent -----------------------------------------------------------


@pytest.mark.parametrize("state", [PayoutState.NOT_SENT, PayoutState.QUEUED, PayoutState.ABANDONED])
async def test_late_withdrawal_is_found_for_an_unsent_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], state: PayoutState
) -> None:
    await unsent(payouts, sandbox, tron, state)
    await anyio.sleep(3600)
    late = website(sandbox)
    found = await run_pass(payouts)
    payout = await payouts.get("k")
    assert payout is not None
    expected = state if state is PayoutState.ABANDONED else PayoutState.NEEDS_REVIEW
    assert (payout.state, payout.candidates, payout.is_open) == (expected, (late,), True)
    assert found.reviews == ("k",)
    assert not payout.holds_up_equals
    history, before = payout.history, 0
    for _ in range(3):
        await anyio.sleep(60)
        before = len(sandbox.requests)
        assert (await run_pass(payouts)).reviews == ("k",)
    assert len(sandbox.requests) - before == 1  # it is not judged again, since nothing has changed
    after = await payouts.get("k")
    assert after is not None
    assert after.history == history
    equal = await payouts.send("equal", **tron)
    assert equal.state is PayoutState.DONE


async def test_other_withdrawal_leaves_an_unsent_payout_alone(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await unsent(payouts, sandbox, tron, PayoutState.NOT_SENT)
    website(sandbox, "500")
    assert (await run_pass(payouts)).reviews == ()
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.NOT_SENT


async def test_copy_of_last_week_claims_nothing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await unsent(payouts, sandbox, tron, PayoutState.NOT_SENT)
    await run_pass(payouts)
    await anyio.sleep(7 * 24 * 3600 + 60)
    website(sandbox)
    await run_pass(payouts)
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.NOT_SENT


# -- reviews ---------------------------------------------------------------------------------------


async def test_review_is_judged_again_only_when_something_has_changed(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    theirs = website(sandbox)
    assert (await payouts.wait("k")).state is PayoutState.NEEDS_REVIEW
    await anyio.sleep(100)
    for _ in range(3):
        before = len(sandbox.requests)
        assert (await run_pass(payouts)).reviews == ("k",)
        assert len(sandbox.requests) - before == 1
    now = sandbox.now
    await journal.acknowledge(theirs, "USDT", ManualDecision(), now)  # as another process does
    assert (await run_pass(payouts)).reviews == ()
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, payout.uuid) == (PayoutState.DONE, sandbox.ledger.created[0].uuid)


async def test_passes_at_the_same_time_share_a_list(payouts: Payouts, sandbox: Sandbox) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(run_pass, payouts)
    assert len(sandbox.requests.of(*LIST)) <= 3


# -- withdrawals behind the mark -------------------------------------------------------------------


async def test_withdrawal_given_up_behind_the_mark_is_unowned_again(
    payouts: Payouts, sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    """As after a wrong match: no list shows it again, so the journal keeps its record."""
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    matched = await payouts.send("matched", **tron)
    assert matched.state is PayoutState.DONE
    await anyio.sleep(100)
    own = website(sandbox)  # made on the website for the same invoice
    await anyio.sleep(100)
    website(sandbox, "20")
    await run_pass(payouts)
    assert await journal.mark("USDT") == own
    await payouts.resolve("matched", uuid=own, note="the other one is another payment")
    before = len(sandbox.requests)
    assert matched.uuid in {row.uuid for row in (await run_pass(payouts)).unowned}
    assert len(sandbox.requests) - before == 1
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("equal", **tron)
    assert caught.value.uuids == (matched.uuid,)


async def test_cost_of_settling_does_not_grow_with_the_age_of_the_doubt(
    sandbox: Sandbox, journal: MemoryJournal, tron: dict[str, Any]
) -> None:
    sandbox.knobs.limit = 1000
    old = [website(sandbox, "700") for _ in range(PAGE_SIZE + 10)]
    await anyio.sleep(100)
    client = sandbox.client(limiter=NoLimiter())
    async with Payouts(client, journal=journal, clock=lambda: sandbox.now, check=False) as payouts:
        sandbox.faults.add(Fault.reset_before(*CREATE))
        assert (await payouts.send("lost", **tron, until="accepted")).state is PayoutState.UNKNOWN
        async with anyio.create_task_group() as tasks:
            for number in range(PAGE_SIZE + 40):
                amount = dict(tron, amount=str(1000 + number))
                tasks.start_soon(partial(payouts.send, f"k{number}", **amount, until="accepted"))
        await anyio.sleep(20)
        website(sandbox, "700")  # it comes after the settling time, so the mark can move
        sandbox.withdrawals.create_on_website("USDT", "TRX", "701", address=tron["address"])
        await anyio.sleep(100)
        newest = await payouts.send("newest", **dict(tron, amount="999"))
        for uuid in {row.uuid for row in await journal.unowned() if row.uuid not in old}:
            await payouts.acknowledge(uuid)
        await run_pass(payouts, "USDT")
        snapshot = await snapshots_of(payouts).read("USDT")
        lost = await payouts.get("lost")
        assert lost is not None
        assert new_rows(lost, snapshot).is_partial
        assert [row.uuid for row in snapshot.recent] == [newest.uuid]
        before = len(sandbox.requests)
        assert (await settler_of(payouts).settle("lost")).state is PayoutState.NOT_SENT
        pages = 1 + len(sandbox.ledger.created) // PAGE_SIZE + 2
        assert len(sandbox.requests) - before <= pages
