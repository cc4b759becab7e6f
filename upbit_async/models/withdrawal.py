"""Models of withdrawals, their limits and registered addresses."""

from __future__ import annotations

import datetime as dt

import attrs

from upbit_async.models._base import NEVER_IGNORED, Amount, in_utc
from upbit_async.models.account import Account
from upbit_async.models.states import TransactionType, WalletState, WithdrawalState

__all__ = [
    "MemberLevel",
    "Withdrawal",
    "WithdrawalAddress",
    "WithdrawalChance",
    "WithdrawalCurrency",
    "WithdrawalLimit",
]


@attrs.frozen(kw_only=True)
class Withdrawal:
    """One withdrawal. The destination address is in no answer of Upbit's.

    `state` alone tells what became of it: neither `done_at` nor `is_cancelable` does.
    See https://global-docs.upbit.com/reference/get-withdrawal.

    Attributes:
        type: ``withdraw``.
        uuid: The withdrawal's id.
        currency: The currency's code.
        net_type: The network's identifier; None for fiat, and missing in some answers.
        txid: The transaction's id, once it is known.
        state: How far the withdrawal is.
        created_at: When it was asked for. None only when Upbit's text is no time.
        done_at: When it ended.
        amount: How much; whether the fee is inside is undocumented.
        fee: What Upbit took for it.
        transaction_type: Over the chain, or inside Upbit.
        is_cancelable: Whether it could be cancelled at the moment of the answer.
    """

    uuid: str
    currency: str
    state: WithdrawalState
    amount: Amount
    type: str = "withdraw"
    net_type: str | None = None
    txid: str | None = None
    created_at: dt.datetime | None = None
    done_at: dt.datetime | None = None
    fee: Amount | None = None
    transaction_type: TransactionType | None = None
    is_cancelable: bool | None = None

    def __attrs_post_init__(self) -> None:
        if not self.uuid:
            raise ValueError("a withdrawal without a uuid")
        in_utc(self, "created_at", "done_at")


@attrs.frozen(kw_only=True)
class WithdrawalAddress:
    """One address on the account's allowlist.

    See https://global-docs.upbit.com/reference/list-withdrawal-addresses. The last five members are told
    in Singapore and Korea only.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier, to be used in a withdrawal.
        network_name: The network's name, for display only.
        withdraw_address: The destination.
        secondary_address: Its tag or memo; where there is one it must be sent along.
        beneficiary_name: The owner's name.
        beneficiary_company_name: The owning company's name.
        beneficiary_type: ``individual`` or ``corporate``.
        exchange_name: The exchange that issued the address.
        wallet_type: The personal wallet's product, such as MetaMask.
    """

    currency: str
    withdraw_address: str
    net_type: str | None = None
    network_name: str | None = None
    secondary_address: str | None = attrs.field(default=None, metadata=NEVER_IGNORED)
    beneficiary_name: str | None = None
    beneficiary_company_name: str | None = None
    beneficiary_type: str | None = None
    exchange_name: str | None = None
    wallet_type: str | None = None


@attrs.frozen(kw_only=True)
class MemberLevel:
    """What the account's owner may do.

    Attributes:
        security_level: The account's security level.
        fee_level: The account's fee level.
        email_verified: Whether the e-mail address is verified.
        identity_auth_verified: Whether the identity is verified.
        bank_account_verified: Whether the bank account is verified.
        two_factor_auth_verified: Whether the second factor is verified; not told everywhere.
        locked: Whether the account is locked.
        wallet_locked: Whether withdrawals are locked.
    """

    locked: bool
    wallet_locked: bool
    security_level: int | None = None
    fee_level: int | None = None
    email_verified: bool | None = None
    identity_auth_verified: bool | None = None
    bank_account_verified: bool | None = None
    two_factor_auth_verified: bool | None = None


@attrs.frozen(kw_only=True)
class WithdrawalCurrency:
    """The currency's side of a withdrawal.

    Attributes:
        code: The currency's code.
        withdraw_fee: The fee.
        is_coin: Whether it is a digital asset.
        wallet_state: Whether the wallet was *ever* supported; it does not tell whether it works now.
        wallet_support: What works now: ``deposit``, ``withdraw``, both or nothing.
        net_type: The network's identifier; undocumented, and missing so far.
    """

    code: str
    withdraw_fee: Amount
    wallet_support: tuple[str, ...]
    is_coin: bool | None = None
    wallet_state: WalletState | None = None
    net_type: str | None = None


@attrs.frozen(kw_only=True)
class WithdrawalLimit:
    """The limits of a withdrawal.

    Attributes:
        currency: The currency's code.
        onetime: Deprecated by Upbit.
        daily: Deprecated by Upbit.
        remaining_daily: Deprecated by Upbit, and no cap: it reads 0.0 while withdrawals are possible.
        remaining_daily_fiat: What may still leave today, in `fiat_currency`, all currencies together.
        fiat_currency: The region's fiat.
        minimum: The smallest amount.
        fixed: How many decimals an amount may have.
        withdraw_delayed_fiat: What the delay rule holds back after fiat deposits, in fiat.
        can_withdraw: Whether withdrawals are supported in principle.
    """

    currency: str
    onetime: Amount | None = None
    daily: Amount | None = None
    remaining_daily: Amount | None = None
    remaining_daily_fiat: Amount | None = None
    fiat_currency: str | None = None
    minimum: Amount | None = None
    fixed: int | None = None
    withdraw_delayed_fiat: Amount | None = None
    can_withdraw: bool | None = None


@attrs.frozen(kw_only=True)
class WithdrawalChance:
    """Whether and how much of a currency can be withdrawn.

    See https://global-docs.upbit.com/reference/available-withdrawal-information.

    Attributes:
        member_level: The account's owner.
        currency: The currency.
        account: The balance.
        withdraw_limit: The limits.
        net_type: The network's identifier; undocumented, and missing so far.
    """

    member_level: MemberLevel
    currency: WithdrawalCurrency
    account: Account
    withdraw_limit: WithdrawalLimit
    net_type: str | None = None
