"""Model of a wallet's status."""

from __future__ import annotations

import datetime as dt

import attrs

from upbit_async.models._base import in_utc
from upbit_async.models.states import BlockState, WalletState

__all__ = ["WalletStatus"]


@attrs.frozen(kw_only=True)
class WalletStatus:
    """Status of the wallet of one currency on one network.

    It may be minutes old and is for reference only. Before money moves, check the region's wallet-status page as well
    (`Region.wallet_status_page`). See https://global-docs.upbit.com/reference/get-service-status.

    Attributes:
        currency: Currency code.
        net_type: Network identifier, as used in a withdrawal.
        network_name: Name of the network, for display only.
        wallet_state: What the wallet can do.
        block_state: State of the chain.
        block_height: Height of the chain.
        block_updated_at: Time of the newest block, UTC.
        block_elapsed_minutes: Minutes since the newest block.

    Example:
        .. code-block:: python

            wallet = await client.status.wallet("USDT", "TRX")
            print(wallet.wallet_state.can_withdraw, wallet.block_state)
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
            in_utc(self, "block_updated_at")  # checked here, because an answer has hundreds of rows
