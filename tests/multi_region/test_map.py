"""`map`: one call in all regions."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from upbit_async import Credentials, Region, RegionOutcomes, UpbitClient, UpbitRegions
from upbit_async.errors import AuthenticationError, NotFound, PollTimeout, ServerError, TransportError
from upbit_async.multi_region import RegionErrors
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

DELAYS = {Region.SG: 3.0, Region.ID: 1.0, Region.TH: 2.0}


async def late(client: UpbitClient) -> str:
    """Answer in another order than that of the regions."""
    await anyio.sleep(DELAYS[client.region])
    return client.host


async def test_map_runs_concurrently_and_keeps_the_order(regions: UpbitRegions) -> None:
    began = anyio.current_time()
    outcomes = await regions.map(late)
    assert anyio.current_time() - began == pytest.approx(3)
    assert outcomes == RegionOutcomes({region: client.host for region, client in regions.items()}, {})
    assert list(outcomes.ok) == list(regions)
    assert outcomes.unwrap() is outcomes.ok
    assert outcomes.ok[Region("sg")] == regions["sg"].host


@pytest.mark.parametrize("troubled", Region.__members__.values())
async def test_failing_region_does_not_affect_the_others(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox], troubled: Region
) -> None:
    if troubled in sandboxes:
        sandboxes[troubled].faults.add(Fault.status(503, times=None))
    outcomes = await regions.map(lambda client: client.status.wallets())
    assert set(outcomes.ok) == set(regions) - {troubled}
    assert all(wallets for wallets in outcomes.ok.values())
    assert set(outcomes.errors) == {troubled} & set(regions)
    assert all(isinstance(error, ServerError) for error in outcomes.errors.values())


async def test_rejected_keys_fail_only_their_region(sandboxes: dict[Region, Sandbox]) -> None:
    strange = Credentials("strange", "keys")
    clients = [
        each.client(credentials=strange if each.region == "id" else each.credentials)
        for each in sandboxes.values()
    ]
    outcomes = await UpbitRegions.of(*clients).map(lambda client: client.withdraws.list())
    assert list(outcomes.ok) == ["sg", "th"]
    assert isinstance(outcomes.errors[Region.ID], AuthenticationError)


async def test_unwrap_raises_all_errors_in_order(regions: UpbitRegions) -> None:
    async def fail(client: UpbitClient) -> str:
        host = await late(client)
        if client.region == "id":
            return host
        raise NotFound(f"nothing in {client.region}", status=404)

    outcomes = await regions.map(fail)
    assert list(outcomes.ok) == ["id"]
    with pytest.raises(ExceptionGroup, match="the call failed in sg, th") as caught:
        outcomes.unwrap()
    assert caught.value.exceptions == (outcomes.errors[Region.SG], outcomes.errors[Region.TH])


async def test_programming_error_is_raised_and_cancels_the_other_regions(regions: UpbitRegions) -> None:
    cancelled: list[Region] = []

    async def mistake(client: UpbitClient) -> None:
        if client.region == "id":
            await anyio.sleep(1)
            raise ZeroDivisionError from KeyError("cause")
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(client.region)

    began = anyio.current_time()
    with pytest.raises(ZeroDivisionError) as caught:
        await regions.map(mistake)
    assert isinstance(caught.value.__cause__, KeyError)
    assert anyio.current_time() - began == pytest.approx(1)
    assert sorted(cancelled) == ["sg", "th"]


async def test_programming_errors_of_several_regions_are_grouped(regions: UpbitRegions) -> None:
    async def mistake(client: UpbitClient) -> None:
        try:
            await anyio.sleep(0 if client.region == "id" else 100)
        finally:
            raise ZeroDivisionError(client.region)

    with pytest.raises(ExceptionGroup) as caught:
        await regions.map(mistake)
    assert sorted(str(error) for error in caught.value.exceptions) == ["id", "sg", "th"]


async def test_cancel_scope_cancels_every_region(regions: UpbitRegions) -> None:
    ended: list[Region] = []

    async def for_ever(client: UpbitClient) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(client.region)

    with anyio.move_on_after(5) as scope:
        await regions.map(for_ever)
    assert scope.cancelled_caught
    assert sorted(ended) == ["id", "sg", "th"]


async def test_map_keeps_the_result_type(regions: UpbitRegions) -> None:
    counts: Mapping[Region, int] = (await regions.map(_count)).unwrap()
    assert all(counts.values())


async def _count(client: UpbitClient) -> int:
    return len(await client.status.wallets())


# -- every region has a result or an error -----------------------------------------------------------


async def cancelled_by_something_else() -> None:
    """End in a cancellation that was not requested of the caller."""
    forgotten: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    forgotten.cancel()
    await forgotten


@pytest.mark.parametrize("anyio_backend", ["asyncio-virtual"], indirect=True)
@pytest.mark.parametrize("delay", [0.0, 5.0])
async def test_call_cancelled_by_something_else_is_its_regions_error(
    regions: UpbitRegions, delay: float
) -> None:
    async def call(client: UpbitClient) -> str:
        if client.region == "id":
            await anyio.sleep(delay)
            await cancelled_by_something_else()
        return await late(client)

    outcomes = await regions.map(call)

    assert list(outcomes.ok) == ["sg", "th"]
    error = outcomes.errors[Region.ID]
    assert error.may_have_executed
    assert "the call in id ended in CancelledError" in str(error)
    assert error.__cause__ is error.__context__ is None
    with pytest.raises(ExceptionGroup, match="failed in id"):
        outcomes.unwrap()


@pytest.mark.parametrize("anyio_backend", ["asyncio-virtual"], indirect=True)
async def test_calls_all_cancelled_by_something_else_are_all_errors(regions: UpbitRegions) -> None:
    async def call(client: UpbitClient) -> None:
        if client.region == "id":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await anyio.lowlevel.checkpoint()
        await cancelled_by_something_else()

    outcomes = await regions.map(call)

    assert not outcomes.ok
    assert list(outcomes.errors) == ["sg", "id", "th"]
    await anyio.lowlevel.checkpoint()  # the caller itself is not cancelled


@pytest.mark.parametrize("anyio_backend", ["asyncio-virtual"], indirect=True)
async def test_cancelling_the_callers_task_cancels_every_region(regions: UpbitRegions) -> None:
    ended: list[Region] = []

    async def for_ever(client: UpbitClient) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(client.region)

    task = asyncio.create_task(regions.map(for_ever))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["id", "sg", "th"]


@pytest.mark.parametrize("ticks", range(6))
async def test_cancellation_during_the_last_answer_is_not_swallowed(
    regions: UpbitRegions, ticks: int
) -> None:
    outcomes: RegionOutcomes[str] | None = None

    async def call(client: UpbitClient) -> str:
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        if client.region == "id":
            scope.cancel()
        await anyio.lowlevel.checkpoint()
        return client.host

    with anyio.CancelScope() as scope:
        outcomes = await regions.map(call)
    assert outcomes is None
    assert scope.cancelled_caught


async def test_error_group_is_its_regions_error(regions: UpbitRegions) -> None:
    lost, gone = TransportError("no answer", may_have_executed=True), NotFound("none", status=404)

    async def call(client: UpbitClient) -> str:
        if client.region == "id":
            raise ExceptionGroup("several", [lost, ExceptionGroup("deeper", [gone])])
        return await late(client)

    outcomes = await regions.map(call)

    assert list(outcomes.ok) == ["sg", "th"]
    error = outcomes.errors[Region.ID]
    assert isinstance(error, RegionErrors)
    assert error.may_have_executed
    assert "the call in id raised a group of errors: 2" in str(error)
    with pytest.raises(ExceptionGroup) as caught:
        outcomes.unwrap()
    assert caught.group_contains(NotFound)
    assert caught.group_contains(TransportError)
    for twin in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - ours
        assert isinstance(twin, RegionErrors)
        assert (str(twin), twin.may_have_executed) == (str(error), True)
        assert [type(each) for each in twin.exceptions] == [TransportError, ExceptionGroup]


async def test_failed_task_group_is_its_regions_error(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    sandboxes[Region.TH].faults.add(Fault.status(503, times=None))

    async def call(client: UpbitClient) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.status.wallets)
            tasks.start_soon(client.accounts.list)

    outcomes = await regions.map(call)

    assert list(outcomes.ok) == ["sg", "id"]
    error = outcomes.errors[Region.TH]
    assert isinstance(error, RegionErrors)
    assert not error.may_have_executed
    assert all(isinstance(each, ServerError) for each in error.exceptions)


async def test_group_with_a_programming_error_is_raised(regions: UpbitRegions) -> None:
    async def call(client: UpbitClient) -> str:
        if client.region == "id":
            raise ExceptionGroup("several", [NotFound("none", status=404), ZeroDivisionError()])
        return await late(client)

    with pytest.raises(ExceptionGroup, match="several"):
        await regions.map(call)


# -- a time limit ------------------------------------------------------------------------------------


async def test_late_region_is_an_error_and_the_others_keep_their_results(regions: UpbitRegions) -> None:
    began = anyio.current_time()
    outcomes = await regions.map(late, timeout=2.5)
    assert anyio.current_time() - began == pytest.approx(2.5)
    assert list(outcomes.ok) == ["id", "th"]
    error = outcomes.errors[Region.SG]
    assert isinstance(error, PollTimeout)
    assert error.may_have_executed
    assert "sg did not finish within 2.5 s" in str(error)


async def test_timeout_keeps_answers_in_time_and_zero_fails_all(regions: UpbitRegions) -> None:
    assert (await regions.map(late, timeout=4)).unwrap()
    assert (await regions.map(late, timeout=float("inf"))).unwrap()
    assert list((await regions.map(late, timeout=0)).errors) == ["sg", "id", "th"]


@pytest.mark.parametrize(("given", "kind"), [("1", TypeError), (True, TypeError), (-1, ValueError)])
async def test_timeout_that_is_not_a_number_is_refused(
    regions: UpbitRegions, given: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="timeout"):
        await regions.map(late, timeout=given)


async def test_timeout_does_not_interrupt_a_withdrawal_that_was_sent(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox], caplog: pytest.LogCaptureFixture
) -> None:
    sandboxes[Region.ID].faults.add(Fault.slow(5, "POST", "/v1/withdraws/coin"))

    async def pay(client: UpbitClient) -> str:
        address = (await client.withdraws.addresses("USDT"))[0]
        made = await client.withdraws.create(
            currency="USDT",
            net_type=address.net_type or "TRX",
            amount="13",
            address=address.withdraw_address,
            secondary_address=address.secondary_address,
        )
        return made.uuid

    outcomes = await regions.map(pay, timeout=2)

    assert list(outcomes.ok) == ["sg", "th"]
    assert outcomes.errors[Region.ID].may_have_executed
    (made,) = sandboxes[Region.ID].ledger.created
    assert made.uuid in caplog.text
