"""Local Upbit to develop and test against.

`Sandbox` implements the documented wallet API with exact accounting and Upbit's rate limits. It injects faults that
would cost money in production, such as a lost answer. It implements the rules independently: it uses none of the
client's code for signing and decoding, so that the two can't share a mistake.
"""

from upbit_async.sandbox.exchange.assets import WalletRecord
from upbit_async.sandbox.exchange.ledger import LedgerEntry
from upbit_async.sandbox.exchange.transfers import DepositRecord, WithdrawalRecord
from upbit_async.sandbox.exchange.transitions import Transition, Transitions
from upbit_async.sandbox.exchange.travel_rule import VaspRecord
from upbit_async.sandbox.faults import Fault
from upbit_async.sandbox.knobs import ErrorSpec, Knobs
from upbit_async.sandbox.messages import RequestRecord, SandboxRequest, SandboxResponse
from upbit_async.sandbox.sandbox import Sandbox

__all__ = [
    "DepositRecord",
    "ErrorSpec",
    "Fault",
    "Knobs",
    "LedgerEntry",
    "RequestRecord",
    "Sandbox",
    "SandboxRequest",
    "SandboxResponse",
    "Transition",
    "Transitions",
    "VaspRecord",
    "WalletRecord",
    "WithdrawalRecord",
]
