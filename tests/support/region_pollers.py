"""Withdrawals in several regions, and their pollers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from internals import watcher_of

if TYPE_CHECKING:
    from upbit_async import (
        UpbitClient,
        UpbitRegions,
        WithdrawalPoller,
    )


__all__ = ["begun", "begun_everywhere", "watched"]


async def begun(client: UpbitClient) -> WithdrawalPoller:
    """Create a withdrawal, and return a poller that has not seen it yet."""
    (address, *_) = await client.withdraws.addresses(currency="USDT", net_type="TRX")
    record = await client.withdraws.create(
        currency="USDT", net_type="TRX", amount="13", address=address.withdraw_address
    )
    return client.withdraws.poller(record.uuid)


async def begun_everywhere(regions: UpbitRegions) -> list[WithdrawalPoller]:
    """Create a withdrawal in each region, and return their pollers."""
    return list((await regions.map(begun)).unwrap().values())


def watched(regions: UpbitRegions) -> int:
    """Count the transfers that the clients poll for."""
    return sum(watcher_of(client).watched for client in regions.values())
