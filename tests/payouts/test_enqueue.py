"""`Payouts.enqueue`: one durable write, and the same payout for every further call."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST
from journals import InlineJournal

from upbit_async import UpbitClient, errors
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from upbit_async.payouts import PayoutChange
    from upbit_async.sandbox import Sandbox

KEY = b"a key of sixteen bytes"


async def test_enqueue_writes_the_payout_and_makes_no_request(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    payout = await payouts.enqueue("k", **tron)
    assert (payout.state, payout.revision, payout.error) == (PayoutState.QUEUED, 0, None)
    assert payout.reason == "enqueued; run sends it"
    assert await elsewhere.get("k") == payout
    assert len(sandbox.requests) == 0


async def test_repeated_enqueue_returns_the_payout_as_it_is(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    first = await payouts.enqueue("k", **tron)
    assert await elsewhere.enqueue("k", **dict(tron, amount="13.00")) == first
    (done,) = await payouts.run_once()
    assert await elsewhere.enqueue("k", **tron) == done
    assert len(sandbox.ledger.created) == 1


async def test_concurrent_calls_with_one_key_are_one_payout(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with anyio.create_task_group() as tasks:
        for each in (payouts, elsewhere) * 10:
            tasks.start_soon(functools.partial(each.enqueue, "k", **tron))
    await payouts.run_once()
    assert len(sandbox.ledger.created) == 1


async def test_other_parameters_under_a_used_key_are_refused(payouts: Payouts, tron: dict[str, Any]) -> None:
    first = await payouts.enqueue("k", **tron)
    with pytest.raises(errors.PayoutConflict, match="differs in amount"):
        await payouts.enqueue("k", **dict(tron, amount=14))
    with pytest.raises(errors.PayoutConflict):
        await payouts.send("k", **dict(tron, amount=14))
    assert await payouts.get("k") == first


async def test_enqueue_promotes_a_planned_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(429, *CREATE, times=None))
    with pytest.raises(errors.RateLimited):
        await payouts.send("k", **tron)
    sandbox.faults.clear()
    (planned,) = await payouts.run_once()
    assert planned.state is PayoutState.PLANNED
    assert isinstance(planned.error, errors.RateLimited)
    queued = await payouts.enqueue("k", **tron)
    assert (queued.state, queued.error) == (PayoutState.QUEUED, None)
    (done,) = await payouts.run_once()
    assert done.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_enqueue_promotes_a_payout_whose_copy_is_held_back_afterwards(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *CREATE), Fault.status(429, *CREATE, times=None))

    async def send() -> None:
        await payouts.send("k", **tron)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await anyio.sleep(1)
        sending = await elsewhere.enqueue("k", **tron)
        assert sending.state is PayoutState.SENDING
    known = await elsewhere.get("k")
    assert known is not None
    assert known.state is not PayoutState.PLANNED
    sandbox.faults.clear()
    await elsewhere.run_once()
    assert len(sandbox.ledger.created) == 1


async def test_promoted_payout_takes_the_not_after_of_enqueue(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(429, *CREATE, times=None))
    with pytest.raises(errors.RateLimited):
        await payouts.send("k", **tron)
    latest = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    assert (await payouts.enqueue("k", **tron, not_after=latest)).not_after == latest


async def test_throttled_payout_returns_to_queued_with_its_reason(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(429, *CREATE, times=None))
    await payouts.enqueue("k", **tron)
    (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.QUEUED
    assert isinstance(payout.error, errors.RateLimited)
    assert payout.reason == f"{payout.error}; run tries it again by itself"
    sandbox.faults.clear()
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_send_returns_a_queued_payout_that_could_not_be_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await payouts.enqueue("k", **tron)
    sandbox.faults.add(Fault.status(503, *LIST, times=None))
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.QUEUED
    assert isinstance(payout.error, errors.ServerError)


async def test_send_that_fails_before_its_departure_leaves_nothing(
    client: UpbitClient, path: Path, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with Payouts(client, InlineJournal(path)) as payouts:
        with pytest.raises(errors.PreflightFailed):
            await payouts.send("typo", **dict(tron, address="TAnotherAddressThatIsNotRegistered"))
        sandbox.faults.add(Fault.status(503, *LIST, times=None))
        with pytest.raises(errors.ServerError):
            await payouts.send("k", **tron)
        assert await payouts.list() == []
        assert [change async for change in _first(payouts)] == []
    assert sandbox.requests.of(*CREATE) == ()


async def _first(payouts: Payouts) -> AsyncGenerator[PayoutChange]:
    with anyio.move_on_after(5):
        async for change in payouts.changes(after=0):
            yield change


async def test_send_timeout_before_the_departure_says_to_repeat_the_key(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(20, *LIST))
    began = anyio.current_time()
    with pytest.raises(errors.NotSent, match="again with the key 'k'") as caught:
        await payouts.send("k", **tron, timeout=3)
    assert anyio.current_time() - began == pytest.approx(3, abs=0.1)
    assert not caught.value.may_have_executed
    assert await payouts.get("k") is None


async def test_send_timeout_of_a_queued_payout_returns_it(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(20, *LIST))
    await payouts.enqueue("k", **tron)
    payout = await payouts.send("k", **tron, timeout=3)
    assert payout.state is PayoutState.QUEUED


async def test_send_timeout_after_the_answer_returns_the_accepted_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(100)
    payout = await payouts.send("k", **tron, timeout=10)
    assert payout.state is PayoutState.ACCEPTED
    assert payout.error is None


async def test_process_without_api_keys_can_enqueue_and_read(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    front = UpbitClient("sg", base_url=sandbox.base_url)
    async with front, Payouts(front, InlineJournal(path), journal_keys=[KEY], check=False) as payouts:
        queued = await payouts.enqueue("k", **tron)
        assert await payouts.get("k") == queued
        assert await payouts.list() == [queued]
    async with Payouts(sandbox.client(), InlineJournal(path), journal_keys=[KEY], check=False) as payouts:
        (done,) = await payouts.run_once()
        assert done.state is PayoutState.DONE


@pytest.mark.parametrize("not_after", ["soon", 5])
async def test_not_after_must_be_a_time(payouts: Payouts, tron: dict[str, Any], not_after: Any) -> None:
    with pytest.raises(TypeError, match="not_after must be a datetime"):
        await payouts.enqueue("k", **tron, not_after=not_after)


async def test_not_after_must_have_a_time_zone(payouts: Payouts, tron: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not_after must have a time zone"):
        await payouts.enqueue("k", **tron, not_after=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
