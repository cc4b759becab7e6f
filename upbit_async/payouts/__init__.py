"""Payouts: withdrawals with idempotency keys and a journal, at most one withdrawal for each key.

Example:
    .. code-block:: python

        from upbit_async.payouts import Payouts, SqliteJournal

        address = "TFakeTronWithdrawAddressFakeFakeFa"
        async with Payouts(client, journal=SqliteJournal("payouts.db")) as payouts:
            payout = await payouts.send(
                "invoice-42", currency="USDT", net_type="TRX", amount="13", address=address
            )

The path of one payout::

    Payouts.send       validates the arguments and adds the payout to the journal        planned
      Driver.drive     one attempt per key: concurrent calls share it
        Sender.send    one payout at a time of each amount, currency and network
          UnownedGuard compares Upbit's newest withdrawals with the journal; they are the baseline
          SendAttempt  waits for the rate limiter, then
                       1. writes nonce, baseline and lease to the journal                sending
                       2. reads the row again: only an unchanged row lets the first byte out
                       3. sends the request
                       4. writes the answer, even if its caller was cancelled            accepted, declined
                          or that the answer is lost                                     unknown
      Settler          for a lost answer: waits for the settling time, reads the list back to the baseline,
                       and writes the conclusion                       accepted, not_sent, needs_review
      Settler.follow   polls the accepted withdrawal until it has ended                  done, failed, …

If the process crashes between two of these steps, `Payouts.recover` continues from the journal.

The files, from the entry point down:

- `payouts`: the class `Payouts`. `resolving`: its methods for manual decisions. `arguments`: validation.
- `driver`: advances one payout. `sending`: sends it when that is safe. `send_attempt`: sends one copy of its request.
- `unowned`: blocks a payout that a withdrawal unknown to the journal may have paid. `baseline`: reads Upbit's list.
- `settling`: determines the outcome of a lost answer, and follows accepted payouts. `waiting`: waits up to a deadline.
- `repository`: applies state changes to the journal, and reports them.
- `journal`: the interface of a journal. `sqlite/`: a journal in a file. `memory`: one in memory, for tests.

Pure, without I/O and clocks:

- `payout`: the record of a payout, its states, and the edges between them.
- `transitions`: state changes by what happens to a request. `manual`: state changes by manual decisions.
- `decision`: the conclusion from Upbit's list and the journal about a payout whose answer was lost.
- `journal_time`: the time of leases and settling. `row_mac`: authentication of the journal's rows.
"""

from __future__ import annotations

from upbit_async.payouts.journal import ConflictingPayout, Journal, Related, StaleRevision
from upbit_async.payouts.journal_time import JournalTime, Moment
from upbit_async.payouts.manual import ManualDecision
from upbit_async.payouts.memory import MemoryJournal
from upbit_async.payouts.payout import Evidence, HistoryEntry, MatchCriteria, Payout, PayoutState, SentRequest
from upbit_async.payouts.payouts import Payouts
from upbit_async.payouts.sqlite import SqliteJournal

__all__ = [
    "ConflictingPayout",
    "Evidence",
    "HistoryEntry",
    "Journal",
    "JournalTime",
    "ManualDecision",
    "MatchCriteria",
    "MemoryJournal",
    "Moment",
    "Payout",
    "PayoutState",
    "Payouts",
    "Related",
    "SentRequest",
    "SqliteJournal",
    "StaleRevision",
]
