"""Waiting for withdrawals and deposits: many waits share few requests.

One wait, step by step:

1. A *poller* is a caller's handle for one transfer. A wait opens a *subscription* to the transfer with the *watcher*,
   which all waits of a client share. The watcher puts the transfer into its *poll queue*.
2. There is no background task: the *waiters* poll. One of them is the *leader*. It takes the next *batch* of up to 100
   transfers from the queue, or sleeps until one is due.
3. The leader hands leadership to another waiter and polls the batch: `fetch` requests the records. All batches that
   are due together form a *sweep*.
4. If the poll fails because of one id or row, the batch is halved until that one is found. A transfer whose row does
   not decode alone becomes a *single poll* from then on.
5. A record with another state is a *change*. The subscriptions of the transfer receive it, and their waiters are woken.

Modules, in this order:

- `poller`, `withdrawal_poller` and `deposit_poller`: what a caller waits with. `resume`: the token that continues a
  wait in another process.
- `subscription`: transfers that are watched, and who waits for them. `watcher`: puts the parts together.
- `leader_followers`: which waiter leads and polls, and how it wakes another.
- `poll_queue`: the next batch. `schedule`: the time of a transfer's next poll.
- `batch_polls`: polls a batch, and publishes the results. `failures`: kinds of failed polls.
- `progress`: changes of state from successive records.
- `region_changes`: the changes of many transfers as one stream.
"""

from __future__ import annotations

from upbit_async.polling.deposit_poller import DepositPoller
from upbit_async.polling.failures import is_permanent
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
    "is_permanent",
    "read_token",
    "wait_after",
]
