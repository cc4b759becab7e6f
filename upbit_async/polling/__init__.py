"""Waiting for a transfer.

`poller` is what a user holds; `watcher` looks for all who wait, in `sweep`s that one of the waiters' `circle`
leads; `progress`, `schedule`, `ids` and `hopeless` are the pure rules; `resume` writes and reads the token
with which to go on.
"""

from __future__ import annotations

from upbit_async.polling.hopeless import is_hopeless
from upbit_async.polling.merged import RegionChanges
from upbit_async.polling.poller import TransferPoller, WithdrawalPoller
from upbit_async.polling.progress import StateChange
from upbit_async.polling.resume import ResumePoint, read_token
from upbit_async.polling.watcher import Watcher

__all__ = [
    "RegionChanges",
    "ResumePoint",
    "StateChange",
    "TransferPoller",
    "Watcher",
    "WithdrawalPoller",
    "is_hopeless",
    "read_token",
]
