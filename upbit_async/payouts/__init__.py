"""Payouts: exactly one withdrawal per key, whatever happens.

::

    from upbit_async.payouts import Payouts, SqliteJournal

    async with Payouts(client, journal=SqliteJournal("payouts.db")) as payouts:
        payout = await payouts.send("invoice-42", currency="USDT", net_type="TRX", amount="13", address="T…")
"""

from __future__ import annotations

from upbit_async.payouts.journal import Journal, Outdated, Taken
from upbit_async.payouts.payout import Departure, Evidence, Payout, PayoutState, Step
from upbit_async.payouts.payouts import Payouts
from upbit_async.payouts.sqlite import SqliteJournal

__all__ = [
    "Departure",
    "Evidence",
    "Journal",
    "Outdated",
    "Payout",
    "PayoutState",
    "Payouts",
    "SqliteJournal",
    "Step",
    "Taken",
]
