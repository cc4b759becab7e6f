"""The account of one member: balances, flags and registered addresses."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import attrs

__all__ = ["AccountRecord", "Balance", "MemberLevelRecord", "RegisteredAddress"]

_ZERO = Decimal(0)


@attrs.define(kw_only=True)
class Balance:
    """Balance of the account in one currency.

    Attributes:
        available: Amount that can be spent; never includes ``locked``.
        locked: Amount held for open withdrawals.
        avg_buy_price: Average buying price, as text.
        avg_buy_price_modified: Whether the user edited that price.
    """

    available: Decimal = _ZERO
    locked: Decimal = _ZERO
    avg_buy_price: str = "0"
    avg_buy_price_modified: bool = False


@attrs.define(kw_only=True)
class MemberLevelRecord:
    """Levels, verifications and locks of the member.

    See https://global-docs.upbit.com/reference/available-withdrawal-information.

    Attributes:
        security_level: Security level.
        fee_level: Fee level.
        email_verified: Whether the mail address is verified.
        identity_auth_verified: Whether the member's identity is verified.
        bank_account_verified: Whether the bank account is verified.
        two_factor_auth_verified: Whether a second factor is set up, or ``None``; a knob hides it.
        locked: Whether the account is locked.
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
    """Address to which the API may withdraw.

    See https://global-docs.upbit.com/reference/list-withdrawal-addresses. Only Singapore and Korea return the last
    five fields.

    Attributes:
        currency: Currency code.
        net_type: Network identifier.
        network_name: Name of the network, for display only.
        withdraw_address: Address.
        secondary_address: Tag or memo of the address, if any.
        beneficiary_name: Name of the owner.
        beneficiary_company_name: Company that owns it.
        beneficiary_type: ``individual`` or ``corporate``.
        exchange_name: Exchange that issued the address.
        wallet_type: Product name of a personal wallet.
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
        """Fields that a withdrawal has to match: currency, network, address and memo."""
        return self.currency, self.net_type, self.withdraw_address, self.secondary_address


@attrs.define(kw_only=True)
class AccountRecord:
    """Account of one member.

    Attributes:
        balances: Balances by currency.
        member_level: Levels, verifications and locks.
        addresses: Addresses to which the API may withdraw, in the order in which they are listed.
        remaining_daily_fiat: Amount that may still be withdrawn today, in fiat; reported but not enforced.
        withdraw_delayed_fiat: Amount held back by the delay rule, in fiat; reported but not enforced.
    """

    balances: defaultdict[str, Balance] = attrs.field(factory=lambda: defaultdict(Balance))
    member_level: MemberLevelRecord = attrs.field(factory=MemberLevelRecord)
    addresses: list[RegisteredAddress] = attrs.field(factory=list[RegisteredAddress])
    remaining_daily_fiat: Decimal = Decimal(1_000_000)
    withdraw_delayed_fiat: Decimal = _ZERO

    def balance(self, currency: str) -> Balance:
        """Return a copy of the balance in a currency; zero if there never was any."""
        return attrs.evolve(self.balances[currency]) if currency in self.balances else Balance()

    def fund(self, currency: str, amount: Decimal) -> None:
        """Add an amount to the available balance; a negative amount is subtracted."""
        self.balances[currency].available += amount

    def hold(self, currency: str, amount: Decimal) -> None:
        """Move an amount from available to locked."""
        self.balances[currency].available -= amount
        self.balances[currency].locked += amount

    def release(self, currency: str, amount: Decimal) -> None:
        """Move an amount from locked back to available."""
        self.hold(currency, -amount)

    def spend(self, currency: str, amount: Decimal) -> None:
        """Remove a locked amount from the account."""
        self.balances[currency].locked -= amount

    def has_registered(self, destination: tuple[str, str, str, str | None]) -> bool:
        """Return whether the API may withdraw to (currency, net_type, address, secondary_address)."""
        return any(address.destination == destination for address in self.addresses)
