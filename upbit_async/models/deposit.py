"""Models of deposits and deposit addresses."""

from __future__ import annotations

import datetime as dt

import attrs

from upbit_async.models._base import NEVER_IGNORED, Amount, in_utc, none_if_empty
from upbit_async.models.states import DepositState, TransactionType

__all__ = ["Deposit", "DepositAddress", "DepositAddressRequest", "DepositChance"]


@attrs.frozen(kw_only=True)
class Deposit:
    """One deposit. The sender's address is in no answer of Upbit's.

    `state` alone tells what became of it: `done_at` may be set while it is still ``TRAVEL_RULE_SUSPECTED``.
    See https://global-docs.upbit.com/reference/get-deposit.

    Attributes:
        type: ``deposit``.
        uuid: The deposit's id.
        currency: The currency's code.
        net_type: The network's identifier; None for fiat.
        txid: The transaction's id, or a bank's reference (``BKD-…``) for fiat.
        state: How far the deposit is.
        created_at: When it was seen. None only when Upbit's text is no time.
        done_at: When it ended, or was first held back.
        amount: How much.
        fee: What Upbit took for it.
        transaction_type: Over the chain, or inside Upbit.
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

    It may lag behind by minutes. See https://global-docs.upbit.com/reference/available-deposit-information.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        is_deposit_possible: Whether deposits are possible now.
        deposit_impossible_reason: Why not, for people; None or empty if they are.
        minimum_deposit_amount: The smallest deposit. A smaller one is never credited and can't be returned.
        minimum_deposit_confirmations: After how many blocks a deposit is credited.
        decimal_precision: How many decimals of an amount are credited.
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
    """Where others send a currency to. See https://global-docs.upbit.com/reference/get-deposit-address.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier; old answers lack it.
        deposit_address: The address; None as long as it is being generated.
        secondary_address: Its tag or memo; where there is one, a deposit without it is credited to nobody.
    """

    currency: str
    net_type: str | None = None
    deposit_address: str | None = None
    secondary_address: str | None = attrs.field(default=None, metadata=NEVER_IGNORED)

    def __attrs_post_init__(self) -> None:
        none_if_empty(self, "deposit_address", "secondary_address")


@attrs.frozen(kw_only=True)
class DepositAddressRequest:
    """What Upbit says to a request for an address: the address, or that it is being generated.

    The two are told apart by their members, not by the status.
    See https://global-docs.upbit.com/reference/create-deposit-address.

    Attributes:
        success: True if the request was taken; None if the address is there.
        message: What is being done, for people; None if the address is there.
        currency: The currency's code, with the address.
        net_type: The network's identifier, with the address.
        deposit_address: The address.
        secondary_address: Its tag or memo.
    """

    success: bool | None = None
    message: str | None = None
    currency: str | None = None
    net_type: str | None = None
    deposit_address: str | None = None
    secondary_address: str | None = attrs.field(default=None, metadata=NEVER_IGNORED)

    def __attrs_post_init__(self) -> None:
        if self.success is False:
            raise ValueError("no success")  # whatever that may mean: no document has it
        if self.success is None and self.currency is None:
            raise ValueError("neither an address nor word of one")
