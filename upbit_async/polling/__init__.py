"""Polling of withdrawals and deposits until they end.

- `poller`, `withdrawal_poller` and `deposit_poller`: what a user holds. `resume`: the token that continues a wait.
- `watcher`: shared by all waits of one client. `sweep`: polls what is watched. `subscription`: who waits for what.
- `leader_followers`: which waiting task polls, and `waker`: how it wakes another. `single_polls`: transfers that are
  polled alone. `merged`: the changes of many transfers as one stream.
- Pure rules: `progress`, `schedule`, `ids`, `failures` and `permanent_errors`.
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
