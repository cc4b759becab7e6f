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
    """One withdrawal. Upbit never returns the destination address.

    Only `state` says how the withdrawal ended; neither `done_at` nor `is_cancelable` does.
    See https://global-docs.upbit.com/reference/get-withdrawal.

    Attributes:
        type: Always ``withdraw``.
        uuid: Id of the withdrawal.
        currency: Currency code.
        net_type: Network identifier; None for fiat, and missing in some answers.
        txid: Id of the transaction; None until there is one.
        state: State of the withdrawal.
        created_at: Time of the request; None only if Upbit's text is no time.
        done_at: Time at which the withdrawal ended.
        amount: Amount. Upbit does not document whether it includes the fee.
        fee: Fee that Upbit charged.
        transaction_type: Whether the transfer is on the chain or between Upbit accounts.
        is_cancelable: Whether the withdrawal could be cancelled at the time of the answer.

    Example:
        .. code-block:: python

            withdrawal = await client.withdraws.latest()
            print(withdrawal.state, withdrawal.amount, withdrawal.txid)
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
    """Registered withdrawal address.

    See https://global-docs.upbit.com/reference/list-withdrawal-addresses. Upbit returns the last five fields in
    Singapore and Korea only.

    Attributes:
        currency: Currency code.
        net_type: Network identifier, as used in a withdrawal.
        network_name: Name of the network, for display only.
        withdraw_address: Destination.
        secondary_address: Tag or memo. If there is one, it must be sent with the withdrawal.
        beneficiary_name: Name of the owner.
        beneficiary_company_name: Name of the owning company.
        beneficiary_type: ``individual`` or ``corporate``.
        exchange_name: Exchange that issued the address.
        wallet_type: Product of the personal wallet, such as MetaMask.

    Example:
        .. code-block:: python

            for address in await client.withdraws.addresses("USDT"):
                print(address.net_type, address.withdraw_address, address.secondary_address)
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
    """Security state of the account, and what blocks its withdrawals.

    Attributes:
        security_level: Security level of the account.
        fee_level: Fee level of the account.
        email_verified: Whether the e-mail address is verified.
        identity_auth_verified: Whether the identity is verified.
        bank_account_verified: Whether the bank account is verified.
        two_factor_auth_verified: Whether the second factor is verified; some regions omit it.
        locked: Whether the account is locked.
        wallet_locked: Whether withdrawals of the account are locked.

    Example:
        .. code-block:: python

            chance = await client.withdraws.chance("USDT", "TRX")
            assert not chance.member_level.wallet_locked
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
    """Currency of a withdrawal, with its fee.

    Attributes:
        code: Currency code.
        withdraw_fee: Fee of a withdrawal.
        is_coin: Whether the currency is a digital asset.
        wallet_state: Whether the wallet was *ever* supported. It does not say whether the wallet works now.
        wallet_support: What works now: ``deposit``, ``withdraw``, both or none.
        net_type: Network identifier; undocumented, and not seen so far.

    Example:
        .. code-block:: python

            chance = await client.withdraws.chance("USDT", "TRX")
            assert "withdraw" in chance.currency.wallet_support
    """

    code: str
    withdraw_fee: Amount
    wallet_support: tuple[str, ...]
    is_coin: bool | None = None
    wallet_state: WalletState | None = None
    net_type: str | None = None


@attrs.frozen(kw_only=True)
class WithdrawalLimit:
    """Limits of a withdrawal.

    Attributes:
        currency: Currency code.
        onetime: Deprecated by Upbit.
        daily: Deprecated by Upbit.
        remaining_daily: Deprecated by Upbit, and no limit: it is 0.0 while withdrawals are possible.
        remaining_daily_fiat: Remaining limit of today for all currencies together, in `fiat_currency`.
        fiat_currency: Fiat currency of the region.
        minimum: Smallest amount.
        fixed: Number of decimals that an amount may have.
        withdraw_delayed_fiat: Amount that the delay rule holds back after fiat deposits, in fiat.
        can_withdraw: Whether withdrawals are supported in principle.

    Example:
        .. code-block:: python

            chance = await client.withdraws.chance("USDT", "TRX")
            print(chance.withdraw_limit.minimum, chance.withdraw_limit.fixed)
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
    """Whether a currency can be withdrawn, the limits, the fee and the balance.

    See https://global-docs.upbit.com/reference/available-withdrawal-information.

    Attributes:
        member_level: Security state of the account.
        currency: Currency, with its fee.
        account: Balance.
        withdraw_limit: Limits.
        net_type: Network identifier; undocumented, and not seen so far.

    Example:
        .. code-block:: python

            chance = await client.withdraws.chance("USDT", "TRX")
            available = chance.account.balance - chance.currency.withdraw_fee
    """

    member_level: MemberLevel
    currency: WithdrawalCurrency
    account: Account
    withdraw_limit: WithdrawalLimit
    net_type: str | None = None
