"""Models of Upbit's answers: frozen classes with Upbit's own field names.

Amounts are `decimal.Decimal` and times are aware `datetime.datetime`. States are open enums: a value that this library
does not know is kept, and its ``known`` is False. Null and absent fields are equal.
"""

from __future__ import annotations

from upbit_async.models._base import OpenEnum
from upbit_async.models.account import Account, ApiKey
from upbit_async.models.deposit import Deposit, DepositAddress, DepositAddressRequest, DepositChance
from upbit_async.models.intent import Intent
from upbit_async.models.states import (
    BlockState,
    DepositState,
    TransactionType,
    WalletState,
    WithdrawalState,
)
from upbit_async.models.travel_rule import TravelRuleVerification, Vasp
from upbit_async.models.wallet import WalletStatus
from upbit_async.models.withdrawal import (
    MemberLevel,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalChance,
    WithdrawalCurrency,
    WithdrawalLimit,
)

__all__ = [
    "Account",
    "ApiKey",
    "BlockState",
    "Deposit",
    "DepositAddress",
    "DepositAddressRequest",
    "DepositChance",
    "DepositState",
    "Intent",
    "MemberLevel",
    "OpenEnum",
    "TransactionType",
    "TravelRuleVerification",
    "Vasp",
    "WalletState",
    "WalletStatus",
    "Withdrawal",
    "WithdrawalAddress",
    "WithdrawalChance",
    "WithdrawalCurrency",
    "WithdrawalLimit",
    "WithdrawalState",
]
