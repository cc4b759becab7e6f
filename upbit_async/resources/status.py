"""`client.status`: availability of wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.errors import NotFound, UpbitError
from upbit_async.events import PollFailed
from upbit_async.models import WalletStatus
from upbit_async.polling import is_permanent
from upbit_async.protocol.endpoints import LIST_WALLETS
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from upbit_async.protocol.endpoint import Transport

__all__ = ["Status", "WalletChange"]


@attrs.frozen(kw_only=True)
class WalletChange:
    """A wallet looks different from before.

    Attributes:
        previous: How it looked before; None if it was not there.
        current: How it looks now; None if it is gone.
    """

    previous: WalletStatus | None
    current: WalletStatus | None


class Status:
    """The state of the wallets.

    What Upbit says here may lag behind by minutes and is for reference only. Before money moves, consult the
    region's wallet-status page as well (`Region.wallet_status_page`), and `client.withdraws.chance`.
    See https://global-docs.upbit.com/reference/get-service-status.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def wallets(self, currency: str | None = None, net_type: str | None = None) -> list[WalletStatus]:
        """Return the wallets' states; they may lag behind by minutes.

        Upbit always tells all of them; the choice is made here.

        Args:
            currency: Only this currency.
            net_type: Only this network.

        Raises:
            UpbitError: See `upbit_async.errors`.
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
        """Return the state of one wallet; it may lag behind by minutes.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.

        Raises:
            NotFound: Upbit has no such wallet.
            UpbitError: See `upbit_async.errors`.
        """
        found = await self.wallets(inputs.text("currency", currency), inputs.text("net_type", net_type))
        if not found:
            raise NotFound(
                f"{LIST_WALLETS.label}: {self._transport.region} has no wallet for {currency} on {net_type}; "
                "client.status.wallets() lists those there are",
                status=200,
                endpoint=LIST_WALLETS.label,
                asked_for=f"{currency} on {net_type}",
            )
        return found[0]

    def watch(
        self, currency: str | None = None, net_type: str | None = None, *, interval: float = 60
    ) -> AsyncGenerator[WalletChange, None]:
        """Tell how the wallets look, then every change of a wallet's or its chain's state.

        A failed look is an event for the observer and does not end the watch, unless there is no hope: a
        refused key, a ban.

        Args:
            currency: Only this currency.
            net_type: Only this network.
            interval: Seconds between looks. Upbit's own data is minutes old, so a shorter one brings little.

        Returns:
            What is iterated over with ``async for``; it never ends by itself.

        Raises:
            AuthenticationError: The key was refused.
            PermissionDenied: The key may not do this.
            Banned: Upbit has blocked the key for a while.
            ConfigurationError: There is no key, or the client was closed.
        """
        wanted = inputs.optional_text("currency", currency), inputs.optional_text("net_type", net_type)
        pause = inputs.seconds("interval", interval, positive=True)
        return self._watch(*wanted, pause)

    async def _watch(
        self, currency: str | None, net_type: str | None, pause: float
    ) -> AsyncGenerator[WalletChange, None]:
        known: dict[tuple[str, str | None], WalletStatus] = {}
        while True:
            for change in _changes(known, await self._look(currency, net_type, known)):
                yield change
            await anyio.sleep(pause)

    async def _look(
        self,
        currency: str | None,
        net_type: str | None,
        known: dict[tuple[str, str | None], WalletStatus],
    ) -> list[WalletStatus]:
        try:
            return await self.wallets(currency, net_type)
        except UpbitError as error:
            if is_permanent(error):
                raise
            self._transport.emit(PollFailed(host=self._transport.host, uuids=(), error=error))
            return list(known.values())


def _changes(
    known: dict[tuple[str, str | None], WalletStatus], now: list[WalletStatus]
) -> list[WalletChange]:
    """Return what differs, and remember it."""
    current = {(wallet.currency, wallet.net_type): wallet for wallet in now}
    changes = [
        WalletChange(previous=known.get(place), current=wallet)
        for place, wallet in current.items()
        if place not in known or _state(known[place]) != _state(wallet)
    ]
    changes += [
        WalletChange(previous=wallet, current=None) for place, wallet in known.items() if place not in current
    ]
    known.clear()
    known.update(current)
    return changes


def _state(wallet: WalletStatus) -> tuple[object, object]:
    return wallet.wallet_state, wallet.block_state
