"""States of wallets, chains and transfers."""

from __future__ import annotations

from upbit_async.models._base import OpenEnum

__all__ = ["BlockState", "DepositState", "TransactionType", "WalletState", "WithdrawalState"]


class WalletState(OpenEnum):
    """State of a wallet. See https://global-docs.upbit.com/reference/get-service-status."""

    WORKING = "working"
    """Deposits and withdrawals are possible."""
    WITHDRAW_ONLY = "withdraw_only"
    """Only withdrawals are possible. Do not publish the deposit address."""
    DEPOSIT_ONLY = "deposit_only"
    """Only deposits are possible. Withdraw later."""
    PAUSED = "paused"
    """Neither is possible, such as during maintenance. Try again later; see `Region.wallet_status_page`."""
    UNSUPPORTED = "unsupported"
    """Upbit does not support the wallet. Use another network."""

    @property
    def can_withdraw(self) -> bool:
        """Whether withdrawals are possible; False for an unknown state."""
        return self in {WalletState.WORKING, WalletState.WITHDRAW_ONLY}

    @property
    def can_deposit(self) -> bool:
        """Whether deposits are possible; False for an unknown state."""
        return self in {WalletState.WORKING, WalletState.DEPOSIT_ONLY}


class BlockState(OpenEnum):
    """State of a chain. See https://global-docs.upbit.com/reference/get-service-status."""

    NORMAL = "normal"
    """Blocks arrive as usual."""
    DELAYED = "delayed"
    """Blocks arrive late. Expect transfers to take longer."""
    INACTIVE = "inactive"
    """Upbit does not maintain the data of the chain, such as during maintenance. Decide by the wallet's state."""


class TransactionType(OpenEnum):
    """Route of a transfer: over the chain, or between Upbit accounts."""

    DEFAULT = "default"
    """Transfer over the chain."""
    INTERNAL = "internal"
    """Transfer between two Upbit accounts, without a fee."""


class WithdrawalState(OpenEnum):
    """State of a withdrawal. See https://global-docs.upbit.com/docs/digital-asset-withdrawal."""

    WAITING = "WAITING"
    """Upbit has accepted the withdrawal and not started it. Wait; it may still be cancelable."""
    PROCESSING = "PROCESSING"
    """Upbit is executing the withdrawal. Wait."""
    DONE = "DONE"
    """The withdrawal is paid. Nothing is left to do."""
    FAILED = "FAILED"
    """The withdrawal failed, and is not paid. Find the cause before a new withdrawal."""
    CANCELLED = "CANCELLED"
    """The withdrawal was cancelled, and is not paid. Create a new one if it is still needed."""
    REJECTED = "REJECTED"
    """Upbit refused to execute the withdrawal, and it is not paid. Contact Upbit before a new withdrawal."""

    @property
    def is_final(self) -> bool:
        """Whether the state can't change any more; False for an unknown state."""
        return self in _FINAL_WITHDRAWAL

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Return the spellings of older versions of the API."""
        return _OLD_WITHDRAWAL_SPELLINGS


_FINAL_WITHDRAWAL = frozenset(
    {
        WithdrawalState.DONE,
        WithdrawalState.FAILED,
        WithdrawalState.CANCELLED,
        WithdrawalState.REJECTED,
    }
)
_OLD_WITHDRAWAL_SPELLINGS = {
    "submitting": "waiting",
    "submitted": "waiting",
    "almost_accepted": "waiting",
    "accepted": "processing",
    "canceled": "cancelled",
}


class DepositState(OpenEnum):
    """State of a deposit. See https://global-docs.upbit.com/reference/list-deposits."""

    PROCESSING = "PROCESSING"
    """The transfer was seen and is not credited. Wait."""
    ACCEPTED = "ACCEPTED"
    """The deposit is credited. Nothing is left to do."""
    CANCELLED = "CANCELLED"
    """The deposit was cancelled, and is not credited. Ask the sender."""
    REJECTED = "REJECTED"
    """Upbit refused the deposit, and it is not credited. Contact Upbit."""
    TRAVEL_RULE_SUSPECTED = "TRAVEL_RULE_SUSPECTED"
    """The deposit has arrived and is not credited. Verify its sender with `client.travel_rule`."""
    REFUNDING = "REFUNDING"
    """Upbit is returning the deposit to its sender. Wait."""
    REFUNDED = "REFUNDED"
    """The deposit was returned to its sender, and is not credited. Ask the sender."""

    @property
    def is_final(self) -> bool:
        """Whether the state can't change any more; False for an unknown state."""
        return self in _FINAL_DEPOSIT

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Return the spellings of older versions of the API."""
        return {"canceled": "cancelled"}


_FINAL_DEPOSIT = frozenset(
    {
        DepositState.ACCEPTED,
        DepositState.CANCELLED,
        DepositState.REJECTED,
        DepositState.REFUNDED,
    }
)
