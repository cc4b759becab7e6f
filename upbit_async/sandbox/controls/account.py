"""Test-side control of the account: balances, registered addresses, locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.sandbox.exchange.accounts import Balance, MemberLevelRecord, RegisteredAddress
from upbit_async.sandbox.validation import valid_amount

if TYPE_CHECKING:
    from decimal import Decimal

    from upbit_async.sandbox.exchange_lock import ExchangeLock

__all__ = ["AccountControl"]


class AccountControl:
    """Actions of the account's owner on Upbit's website, without requests to the API.

    Args:
        exchange_lock: Access to the exchange.
    """

    def __init__(self, exchange_lock: ExchangeLock) -> None:
        self._exchange_lock = exchange_lock
        self._account = exchange_lock.exchange.account

    @property
    def member_level(self) -> MemberLevelRecord:
        """Levels, verifications and locks of the member; a live record that may be changed."""
        return self._account.member_level

    @property
    def addresses(self) -> tuple[RegisteredAddress, ...]:
        """Addresses to which the API may withdraw."""
        with self._exchange_lock.held():
            return tuple(self._account.addresses)

    def balance(self, currency: str) -> Balance:
        """Return a copy of the current balance in a currency.

        Args:
            currency: Currency code.

        Example:
            .. code-block:: python

                print(sandbox.account.balance("USDT").available)
        """
        with self._exchange_lock.held():
            return self._account.balance(currency)

    def fund(self, currency: str, amount: Decimal | str | int) -> None:
        """Add an amount to the available balance.

        Args:
            currency: Currency code.
            amount: Amount; a negative one is subtracted.

        Raises:
            ValueError: It is not a finite number, or has more than 40 digits before or after the point.

        Example:
            .. code-block:: python

                sandbox.account.fund("USDT", "500.5")
        """
        with self._exchange_lock.held():
            self._account.fund(currency, valid_amount(amount))

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
        """Register an address for withdrawals.

        Args:
            currency: Currency code.
            net_type: Network identifier.
            address: Address.
            secondary_address: Tag or memo of the address, if any.
            exchange_name: Exchange that issued it, if any.
            wallet_type: Product name of a personal wallet, if it is one.
            beneficiary_name: Name of its owner.

        Example:
            .. code-block:: python

                sandbox.account.allow_address(
                    "XRP", "XRP", "rExample", secondary_address="4711", exchange_name="Kraken"
                )
        """
        wallet = self._exchange_lock.exchange.wallets.get((currency, net_type))
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
        with self._exchange_lock.held():
            self._account.addresses.append(registered)
        return registered

    def disallow_address(self, address: str) -> None:
        """Remove a registered address, on every network.

        Args:
            address: Address.

        Example:
            .. code-block:: python

                sandbox.account.disallow_address("TFakeTronWithdrawAddressFakeFakeFa")
        """
        with self._exchange_lock.held():
            kept = [known for known in self._account.addresses if known.withdraw_address != address]
            self._account.addresses[:] = kept

    def lock(self) -> None:
        """Lock withdrawals of the account.

        Example:
            .. code-block:: python

                sandbox.account.lock()
                assert (await client.withdraws.chance("USDT", "TRX")).member_level.wallet_locked
        """
        self._account.member_level.wallet_locked = True

    def unlock(self) -> None:
        """Unlock withdrawals of the account.

        Example:
            .. code-block:: python

                sandbox.account.unlock()
        """
        self._account.member_level.wallet_locked = False
