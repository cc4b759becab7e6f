"""Wallets that the exchange lists, one for each currency on each network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import attrs

__all__ = ["WalletRecord", "Wallets"]

_SUPPORT = {"working": ("deposit", "withdraw"), "withdraw_only": ("withdraw",), "deposit_only": ("deposit",)}


@attrs.define(kw_only=True)
class WalletRecord:
    """One currency on one network; tests may change any member at any time.

    See https://global-docs.upbit.com/reference/get-service-status and
    https://global-docs.upbit.com/reference/available-deposit-information.

    Attributes:
        currency: The currency's code, upper case.
        net_type: The network's identifier.
        network_name: The network's name, for display only.
        withdraw_fee: The fee of an on-chain withdrawal, in the currency itself.
        minimum: The smallest amount that may be withdrawn.
        decimals: How many decimals a withdrawn amount may have.
        wallet_state: ``working``, ``withdraw_only``, ``deposit_only``, ``paused`` or ``unsupported``.
        block_state: ``normal``, ``delayed``, ``inactive``, or ``None`` when there is no block data.
        block_height: The height of the last block, or ``None``.
        block_age: Seconds since the last block, or ``None``.
        minimum_deposit: The smallest amount that is ever credited.
        deposit_decimals: How many decimals are credited.
        confirmations: How many confirmations a deposit needs.
        has_memo: Whether its deposit addresses have a tag or memo.
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
        """What can be done now: ``deposit``, ``withdraw``, both or nothing."""
        return _SUPPORT.get(self.wallet_state, ())


class Wallets(Mapping[tuple[str, str], WalletRecord]):
    """All wallets, by (currency, net_type), in the order in which they are listed."""

    def __init__(self, wallets: tuple[WalletRecord, ...]) -> None:
        self._wallets = {(wallet.currency, wallet.net_type): wallet for wallet in wallets}

    def __getitem__(self, key: tuple[str, str]) -> WalletRecord:
        """The wallet of (currency, net_type); ``KeyError`` when it is not listed."""
        return self._wallets[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """The listed pairs of currency and network."""
        return iter(self._wallets)

    def __len__(self) -> int:
        """How many wallets are listed."""
        return len(self._wallets)

    def add(self, wallet: WalletRecord) -> None:
        """Lists one more wallet, or replaces the one of the same currency and network."""
        self._wallets[wallet.currency, wallet.net_type] = wallet

    def remove(self, currency: str, net_type: str) -> None:
        """Delists a wallet; ``KeyError`` when it is not listed."""
        del self._wallets[currency, net_type]
