"""The account's deposit addresses, created on request."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from upbit_async.sandbox.exchange.errors import Refusal

if TYPE_CHECKING:
    from upbit_async.sandbox.exchange.assets import WalletRecord
    from upbit_async.sandbox.exchange.state import ExchangeState

__all__ = ["AddressService", "DepositAddressRecord"]


@attrs.define(kw_only=True)
class DepositAddressRecord:
    """One address to which money may be sent to the account.

    See https://global-docs.upbit.com/reference/list-deposit-addresses.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        deposit_address: The address; it is told as soon as it is ready.
        secondary_address: The tag or memo that a sender has to give, if any.
        requested_at: When it was first asked for (aware, UTC).
        looks: How often a client was told that it is not ready.
        is_ready: Whether it is told.
    """

    currency: str
    net_type: str
    deposit_address: str
    secondary_address: str | None = None
    requested_at: datetime
    reads: int = 0
    is_ready: bool = False


class AddressService:
    """Makes deposit addresses; see https://global-docs.upbit.com/reference/create-deposit-address.

    Args:
        shared: What it shares with the other desks.
    """

    def __init__(self, shared: ExchangeState) -> None:
        self._shared = shared
        self._addresses: dict[tuple[str, str], DepositAddressRecord] = {}

    def add(self, address: DepositAddressRecord) -> None:
        """Notes an address that was made already."""
        self._addresses[address.currency, address.net_type] = address

    def ready(self, now: datetime) -> tuple[DepositAddressRecord, ...]:
        """The addresses that are ready, in the order in which they were asked for."""
        return tuple(each for each in self._addresses.values() if self._up_to_date(each, now).is_ready)

    def request(self, currency: str, net_type: str, now: datetime) -> DepositAddressRecord:
        """The address of a wallet, whose making begins with the first request.

        Raises:
            Refusal: The wallet is not listed; or it takes no deposits, and has no address yet.
        """
        wallet = self._shared.wallet(currency, net_type)
        known = self._addresses.get((currency, net_type))
        if known is not None:
            return self._shown(known, now)
        suspended = self._shared.knobs.deposits_suspended
        if suspended is not None and "deposit" not in wallet.support:
            raise Refusal(suspended)
        made = self._make(wallet, now)
        self.add(made)
        return self._up_to_date(made, now)

    def find(self, currency: str, net_type: str, now: datetime) -> DepositAddressRecord:
        """The address of a wallet, ready or not.

        Raises:
            Refusal: The wallet is not listed, or its address was never asked for.
        """
        self._shared.wallet(currency, net_type)
        known = self._addresses.get((currency, net_type))
        if known is None:
            raise Refusal(self._shared.knobs.address_not_found)
        return self._shown(known, now)

    def _shown(self, address: DepositAddressRecord, now: datetime) -> DepositAddressRecord:
        """An address that is now shown to a client, which counts as a look if it is not ready."""
        if not self._up_to_date(address, now).is_ready:
            address.reads += 1
        return address

    def _up_to_date(self, address: DepositAddressRecord, now: datetime) -> DepositAddressRecord:
        seconds, looks = self._shared.knobs.address_seconds, self._shared.knobs.address_looks
        address.is_ready = (
            address.is_ready
            or (seconds is not None and now >= address.requested_at + timedelta(seconds=seconds))
            or (looks is not None and address.reads >= looks)
        )
        return address

    def _make(self, wallet: WalletRecord, now: datetime) -> DepositAddressRecord:
        name = f"{self._shared.region}/{wallet.currency}/{wallet.net_type}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return DepositAddressRecord(
            currency=wallet.currency,
            net_type=wallet.net_type,
            deposit_address=f"Fake{wallet.net_type.title()}DepositAddress{digest[:16]}",
            secondary_address=str(3_000_000_000 + int(digest[:6], 16)) if wallet.has_memo else None,
            requested_at=now,
        )
