"""Payouts: exactly one withdrawal per key, whatever happens.

::

    from upbit_async.payouts import Payouts, SqliteJournal

    async with Payouts(client, journal=SqliteJournal("payouts.db")) as payouts:
        payout = await payouts.send("invoice-42", currency="USDT", net_type="TRX", amount="13", address="T…")

The rooms, in the order in which one `Payouts.send` goes through them:

- `payouts`: what users call. `request`: what is asked for, and whether it is the same as before.
- `books`: the journal as all others use it. `journal`: what keeps payouts. `sqlite`: a file that does.
- `turns`: who wants the same thing goes one by one.
- `sending`: the `baseline` is taken and the way is free. `passage`: one copy of the request, from the moment before its
  first byte to its answer, seen to its end (`protected`) even if the caller has gone.
- `settling`: what became of a copy whose answer is lost. `waiting`: until the end, or until a deadline.
- `resolving`: what a person has found out, or decided.

And what they all turn on, without a disk, a network or a clock: `payout` (the states and the edges between them),
`transitions` (what happens to a payout), `verdict` (what Upbit's list says of one).
"""

from __future__ import annotations

from upbit_async.payouts.journal import Journal, Outdated, Taken
from upbit_async.payouts.payout import Departure, Evidence, Kind, Payout, PayoutState, Step
from upbit_async.payouts.payouts import Payouts
from upbit_async.payouts.sqlite import SqliteJournal

__all__ = [
    "Departure",
    "Evidence",
    "Journal",
    "Kind",
    "Outdated",
    "Payout",
    "PayoutState",
    "Payouts",
    "SqliteJournal",
    "Step",
    "Taken",
]
