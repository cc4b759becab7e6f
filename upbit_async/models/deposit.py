"""Models of deposits and deposit addresses."""

from __future__ import annotations

import datetime as dt

import attrs

from upbit_async.models._base import NEVER_IGNORED, Amount, in_utc, none_if_empty
from upbit_async.models.states import DepositState, TransactionType

__all__ = ["Deposit", "DepositAddress", "DepositAddressRequest", "DepositChance"]


@attrs.frozen(kw_only=True)
class Deposit:
    """One deposit. Upbit never returns the address of the sender.

    Only `state` says how the deposit ended: `done_at` may be set while the state is still ``TRAVEL_RULE_SUSPECTED``.
    See https://global-docs.upbit.com/reference/get-deposit.

    Attributes:
        type: Always ``deposit``.
        uuid: Id of the deposit.
        currency: Currency code.
        net_type: Network identifier; None for fiat.
        txid: Id of the transaction; for fiat the bank's reference (``BKD-…``).
        state: State of the deposit.
        created_at: Time at which Upbit saw the deposit; None only if Upbit's text is no time.
        done_at: Time at which the deposit ended, or was first held back.
        amount: Amount.
        fee: Fee that Upbit charged.
        transaction_type: Whether the transfer was on the chain or between Upbit accounts.

    Example:
        .. code-block:: python

            deposit = await client.deposits.latest()
            print(deposit.state, deposit.amount, deposit.currency)
    """

    uuid: str
    currency: str
    state: DepositState
    amount: Amount
    type: str = "deposit"
    net_type: str | None = None
    txid: str | None = None
    created_at: dt.datetime | None = None
    done_at: dt.datetime | None = None
    fee: Amount | None = None
    transaction_type: TransactionType | None = None

    def __attrs_post_init__(self) -> None:
        if not self.uuid:
            raise ValueError("a deposit without a uuid")
        in_utc(self, "created_at", "done_at")


@attrs.frozen(kw_only=True)
class DepositChance:
    """Whether a currency can be deposited over a network.

    It may be minutes old. See https://global-docs.upbit.com/reference/available-deposit-information.

    Attributes:
        currency: Currency code.
        net_type: Network identifier.
        is_deposit_possible: Whether deposits are possible now.
        deposit_impossible_reason: Reason for display, if they are not; otherwise None or empty.
        minimum_deposit_amount: Smallest deposit. A smaller one is never credited and can't be returned.
        minimum_deposit_confirmations: Number of confirmations after which a deposit is credited.
        decimal_precision: Number of decimals that are credited.

    Example:
        .. code-block:: python

            chance = await client.deposits.chance("USDT", "TRX")
            assert chance.is_deposit_possible, chance.deposit_impossible_reason
    """

    currency: str
    is_deposit_possible: bool
    minimum_deposit_amount: Amount
    net_type: str | None = None
    deposit_impossible_reason: str | None = None
    minimum_deposit_confirmations: int | None = None
    decimal_precision: int | None = None


@attrs.frozen(kw_only=True)
class DepositAddress:
    """Deposit address of a currency. See https://global-docs.upbit.com/reference/get-deposit-address.

    Attributes:
        currency: Currency code.
        net_type: Network identifier; missing in old answers.
        deposit_address: Address; None while Upbit generates it.
        secondary_address: Tag or memo. If there is one, a deposit without it is not credited.

    Example:
        .. code-block:: python

            address = await client.deposits.create_address("USDT", "TRX")
            print(address.deposit_address, address.secondary_address)
    """

    currency: str
    net_type: str | None = None
    deposit_address: str | None = None
    secondary_address: str | None = attrs.field(default=None, metadata=NEVER_IGNORED)

    def __attrs_post_init__(self) -> None:
        none_if_empty(self, "deposit_address", "secondary_address")


@attrs.frozen(kw_only=True)
class DepositAddressRequest:
    """Answer to a request for an address: the address, or a note that Upbit generates it.

    The members tell the two apart, not the status. `client.deposits.create_address` returns a `DepositAddress` instead.
    See https://global-docs.upbit.com/reference/create-deposit-address.

    Attributes:
        success: True if Upbit generates the address; None if the address is included.
        message: Note for display; None if the address is included.
        currency: Currency code, with the address.
        net_type: Network identifier, with the address.
        deposit_address: Address.
        secondary_address: Tag or memo.

    Example:
        .. code-block:: python

            pending = models.DepositAddressRequest(success=True, message="Creating BTC deposit address.")
            assert pending.deposit_address is None
    """

    success: bool | None = None
    message: str | None = None
    currency: str | None = None
    net_type: str | None = None
    deposit_address: str | None = None
    secondary_address: str | None = attrs.field(default=None, metadata=NEVER_IGNORED)

    def __attrs_post_init__(self) -> None:
        if self.success is False:
            raise ValueError("success is false")  # undocumented
        if self.success is None and self.currency is None:
            raise ValueError("neither success nor an address")
