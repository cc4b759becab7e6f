"""Service for the account's deposit addresses, which are generated on request."""

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
    """One deposit address of the account.

    See https://global-docs.upbit.com/reference/list-deposit-addresses.

    Attributes:
        currency: Currency code.
        net_type: Network identifier.
        deposit_address: Address; the API returns it as soon as it is ready.
        secondary_address: Tag or memo that a sender has to add, if any.
        requested_at: Time of the first request for it (aware, UTC).
        reads: Number of answers that it is not ready yet.
        is_ready: Whether the API returns the address.
    """

    currency: str
    net_type: str
    deposit_address: str
    secondary_address: str | None = None
    requested_at: datetime
    reads: int = 0
    is_ready: bool = False


class AddressService:
    """Service for deposit addresses; see https://global-docs.upbit.com/reference/create-deposit-address.

    Args:
        state: State that all services share.
    """

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._addresses: dict[tuple[str, str], DepositAddressRecord] = {}

    def add(self, address: DepositAddressRecord) -> None:
        """Add an address."""
        self._addresses[address.currency, address.net_type] = address

    def ready(self, now: datetime) -> tuple[DepositAddressRecord, ...]:
        """Return the addresses that are ready, in the order of their first requests."""
        return tuple(each for each in self._addresses.values() if self._up_to_date(each, now).is_ready)

    def request(self, currency: str, net_type: str, now: datetime) -> DepositAddressRecord:
        """Return the address of a wallet, ready or not; the first request starts its generation.

        Raises:
            Refusal: The wallet is not listed, or it takes no deposits and has no address yet.
        """
        wallet = self._state.wallet(currency, net_type)
        known = self._addresses.get((currency, net_type))
        if known is not None:
            return self._shown(known, now)
        suspended = self._state.knobs.deposits_suspended
        if suspended is not None and "deposit" not in wallet.support:
            raise Refusal(suspended)
        generated = self._generate(wallet, now)
        self.add(generated)
        return self._up_to_date(generated, now)

    def find(self, currency: str, net_type: str, now: datetime) -> DepositAddressRecord:
        """Return the address of a wallet, ready or not.

        Raises:
            Refusal: The wallet is not listed, or its address was never requested.
        """
        self._state.wallet(currency, net_type)
        known = self._addresses.get((currency, net_type))
        if known is None:
            raise Refusal(self._state.knobs.address_not_found)
        return self._shown(known, now)

    def _shown(self, address: DepositAddressRecord, now: datetime) -> DepositAddressRecord:
        """Return an address for an answer, and count a read if it is not ready."""
        if not self._up_to_date(address, now).is_ready:
            address.reads += 1
        return address

    def _up_to_date(self, address: DepositAddressRecord, now: datetime) -> DepositAddressRecord:
        seconds, reads = self._state.knobs.address_seconds, self._state.knobs.address_reads
        address.is_ready = (
            address.is_ready
            or (seconds is not None and now >= address.requested_at + timedelta(seconds=seconds))
            or (reads is not None and address.reads >= reads)
        )
        return address

    def _generate(self, wallet: WalletRecord, now: datetime) -> DepositAddressRecord:
        name = f"{self._state.region}/{wallet.currency}/{wallet.net_type}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return DepositAddressRecord(
            currency=wallet.currency,
            net_type=wallet.net_type,
            deposit_address=f"Fake{wallet.net_type.title()}DepositAddress{digest[:16]}",
            secondary_address=str(3_000_000_000 + int(digest[:6], 16)) if wallet.has_memo else None,
            requested_at=now,
        )
