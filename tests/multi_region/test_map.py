"""`map`: one call in all regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from upbit_async import Credentials, Region, RegionOutcomes, UpbitClient, UpbitRegions
from upbit_async.errors import AuthenticationError, NotFound, ServerError
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

DELAYS = {Region.SG: 3.0, Region.ID: 1.0, Region.TH: 2.0}


async def late(client: UpbitClient) -> str:
    """Answer in another order than that of the regions."""
    await anyio.sleep(DELAYS[client.region])
    return client.host


async def test_all_regions_are_asked_at_once_and_told_in_order(regions: UpbitRegions) -> None:
    began = anyio.current_time()
    outcomes = await regions.map(late)
    assert anyio.current_time() - began == pytest.approx(3)
    assert outcomes == RegionOutcomes({region: client.host for region, client in regions.items()}, {})
    assert list(outcomes.ok) == list(regions)
    assert outcomes.unwrap() is outcomes.ok
    assert outcomes.ok[Region("sg")] == regions["sg"].host


@pytest.mark.parametrize("troubled", Region.__members__.values())
async def test_one_region_in_trouble_does_not_disturb_the_others(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox], troubled: Region
) -> None:
    if troubled in sandboxes:
        sandboxes[troubled].faults.add(Fault.status(503, times=None))
    outcomes = await regions.map(lambda client: client.status.wallets())
    assert set(outcomes.ok) == set(regions) - {troubled}
    assert all(wallets for wallets in outcomes.ok.values())
    assert set(outcomes.errors) == {troubled} & set(regions)
    assert all(isinstance(error, ServerError) for error in outcomes.errors.values())


async def test_bad_keys_are_one_regions_trouble(sandboxes: dict[Region, Sandbox]) -> None:
    strange = Credentials("strange", "keys")
    clients = [
        each.client(credentials=strange if each.region == "id" else each.credentials)
        for each in sandboxes.values()
    ]
    outcomes = await UpbitRegions.of(*clients).map(lambda client: client.withdraws.list())
    assert list(outcomes.ok) == ["sg", "th"]
    assert isinstance(outcomes.errors[Region.ID], AuthenticationError)


async def test_unwrapping_raises_all_errors_in_order(regions: UpbitRegions) -> None:
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


async def test_a_mistake_is_raised_as_it_is_and_cancels_the_others(regions: UpbitRegions) -> None:
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


async def test_mistakes_of_several_regions_are_raised_together(regions: UpbitRegions) -> None:
    async def mistake(client: UpbitClient) -> None:
        try:
            await anyio.sleep(0 if client.region == "id" else 100)
        finally:
            raise ZeroDivisionError(client.region)

    with pytest.raises(ExceptionGroup) as caught:
        await regions.map(mistake)
    assert sorted(str(error) for error in caught.value.exceptions) == ["id", "sg", "th"]


async def test_cancelling_cancels_all(regions: UpbitRegions) -> None:
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


async def test_types_go_through(regions: UpbitRegions) -> None:
    counts: Mapping[Region, int] = (await regions.map(_count)).unwrap()
    assert all(counts.values())


async def _count(client: UpbitClient) -> int:
    return len(await client.status.wallets())
