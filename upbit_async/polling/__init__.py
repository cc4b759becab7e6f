"""Waiting for a transfer.

A `poller` is what a user holds; `watcher` looks for all who wait, in `sweep`s that the waiters' `circle` leads,
whose sleepers a `bell` wakes; `lone` has the transfers that are polled alone; `merged` follows many at once;
`progress`, `schedule`, `ids`, `failures` and `hopeless` are the pure rules; `resume` writes and reads the token
with which to go on.
"""

from __future__ import annotations

from upbit_async.polling.deposit_poller import DepositPoller
from upbit_async.polling.merged import RegionChanges
from upbit_async.polling.permanent_errors import is_permanent
from upbit_async.polling.poller import TransferPoller
from upbit_async.polling.progress import StateChange
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
