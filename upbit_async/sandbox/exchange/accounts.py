"""The account of one member: balances, flags and registered addresses."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import attrs

__all__ = ["AccountRecord", "Balance", "MemberLevelRecord", "RegisteredAddress"]

_ZERO = Decimal(0)


@attrs.define(kw_only=True)
class Balance:
    """What the account holds of one currency.

    Attributes:
        available: What can be spent; never includes ``locked``.
        locked: What open withdrawals hold.
        avg_buy_price: The average buying price, as text.
        avg_buy_price_modified: Whether the user edited that price.
    """

    available: Decimal = _ZERO
    locked: Decimal = _ZERO
    avg_buy_price: str = "0"
    avg_buy_price_modified: bool = False


@attrs.define(kw_only=True)
class MemberLevelRecord:
    """The account's standing; see https://global-docs.upbit.com/reference/available-withdrawal-information.

    Attributes:
        security_level: The security level.
        fee_level: The fee level.
        email_verified: Whether the mail address is verified.
        identity_auth_verified: Whether the person is verified.
        bank_account_verified: Whether the bank account is verified.
        two_factor_auth_verified: Whether a second factor is set up, or ``None``; where it is told is a knob.
        locked: Whether the account is protected.
        wallet_locked: Whether withdrawals are locked.
    """

    security_level: int = 4
    fee_level: int = 0
    email_verified: bool = True
    identity_auth_verified: bool = True
    bank_account_verified: bool = True
    two_factor_auth_verified: bool | None = True
    locked: bool = False
    wallet_locked: bool = False


@attrs.frozen(kw_only=True)
class RegisteredAddress:
    """An address to which the API may withdraw.

    See https://global-docs.upbit.com/reference/list-withdrawal-addresses; the last five are told in Singapore
    and Korea only.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        network_name: The network's name, for display only.
        withdraw_address: The address.
        secondary_address: The tag or memo that has to be sent along, if any.
        beneficiary_name: The owner's name.
        beneficiary_company_name: The owning company.
        beneficiary_type: ``individual`` or ``corporate``.
        exchange_name: The exchange that issued the address.
        wallet_type: The personal wallet's product name.
    """

    currency: str
    net_type: str
    network_name: str
    withdraw_address: str
    secondary_address: str | None = None
    beneficiary_name: str | None = None
    beneficiary_company_name: str | None = None
    beneficiary_type: str | None = None
    exchange_name: str | None = None
    wallet_type: str | None = None

    @property
    def destination(self) -> tuple[str, str, str, str | None]:
        """What a withdrawal has to match: currency, network, address and memo."""
        return self.currency, self.net_type, self.withdraw_address, self.secondary_address


@attrs.define(kw_only=True)
class AccountRecord:
    """One member's account.

    Attributes:
        balances: What it holds, by currency.
        member_level: Its standing.
        addresses: Where the API may withdraw to, in the order in which they are listed.
        remaining_daily_fiat: What may still be withdrawn today, in fiat; told, not enforced.
        withdraw_delayed_fiat: What the delay rule holds back, in fiat; told, not enforced.
    """

    balances: defaultdict[str, Balance] = attrs.field(factory=lambda: defaultdict(Balance))
    member_level: MemberLevelRecord = attrs.field(factory=MemberLevelRecord)
    addresses: list[RegisteredAddress] = attrs.field(factory=list[RegisteredAddress])
    remaining_daily_fiat: Decimal = Decimal(1_000_000)
    withdraw_delayed_fiat: Decimal = _ZERO

    def balance(self, currency: str) -> Balance:
        """A copy of what the account holds of a currency; zero when it never held any."""
        return attrs.evolve(self.balances[currency]) if currency in self.balances else Balance()

    def fund(self, currency: str, amount: Decimal) -> None:
        """Adds to what is available; a negative amount takes away."""
        self.balances[currency].available += amount

    def hold(self, currency: str, amount: Decimal) -> None:
        """Moves an amount from available to locked."""
        self.balances[currency].available -= amount
        self.balances[currency].locked += amount

    def release(self, currency: str, amount: Decimal) -> None:
        """Moves an amount from locked back to available."""
        self.hold(currency, -amount)

    def spend(self, currency: str, amount: Decimal) -> None:
        """Takes a locked amount out of the account for good."""
        self.balances[currency].locked -= amount

    def has_registered(self, destination: tuple[str, str, str, str | None]) -> bool:
        """Whether the API may withdraw to (currency, net_type, address, secondary_address)."""
        return any(address.destination == destination for address in self.addresses)
