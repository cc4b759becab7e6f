"""Test-side control of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.sandbox.controls.amounts import amount_of
from upbit_async.sandbox.exchange.accounts import Balance, MemberLevelRecord, RegisteredAddress

if TYPE_CHECKING:
    from decimal import Decimal

    from upbit_async.sandbox.exchange_lock import ExchangeLock

__all__ = ["AccountControl"]


class AccountControl:
    """The member's side of the website: money, registered addresses, locks.

    Args:
        engine: The exchange at work.
    """

    def __init__(self, engine: ExchangeLock) -> None:
        self._engine = engine
        self._account = engine.exchange.account

    @property
    def member_level(self) -> MemberLevelRecord:
        """The account's standing; live, may be changed."""
        return self._account.member_level

    @property
    def addresses(self) -> tuple[RegisteredAddress, ...]:
        """Where the API may withdraw to."""
        with self._engine.at_work():
            return tuple(self._account.addresses)

    def balance(self, currency: str) -> Balance:
        """What the account holds of a currency at this moment, a copy."""
        with self._engine.at_work():
            return self._account.balance(currency)

    def fund(self, currency: str, amount: Decimal | str | int) -> None:
        """Adds to what is available; a negative amount takes away."""
        with self._engine.at_work():
            self._account.fund(currency, amount_of(amount))

    def allow_address(
        self,
        currency: str,
        net_type: str,
        address: str,
        *,
        secondary_address: str | None = None,
        exchange_name: str | None = None,
        wallet_type: str | None = None,
        beneficiary_name: str | None = "John",
    ) -> RegisteredAddress:
        """Registers an address for withdrawals, as a person does on the website.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.
            address: The address.
            secondary_address: The tag or memo that belongs to it.
            exchange_name: The exchange that issued it.
            wallet_type: The personal wallet's product name.
            beneficiary_name: Its owner.
        """
        wallet = self._engine.exchange.wallets.get((currency, net_type))
        registered = RegisteredAddress(
            currency=currency,
            net_type=net_type,
            network_name=wallet.network_name if wallet else net_type,
            withdraw_address=address,
            secondary_address=secondary_address,
            exchange_name=exchange_name,
            wallet_type=wallet_type,
            beneficiary_name=beneficiary_name,
            beneficiary_type="individual" if exchange_name else None,
        )
        with self._engine.at_work():
            self._account.addresses.append(registered)
        return registered

    def disallow_address(self, address: str) -> None:
        """Strikes an address off, on whatever network it is registered."""
        with self._engine.at_work():
            kept = [known for known in self._account.addresses if known.withdraw_address != address]
            self._account.addresses[:] = kept

    def lock(self) -> None:
        """Locks the account's withdrawals."""
        self._account.member_level.wallet_locked = True

    def unlock(self) -> None:
        """Unlocks them again."""
        self._account.member_level.wallet_locked = False
