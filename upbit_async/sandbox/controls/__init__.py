"""What tests hold in their hands, also while the sandbox is served."""

from upbit_async.sandbox.controls.account import AccountControl
from upbit_async.sandbox.controls.transfers import DepositControl, WithdrawalControl

__all__ = ["AccountControl", "DepositControl", "WithdrawalControl"]
