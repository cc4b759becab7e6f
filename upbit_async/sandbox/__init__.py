"""A local Upbit to develop and test against.

`Sandbox` speaks the documented API on honest books, with the exchange's limits, and breaks on request in the
ways that cost money. It reads the rules by itself: what signs and decodes in this library is not used here.
"""

from upbit_async.sandbox.exchange.assets import Wallet
from upbit_async.sandbox.exchange.deposits import Deposit
from upbit_async.sandbox.exchange.ledger import Entry
from upbit_async.sandbox.exchange.plan import Plan, Step
from upbit_async.sandbox.exchange.travel_rule import Vasp
from upbit_async.sandbox.exchange.withdrawals import Withdrawal
from upbit_async.sandbox.faults import Fault
from upbit_async.sandbox.knobs import Knobs, Named
from upbit_async.sandbox.messages import Received
from upbit_async.sandbox.sandbox import Sandbox

__all__ = [
    "Deposit",
    "Entry",
    "Fault",
    "Knobs",
    "Named",
    "Plan",
    "Received",
    "Sandbox",
    "Step",
    "Vasp",
    "Wallet",
    "Withdrawal",
]
