"""Waiting for withdrawals and deposits: many waits share few requests.

One wait, step by step:

1. A *poller* is a caller's handle for one transfer. A wait opens a *subscription* to the transfer with a *watcher*. A
   client has three, which its waits share: for withdrawals, for deposits by uuid, and for deposits by transaction. The
   watcher puts the transfer into its *poll queue*.
2. There is no background task: the *waiters* poll. One of them is the *leader*. It takes the next *batch* of up to 100
   transfers from the queue, or sleeps until one is due.
3. The leader hands leadership to another waiter and polls the batch: `fetch` requests the records. Up to three polls of
   a watcher run at once. A *sweep* polls all transfers that are due or almost due; others fill up its last batch.
4. If the poll fails because of one id or row, the batch is halved until that one is found. If a row does not decode,
   its transfer is polled alone from then on.
5. A record whose state differs from the last one, or the first record, yields a *change*. The subscriptions of the
   transfer receive it, and their waiters are woken.

Two proofs are where they are needed: that no wake-up is lost, in `leader_followers`; that no transfer starves, in
`poll_queue`. What limits the latency: a waiter that polls for others when it becomes ready returns after that poll, and
three polls that hang delay all waits of the watcher until they time out.

Modules, in this order:

- `poller`, `withdrawal_poller` and `deposit_poller`: handles for waiting for one transfer. `resume`: the token that
  continues a wait in another process.
- `subscription`: transfers that are watched, and the subscriptions of the tasks that wait for them. `watcher`: what
  connects all parts.
- `leader_followers`: which waiter leads and polls, and how it wakes another.
- `poll_queue`: the next batch. `schedule`: the time of a transfer's next poll.
- `batch_polls`: polls a batch, and publishes the results. `failures`: kinds of failed polls.
- `progress`: changes of state from successive records.
- `region_changes`: the changes of many transfers as one stream.
"""

from __future__ import annotations

from upbit_async.polling.deposit_poller import DepositPoller
from upbit_async.polling.failures import ends_waits
from upbit_async.polling.poller import TransferPoller
from upbit_async.polling.progress import StateChange
from upbit_async.polling.region_changes import RegionChanges
from upbit_async.polling.resume import IdName, ResumePoint, read_token
from upbit_async.polling.schedule import wait_after
from upbit_async.polling.watcher import Watcher
from upbit_async.polling.withdrawal_poller import WithdrawalPoller

__all__ = [
    "DepositPoller",
    "IdName",
    "RegionChanges",
    "ResumePoint",
    "StateChange",
    "TransferPoller",
    "Watcher",
    "WithdrawalPoller",
    "ends_waits",
    "read_token",
    "wait_after",
]
