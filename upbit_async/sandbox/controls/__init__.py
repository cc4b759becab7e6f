"""Test-side controls of the sandbox, which work without requests, also while it is served."""

from upbit_async.sandbox.controls.account import AccountControl
from upbit_async.sandbox.controls.transfers import DepositControl, WithdrawalControl

__all__ = ["AccountControl", "DepositControl", "WithdrawalControl"]
