"""Payouts: withdrawals with idempotency keys and a journal, at most one withdrawal for each key.

Example:
    .. code-block:: python

        from upbit_async.payouts import Payouts, SqliteJournal

        address = "TFakeTronWithdrawAddressFakeFakeFa"
        async with Payouts(client, SqliteJournal("payouts.db")).running() as payouts:
            await payouts.enqueue("invoice-42", currency="USDT", net_type="TRX", amount="13", address=address)
            (await payouts.wait("invoice-42", timeout=3600)).raise_for_state()

The path of one payout, and what the journal shows if the process crashes or the caller is cancelled at a step::

    step                                                                  journal      crashed      cancelled
    Payouts.enqueue        adds the payout to the journal                 queued       queued       queued
    Payouts.run, or send   takes a queued payout; send also one that      queued       queued       queued
                           the journal does not have yet                  no row       no row       no row
      Driver.drive         lets one call per key pass, and checks it
        Sender.send        lets one payout with the same criteria pass
          UnownedCheck     compares Upbit's newest withdrawals with
                           the journal; they are the baseline
          SendAttempt.run
            Transport      waits for a connection slot and the limiter
              record_departure    commits nonce, baseline and lease       sending      unknown (1)  as before (3)
              connect, TLS                                                sending      unknown (1)  as before (3)
              may_send     reads the row again: is it this copy?          sending      unknown (1)  as before (3)
              first byte; then the answer                                 sending      unknown (1)  finished (2)
            the outcome    Upbit accepted it                              accepted
                           Upbit declined it                              declined
                           it was not sent, throttled or banned           as before (3)
                           the answer is lost                             unknown      unknown      unknown
      Settler.settle       reads Upbit's list after the settling time     accepted, not_sent, needs_review
      Follower.follow      polls the withdrawal until it has ended        done, failed, cancelled, rejected

    (1) when the lease is over    (2) the request is finished, and its outcome recorded
    (3) queued, or not_sent if an earlier copy counts; planned if only send had asked for it

`upbit_async.transport` has the steps between `record_departure` and the answer in detail.

After a crash or a cancellation, `Payouts.run` continues from the journal in any process, except for a planned payout,
which only its caller sends. So does `Payouts.send` with the same key.

The words, each with one meaning:

- *copy*: one request of a payout. All copies have the same body, and the same nonce unless `retry` asked for a new one.
  One that was not sent, or was throttled or banned, does not count any more.
- *recorded*: the journal has a copy in `sending`, on the disk, with its nonce. Comes before any byte of it.
- *first byte*: of the HTTP request, after connecting and TLS. Before it, nothing was sent.
- *lease holder*: the sender that recorded the newest copy. Until its lease is over, no other may conclude anything.
- *same criteria*: the same currency, network and amount (`MatchCriteria`). Upbit's list can't tell such payouts apart.
- *declined*: Upbit answered a copy with an error that shows that it was not executed. After 429 and 418 a copy was
  *throttled* or *banned* instead, which says nothing about the payment. *Rejected* is a withdrawal that was accepted.
- *settled*: neither `sending` nor `unknown`. A payout that needs review is settled: nothing more happens by itself.
- *remaining*: what is still to come of a time span.

The files, from the entry point down:

- `payouts`: the class `Payouts`. Its methods: `requesting` (enqueue, send, wait), `running` (run, run_once), `reading`
  (get, list, changes, health), `resolving` (manual decisions), `operating` (pause, reconcile, compact). `arguments`:
  validation.
- `runner`: works on all open payouts until it is cancelled. `claims`: which payouts it works on. `driver`: sends one
  payout. `overdue`: abandons queued payouts whose time has passed. `other_processes`: what a runner must notice of the
  others.
- `sending`: makes send attempts when that is safe. `send_attempt`: sends one copy. `preflight`: the checks before it.
- `unowned`: blocks a payout that a withdrawal unknown to the journal may have paid.
- `settling`: determines the outcome of a lost answer. `following`: polls accepted payouts. `waiting`: waits up to a
  deadline.
- `judging`: concludes from a snapshot what the outcome of a payout is.
- `reconciliation`: compares the whole account with the journal.
- `snapshot`: Upbit's list together with what the journal knows about it. `baseline`: reads the list. `shared_reads`:
  lets payouts share requests.
- `recording`: checks and writes manual decisions. `repository`: applies state changes to the journal, and reports them.
  `reporting`: log records and events. `failures`: which failures concern every payout, and a log of them.
- `journal`: the interface of a journal. `sqlite/`: a journal in a file. `memory/`: one in memory, for tests.

Pure, without I/O and clocks:

- `payout`: the record of a payout. `states`: its states, and the edges between them.
- `queueing`: state changes before a copy is recorded. `transitions`: state changes by what happens to a request.
  `manual`: state changes by manual decisions.
- `backlog`: which queued payout is sent next.
- `departure`: the conditions under which a journal lets a copy depart. `amount_limit`: limits of the amounts.
- `changes`, `health`, `payout_query`: what a journal reports about its payouts. `compacted`: what it keeps for ever.
  `pause`: the pause, and what it means for each payout.
- `decision`: the conclusion from Upbit's list and the journal about a payout whose answer was lost.
- `observation`: the withdrawals in a snapshot that may be a payout.
- `journal_time`: the time of leases and settling. `row_mac`: authentication of the journal's rows.
"""

from __future__ import annotations

from upbit_async.payouts.amount_limit import AmountLimit
from upbit_async.payouts.changes import PayoutChange
from upbit_async.payouts.departure import DepartureConditions, DeparturePaused, StaleBaseline
from upbit_async.payouts.health import PayoutsHealth
from upbit_async.payouts.journal import ConflictingPayout, Journal, Related, StaleRevision
from upbit_async.payouts.journal_time import JournalTime, Moment
from upbit_async.payouts.manual import ManualDecision
from upbit_async.payouts.memory import MemoryJournal
from upbit_async.payouts.pause import Pause
from upbit_async.payouts.payout import Evidence, HistoryEntry, MatchCriteria, Payout, PayoutState, SentRequest
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.payouts.payouts import Payouts
from upbit_async.payouts.reconciliation import AccountReconciliation
from upbit_async.payouts.sqlite import SqliteJournal

__all__ = [
    "AccountReconciliation",
    "AmountLimit",
    "ConflictingPayout",
    "DepartureConditions",
    "DeparturePaused",
    "Evidence",
    "HistoryEntry",
    "Journal",
    "JournalTime",
    "ManualDecision",
    "MatchCriteria",
    "MemoryJournal",
    "Moment",
    "Pause",
    "Payout",
    "PayoutChange",
    "PayoutQuery",
    "PayoutState",
    "Payouts",
    "PayoutsHealth",
    "Related",
    "SentRequest",
    "SqliteJournal",
    "StaleBaseline",
    "StaleRevision",
]
