"""Model of a wallet's status."""

from __future__ import annotations

import datetime as dt

import attrs

from upbit_async.models._base import in_utc
from upbit_async.models.states import BlockState, WalletState

__all__ = ["WalletStatus"]


@attrs.frozen(kw_only=True)
class WalletStatus:
    """One currency on one network, as the wallet status page has it.

    It may lag behind by minutes and is for reference only: before money moves, look at the region's
    wallet-status page too (`Region.wallet_status_page`).
    See https://global-docs.upbit.com/reference/get-service-status.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier, to be used in a withdrawal.
        network_name: The network's name, for display only.
        wallet_state: What the wallet can do.
        block_state: How the chain fares.
        block_height: The chain's height.
        block_updated_at: When the newest block was seen, UTC.
        block_elapsed_minutes: Minutes since then.
    """

    currency: str
    wallet_state: WalletState
    net_type: str | None = None
    network_name: str | None = None
    block_state: BlockState | None = None
    block_height: int | None = None
    block_updated_at: dt.datetime | None = None
    block_elapsed_minutes: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.block_updated_at is not None and self.block_updated_at.tzinfo is None:
            in_utc(self, "block_updated_at")  # asked for here, because an answer has hundreds of rows
