"""`client.status`: state of the wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.errors import NotFound, UpbitError
from upbit_async.events import PollFailed
from upbit_async.models import WalletStatus
from upbit_async.polling import ends_waits
from upbit_async.protocol.endpoints import LIST_WALLETS
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.protocol.endpoint import Transport

__all__ = ["Status", "WalletChange"]


@attrs.frozen(kw_only=True)
class WalletChange:
    """Change of a wallet.

    Attributes:
        previous: Status before the change; None if the wallet was not listed.
        current: Status after the change; None if the wallet is no longer listed.

    Example:
        .. code-block:: python

            async for change in client.status.watch("USDT", "TRX"):
                print(change.previous, change.current)
                break
    """

    previous: WalletStatus | None
    current: WalletStatus | None


class Status:
    """State of the wallets.

    Upbit's data may be minutes old and is for reference only. Before money moves, check the region's wallet-status
    page as well (`Region.wallet_status_page`), and `client.withdraws.chance`.
    See https://global-docs.upbit.com/reference/get-service-status.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def wallets(self, currency: str | None = None, net_type: str | None = None) -> list[WalletStatus]:
        """Return the status of the wallets. It may be minutes old.

        Upbit always returns all wallets; the filters apply here.

        Args:
            currency: Currency code; None means all currencies.
            net_type: Network identifier; None means all networks.

        Raises:
            UpbitError: See `upbit_async.errors`.

        Example:
            .. code-block:: python

                for wallet in await client.status.wallets("USDT"):
                    print(wallet.net_type, wallet.wallet_state)
        """
        currency = inputs.optional_text("currency", currency)
        net_type = inputs.optional_text("net_type", net_type)
        wallets = await self._transport.call(LIST_WALLETS)
        if currency is None and net_type is None:
            return wallets
        return [
            wallet
            for wallet in wallets
            if currency in {None, wallet.currency} and net_type in {None, wallet.net_type}
        ]

    async def wallet(self, currency: str, net_type: str) -> WalletStatus:
        """Return the status of one wallet. It may be minutes old.

        Args:
            currency: Currency code.
            net_type: Network identifier.

        Raises:
            NotFound: Upbit has no such wallet.
            UpbitError: See `upbit_async.errors`.

        Example:
            .. code-block:: python

                wallet = await client.status.wallet("USDT", "TRX")
                if not wallet.wallet_state.can_withdraw:
                    print("withdrawals of USDT on TRX are suspended")
        """
        found = await self.wallets(inputs.text("currency", currency), inputs.text("net_type", net_type))
        if not found:
            raise NotFound(
                f"{LIST_WALLETS.label}: {self._transport.region} has no wallet for {currency} on {net_type}; "
                "client.status.wallets() lists all",
                status=200,
                endpoint=LIST_WALLETS.label,
                asked_for=f"{currency} on {net_type}",
            )
        return found[0]

    def watch(
        self, currency: str | None = None, net_type: str | None = None, *, interval: float = 60
    ) -> AsyncGenerator[WalletChange, None]:
        """Yield the status of each wallet, then every change of a wallet's or chain's state.

        A failed poll is reported to the observer and does not end the watch. Only an error that polling again can't fix
        does, such as a refused key or a ban.

        Args:
            currency: Currency code; None means all currencies.
            net_type: Network identifier; None means all networks.
            interval: Time between polls, in seconds. A shorter one brings little, because Upbit's data is minutes old.

        Returns:
            An asynchronous iterator that never ends by itself.

        Raises:
            AuthenticationError: Upbit refused the key.
            PermissionDenied: The key lacks the permission.
            Banned: Upbit has blocked the key temporarily.
            ConfigurationError: There is no key, or the client was closed.

        Example:
            .. code-block:: python

                async for change in client.status.watch("USDT", interval=60):
                    print(change.previous, change.current)
                    break
        """
        wanted = inputs.optional_text("currency", currency), inputs.optional_text("net_type", net_type)
        pause = inputs.seconds("interval", interval, positive=True)
        return self._watch(*wanted, pause)

    async def _watch(
        self, currency: str | None, net_type: str | None, pause: float
    ) -> AsyncGenerator[WalletChange, None]:
        known: dict[tuple[str, str | None], WalletStatus] = {}
        while True:
            for change in _changes(known, await self._poll(currency, net_type, known)):
                yield change
            await anyio.sleep(pause)

    async def _poll(
        self,
        currency: str | None,
        net_type: str | None,
        known: dict[tuple[str, str | None], WalletStatus],
    ) -> list[WalletStatus]:
        try:
            return await self.wallets(currency, net_type)
        except UpbitError as error:
            if ends_waits(error):
                raise
            self._transport.emit(PollFailed(host=self._transport.host, uuids=(), error=error))
            return list(known.values())


def _changes(
    known: dict[tuple[str, str | None], WalletStatus], now: list[WalletStatus]
) -> list[WalletChange]:
    """Return the differences, and remember the current state."""
    current = {(wallet.currency, wallet.net_type): wallet for wallet in now}
    changes = [
        WalletChange(previous=known.get(key), current=wallet)
        for key, wallet in current.items()
        if key not in known or _state(known[key]) != _state(wallet)
    ]
    changes += [
        WalletChange(previous=wallet, current=None) for key, wallet in known.items() if key not in current
    ]
    known.clear()
    known.update(current)
    return changes


def _state(wallet: WalletStatus) -> tuple[object, object]:
    return wallet.wallet_state, wallet.block_state
