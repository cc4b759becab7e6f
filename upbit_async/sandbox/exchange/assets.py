"""Wallets of the exchange, one for each currency on each network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import attrs

__all__ = ["WalletRecord", "Wallets"]

_SUPPORT = {"working": ("deposit", "withdraw"), "withdraw_only": ("withdraw",), "deposit_only": ("deposit",)}


@attrs.define(kw_only=True)
class WalletRecord:
    """One currency on one network; tests may change any field at any time.

    See https://global-docs.upbit.com/reference/get-service-status and
    https://global-docs.upbit.com/reference/available-deposit-information.

    Attributes:
        currency: Currency code, upper case.
        net_type: Network identifier.
        network_name: Name of the network, for display only.
        withdraw_fee: Fee of an on-chain withdrawal, in the currency itself.
        minimum: Minimum amount of a withdrawal.
        decimals: Maximum number of decimals of a withdrawal.
        wallet_state: ``working``, ``withdraw_only``, ``deposit_only``, ``paused`` or ``unsupported``.
        block_state: ``normal``, ``delayed``, ``inactive``, or ``None`` without block data.
        block_height: Height of the last block, or ``None``.
        block_age: Seconds since the last block, or ``None``.
        minimum_deposit: Minimum amount that is credited.
        deposit_decimals: Number of decimals that are credited.
        confirmations: Confirmations that a deposit needs.
        has_memo: Whether its deposit addresses have a tag or memo.

    Example:
        .. code-block:: python

            sandbox.wallets["BTC", "BTC"].wallet_state = "paused"
            assert (await client.status.wallet("BTC", "BTC")).wallet_state == "paused"
    """

    currency: str
    net_type: str
    network_name: str
    withdraw_fee: Decimal
    minimum: Decimal
    decimals: int = 8
    wallet_state: str = "working"
    block_state: str | None = "normal"
    block_height: int | None = None
    block_age: float | None = None
    minimum_deposit: Decimal = Decimal(0)
    deposit_decimals: int = 8
    confirmations: int = 1
    has_memo: bool = False

    @property
    def support(self) -> tuple[str, ...]:
        """What the wallet supports now: ``deposit``, ``withdraw``, both or nothing."""
        return _SUPPORT.get(self.wallet_state, ())


class Wallets(Mapping[tuple[str, str], WalletRecord]):
    """Wallets by (currency, net_type), in the order in which they are listed."""

    def __init__(self, wallets: tuple[WalletRecord, ...]) -> None:
        self._wallets = {(wallet.currency, wallet.net_type): wallet for wallet in wallets}

    def __getitem__(self, key: tuple[str, str]) -> WalletRecord:
        """Return the wallet of (currency, net_type); ``KeyError`` if it is not listed."""
        return self._wallets[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Iterate over the listed pairs of currency and network."""
        return iter(self._wallets)

    def __len__(self) -> int:
        """Return the number of listed wallets."""
        return len(self._wallets)

    def add(self, wallet: WalletRecord) -> None:
        """List a wallet, or replace the one of the same currency and network."""
        self._wallets[wallet.currency, wallet.net_type] = wallet

    def remove(self, currency: str, net_type: str) -> None:
        """Remove a wallet; ``KeyError`` if it is not listed."""
        del self._wallets[currency, net_type]
