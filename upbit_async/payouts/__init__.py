"""Payouts: withdrawals with a key and a journal, at most one for each key.

Example:
    .. code-block:: python

        from upbit_async.payouts import Payouts, SqliteJournal

        address = "TFakeTronWithdrawAddressFakeFakeFa"
        async with Payouts(client, journal=SqliteJournal("payouts.db")) as payouts:
            payout = await payouts.send(
                "invoice-42", currency="USDT", net_type="TRX", amount="13", address=address
            )

The modules, in the order in which one `Payouts.send` uses them:

- `payouts`: what users call. `arguments`: validation, and whether two calls ask for the same payment.
- `repository`: applies and reports changes. `journal`: the interface of the store, and `sqlite`: a file.
- `driver`: advances one payout. `keyed_lock`: lets concurrent calls with one key share an attempt.
- `sending`: authorisation and repeats. `unowned` and `baseline`: compare the account's newest withdrawals with the
  journal before a first copy leaves.
- `send_attempt`: one copy of the request, recorded before its first byte, followed to its answer even if the caller is
  cancelled (`completion`).
- `settling`: the outcome of a copy whose answer is lost. `waiting`: waiting for the end, or until a deadline.
- `resolving`: manual decisions.

The pure part, without a disk, a network or a clock: `payout` (the states and the edges between them), `transitions`
and `manual` (how a payout changes its state), `decision` (the outcome by Upbit's list), `journal_moments` (journal
time), `authenticator` and `row_mac` (which rows are trusted).
"""

from __future__ import annotations

from upbit_async.payouts.journal import ConflictingPayout, Journal, Related, StaleRevision
from upbit_async.payouts.journal_time import JournalTime, Moment
from upbit_async.payouts.manual import ManualDecision
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
    "Moment",
    "Payout",
    "PayoutState",
    "Payouts",
    "Related",
    "SentRequest",
    "SqliteJournal",
    "StaleRevision",
]
