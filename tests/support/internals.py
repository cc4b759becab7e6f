"""The one place where tests reach into private attributes.

Tests use the public interface wherever it shows what they check. What it does not show (connections, leases that
have to expire, the journal's SQL) is reached through these functions, so that a change of internals changes one file.
"""

# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

from upbit_async.payouts.sqlite import journal as journal_module
from upbit_async.transport import key_state

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, MutableMapping
    from contextlib import AbstractContextManager

    import anyio

    from upbit_async.client import UpbitClient
    from upbit_async.credentials import Credentials
    from upbit_async.models import Withdrawal
    from upbit_async.payouts import MemoryJournal, Payouts, SqliteJournal
    from upbit_async.payouts.driver import Driver
    from upbit_async.payouts.memory.table import PayoutTable
    from upbit_async.payouts.memory.withdrawals import UnownedWithdrawals
    from upbit_async.payouts.pause import Pause
    from upbit_async.payouts.reconciliation import Reconciler
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler
    from upbit_async.payouts.snapshot import SnapshotReader
    from upbit_async.payouts.sqlite.group_commit import GroupCommit
    from upbit_async.payouts.sqlite.store import Store
    from upbit_async.payouts.unowned import UnownedCheck
    from upbit_async.policy import PollSchedule
    from upbit_async.polling import Watcher
    from upbit_async.sandbox import Sandbox
    from upbit_async.transport.call import ClientState
    from upbit_async.transport.connection_pool import ConnectionPool
    from upbit_async.transport.http_transport import HttpTransport
    from upbit_async.transport.limiter import LocalLimiter

__all__ = [
    "background_tasks",
    "client_of",
    "client_state",
    "close_file",
    "connection_of",
    "dispatcher_of",
    "driver_of",
    "group_of",
    "held_locks",
    "journal_queues",
    "known_unowned",
    "loop_states",
    "memory_table",
    "memory_unowned",
    "name_sender",
    "pause_of",
    "poll_schedule_of",
    "reading",
    "reconciler_of",
    "register_key",
    "repository_of",
    "separate_limits",
    "set_changed_at",
    "settler_of",
    "single_polls",
    "snapshots_of",
    "store_of",
    "thread_limit_of",
    "transport_of",
    "unowned_check_of",
    "watcher_of",
    "withdrawal_store",
    "writing",
]

# -- transport -------------------------------------------------------------------------------------


def transport_of(client: UpbitClient) -> HttpTransport:
    """Return the transport of a client."""
    return cast("HttpTransport", client.transport)


def client_state(client: UpbitClient) -> ClientState:
    """Return what a client shares with its siblings: pool, limiter, bans and claimed ids."""
    return transport_of(client).shared


def loop_states(pool: ConnectionPool) -> list[Any]:
    """Return a pool's state for each event loop that has used it."""
    return list(pool._states.values())


def background_tasks(client: UpbitClient) -> int:
    """Count the tasks that finish requests whose callers were cancelled."""
    tasks = client_state(client).tasks
    return len(tasks._tasks) + len(tasks._left_behind)


def group_of(limiter: LocalLimiter, name: str) -> Any:
    """Return a limiter's queue and window for a group."""
    return limiter._groups[name]


@contextlib.contextmanager
def separate_limits() -> Generator[None]:
    """Let the clients that are created within the block share no limits and bans with those of other blocks."""
    with mock.patch.object(key_state, "_register", type(key_state._register)()):
        yield


# -- polling ---------------------------------------------------------------------------------------


def poll_schedule_of(client: UpbitClient) -> PollSchedule:
    """Return the schedule by which a client polls."""
    return client._poll_schedule


def watcher_of(client: UpbitClient) -> Watcher[Withdrawal]:
    """Return the watcher of a client's withdrawals."""
    return client.withdraws.watcher


def single_polls(watcher: Watcher[Withdrawal]) -> int:
    """Count the ids that a watcher polls one at a time."""
    assert watcher._loop_watcher is not None
    return len(watcher._loop_watcher.queue.singles)


# -- payouts ---------------------------------------------------------------------------------------


def client_of(payouts: Payouts) -> UpbitClient:
    """Return the client that payouts send with."""
    return payouts._client


def repository_of(payouts: Payouts) -> PayoutRepository:
    """Return the repository of payouts."""
    return payouts._repository


def driver_of(payouts: Payouts) -> Driver:
    """Return what sends single payouts."""
    return payouts._driver


def name_sender(payouts: Payouts, name: str) -> None:
    """Give the sender of payouts, which holds the leases, a name that is the same in every run, and no attempts yet."""
    payouts._sender._name = name
    payouts._sender._attempts = itertools.count(1)


def settler_of(payouts: Payouts) -> Settler:
    """Return what settles payouts whose answer was lost."""
    return payouts._settler


def unowned_check_of(payouts: Payouts) -> UnownedCheck:
    """Return what compares payouts with the account's withdrawals before they are sent."""
    return payouts._driver._sender._unowned_check


def reconciler_of(payouts: Payouts) -> Reconciler:
    """Return what reconciles the account with the journal."""
    return payouts._reconciler


def snapshots_of(payouts: Payouts) -> SnapshotReader:
    """Return what reads Upbit's list and the journal together."""
    return unowned_check_of(payouts)._snapshots


def held_locks(payouts: Payouts) -> list[Any]:
    """Return the keys of the locks that tasks hold or wait for."""
    owners = payouts._driver, payouts._sender, payouts._settler, payouts._repository
    return [key for owner in owners for key in owner._locks._queues]


# -- journals --------------------------------------------------------------------------------------


def memory_table(journal: MemoryJournal) -> PayoutTable:
    """Return the payouts and changes of a journal in memory, without letting another task run."""
    return journal._table


def memory_unowned(journal: MemoryJournal) -> UnownedWithdrawals:
    """Return the withdrawals that a journal in memory has stored as unowned or acknowledged."""
    return journal._unowned


def pause_of(journal: MemoryJournal) -> Pause | None:
    """Return the pause of a journal in memory, without letting another task run; None if there is none."""
    return journal._pause


def set_changed_at(table: PayoutTable, key: str, position: int) -> None:
    """Set the position of a payout's last change."""
    table._changed_at[key] = position


def known_unowned(withdrawals: UnownedWithdrawals) -> dict[str, tuple[Withdrawal | None, bool]]:
    """Return the records of withdrawals that belong to no payout, and whether they are acknowledged."""
    return {uuid: (known.record, known.is_acknowledged) for uuid, known in withdrawals._known.items()}


# -- the journal in SQLite -------------------------------------------------------------------------


def store_of(journal: SqliteJournal) -> Store:
    """Return the store that does a journal's work in its thread."""
    return journal._store


def close_file(journal: SqliteJournal) -> None:
    """Close a journal's file at once, as the end of its process does."""
    journal._store.close()


def connection_of(store: Store) -> sqlite3.Connection:
    """Return the open connection of a store."""
    connection = store._file._open
    assert connection is not None
    return connection


def reading(store: Store) -> AbstractContextManager[sqlite3.Connection]:
    """Open a transaction that reads."""
    return store._reading()


def writing(store: Store) -> AbstractContextManager[sqlite3.Connection]:
    """Open a transaction that writes."""
    return store._writing()


def thread_limit_of(journal: SqliteJournal) -> anyio.CapacityLimiter:
    """Return what keeps a journal's work in one thread at a time, in this event loop."""
    return journal._group_commit().limiter


def journal_queues() -> MutableMapping[SqliteJournal, GroupCommit]:
    """Return the queues of calls of all journals of this event loop."""
    return journal_module._QUEUES.get()


# -- the sandbox -----------------------------------------------------------------------------------


def withdrawal_store(sandbox: Sandbox) -> Any:
    """Return the store of a sandbox's withdrawals."""
    return sandbox._exchange_lock.exchange.withdrawals.records


def dispatcher_of(sandbox: Sandbox) -> Any:
    """Return what every request to a sandbox passes through."""
    return sandbox._dispatcher


def register_key(sandbox: Sandbox, credentials: Credentials) -> None:
    """Let a sandbox know a key that it has not issued."""
    sandbox._issue(credentials)
