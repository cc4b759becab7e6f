"""A local Upbit to develop and test against.

`Sandbox` speaks the documented API on honest books, with the exchange's limits, and breaks on request in the
ways that cost money. It reads the rules by itself: what signs and decodes in this library is not used here.
"""

from upbit_async.sandbox.exchange.assets import WalletRecord
from upbit_async.sandbox.exchange.deposits import DepositRecord
from upbit_async.sandbox.exchange.ledger import LedgerEntry
from upbit_async.sandbox.exchange.transitions import Transition, Transitions
from upbit_async.sandbox.exchange.travel_rule import VaspRecord
from upbit_async.sandbox.exchange.withdrawals import WithdrawalRecord
from upbit_async.sandbox.faults import Fault
from upbit_async.sandbox.knobs import ErrorSpec, Knobs
from upbit_async.sandbox.messages import RequestRecord
from upbit_async.sandbox.sandbox import Sandbox

__all__ = [
    "DepositRecord",
    "ErrorSpec",
    "Fault",
    "Knobs",
    "LedgerEntry",
    "RequestRecord",
    "Sandbox",
    "Transition",
    "Transitions",
    "VaspRecord",
    "WalletRecord",
    "WithdrawalRecord",
]
