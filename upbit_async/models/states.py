"""States of wallets, chains and transfers."""

from __future__ import annotations

from upbit_async.models._base import OpenEnum

__all__ = ["BlockState", "DepositState", "TransactionType", "WalletState", "WithdrawalState"]


class WalletState(OpenEnum):
    """What a wallet can do. See https://global-docs.upbit.com/reference/get-service-status."""

    WORKING = "working"
    WITHDRAW_ONLY = "withdraw_only"
    DEPOSIT_ONLY = "deposit_only"
    PAUSED = "paused"
    UNSUPPORTED = "unsupported"

    @property
    def can_withdraw(self) -> bool:
        """Whether withdrawals are possible; an unknown state counts as no."""
        return self in {WalletState.WORKING, WalletState.WITHDRAW_ONLY}

    @property
    def can_deposit(self) -> bool:
        """Whether deposits are possible; an unknown state counts as no."""
        return self in {WalletState.WORKING, WalletState.DEPOSIT_ONLY}


class BlockState(OpenEnum):
    """How a chain fares. ``inactive`` says that its data is not maintained, not that it is closed."""

    NORMAL = "normal"
    DELAYED = "delayed"
    INACTIVE = "inactive"


class TransactionType(OpenEnum):
    """The way a transfer takes: over the chain, or inside Upbit."""

    DEFAULT = "default"
    INTERNAL = "internal"


class WithdrawalState(OpenEnum):
    """How far a withdrawal is. See https://global-docs.upbit.com/docs/digital-asset-withdrawal."""

    WAITING = "WAITING"
    PROCESSING = "PROCESSING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen; an unknown state counts as no."""
        return self in _FINAL_WITHDRAWAL

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Words of older versions of the API."""
        return _OLD_WITHDRAWAL_WORDS


_FINAL_WITHDRAWAL = frozenset(
    {
        WithdrawalState.DONE,
        WithdrawalState.FAILED,
        WithdrawalState.CANCELLED,
        WithdrawalState.REJECTED,
    }
)
_OLD_WITHDRAWAL_WORDS = {
    "submitting": "waiting",
    "submitted": "waiting",
    "almost_accepted": "waiting",
    "accepted": "processing",
    "canceled": "cancelled",
}


class DepositState(OpenEnum):
    """How far a deposit is. See https://global-docs.upbit.com/reference/list-deposits."""

    PROCESSING = "PROCESSING"
    ACCEPTED = "ACCEPTED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    TRAVEL_RULE_SUSPECTED = "TRAVEL_RULE_SUSPECTED"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen; an unknown state counts as no."""
        return self in _FINAL_DEPOSIT

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Words of older versions of the API."""
        return {"canceled": "cancelled"}


_FINAL_DEPOSIT = frozenset(
    {
        DepositState.ACCEPTED,
        DepositState.CANCELLED,
        DepositState.REJECTED,
        DepositState.REFUNDED,
    }
)
