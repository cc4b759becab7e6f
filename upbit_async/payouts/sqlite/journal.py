"""`SqliteJournal`: a journal in a SQLite file, each call in a worker thread."""

from __future__ import annotations

import datetime as dt
import functools
import os
import uuid
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakKeyDictionary

import anyio
import attrs
from anyio.lowlevel import RunVar

from upbit_async.payouts.departure import UNCONDITIONAL, DepartureConditions
from upbit_async.payouts.journal_time import Now
from upbit_async.payouts.sqlite import machine_clock
from upbit_async.payouts.sqlite.group_commit import GroupCommit, Kind
from upbit_async.payouts.sqlite.store import READING, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from upbit_async.models import Withdrawal
    from upbit_async.payouts.changes import PayoutChange
    from upbit_async.payouts.health import PayoutsHealth
    from upbit_async.payouts.journal import Related
    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.pause import Pause
    from upbit_async.payouts.payout import Payout, PayoutState
    from upbit_async.payouts.payout_query import PayoutQuery

__all__ = ["SqliteJournal"]

_LONGEST_TIMEOUT = 1e6

T = TypeVar("T")


class SqliteJournal:
    """Journal in one SQLite file, for the processes of one machine.

    What it has written survives a crash of the machine (write-ahead log, ``synchronous=FULL``). Several processes of
    one machine can use one file at once, as can several journals of one process. The file belongs to the host and
    region with which it was first used.

    Calls that wait at the same time share one transaction and one flush of the disk, so that many concurrent calls are
    much faster than the same calls one after the other.

    The file must be on a local disk: SQLite's locks do not work on network disks. Never pay from a restored backup: it
    lacks what was paid since.

    A program that uses a journal must not open its file in any other way, not even to read it for a copy. When a
    process closes a file it loses all its locks on it, including SQLite's. Copy it from another process, with SQLite's
    own backup: ``sqlite3 payouts.db ".backup copy.db"``. A journal that finds its log replaced, as may follow from
    such a mistake, refuses to continue with a `JournalError`.

    A process can fork. The file is closed before, after the current write, and parent and child open it again when they
    need it.

    Anyone who can write to a journal can have anything paid. So it is opened only if its files belong to the user
    that the program runs as (also if that is root), have mode 0600 and one name each, and are in folders that nobody
    else can write to. New files are created in that way. Anything in it that is not this library's own, such as a
    trigger, is refused, also if it is added during use.

    Args:
        path: Path of the file, which is created if it is missing. SQLite keeps two more files, ``-wal`` and ``-shm``,
            next to it during use.
        busy_timeout: Time to wait for another process that writes, in seconds. The default is 10.
        group_shared: Whether to trust the group of the files as well as their owner: accept mode 0660 and folders that
            their group can write to, and give new files mode 0660. Volumes that Kubernetes mounts with ``fsGroup``
            need it. The owner is still the only user that can open the journal with this library. The default is False.

    Raises:
        TypeError: The path is not text, or `group_shared` is neither True nor False.
        ValueError: The path is empty or ``:memory:``, or `busy_timeout` is not a number of seconds.

    Example:
        .. code-block:: python

            async with Payouts(client, journal=SqliteJournal("payouts.db", busy_timeout=30)) as payouts:
                payout = await payouts.get("invoice-42")
    """

    def __init__(
        self, path: str | os.PathLike[str], *, busy_timeout: float = 10.0, group_shared: bool = False
    ) -> None:
        text = os.fspath(path)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"path must be text, got {type(text).__name__}")
        if not text or ":memory:" in text or "\0" in text:
            raise ValueError(f"path must be the path of a file, which outlives the process, got {text!r}")
        if (
            isinstance(busy_timeout, bool)
            or not isinstance(busy_timeout, (int, float))
            or not 0 <= busy_timeout < _LONGEST_TIMEOUT
        ):
            raise ValueError(
                f"busy_timeout must be a number of seconds, and at most a million, got {busy_timeout!r}"
            )
        if not isinstance(group_shared, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"group_shared must be True or False, got {group_shared!r}")
        self.path = os.path.abspath(text)  # noqa: PTH100 - links are left as they are; the folder may change later
        self._store = Store(self.path, busy_timeout, group_shared=group_shared)

    async def bind(self, host: str, region: str) -> None:
        """Bind the journal to one host and region; see `Journal.bind`.

        Raises:
            JournalError: It is bound to another, or the file can't be used.
        """
        await self._run(self._store.bind, host, region)

    async def now(self) -> JournalTime:
        """Return the time for leases and settling times; see `Journal.now`.

        An event loop in virtual time can be ahead of the machine's clock; then its time counts.
        """
        machine = machine_clock.now().tagged(_THIS_PROCESS)
        try:
            start = _LOOP_START.get()
        except LookupError:
            start = machine.seconds - anyio.current_time()
            _LOOP_START.set(start)
        return attrs.evolve(machine, seconds=max(machine.seconds, start + anyio.current_time()))

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key exists; see `Journal.add`."""
        return await self._run(self._store.add, payout)

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None; see `Journal.get`."""
        return await self._run(self._store.get, key)

    async def compare_and_swap(
        self, old: Payout, new: Payout, conditions: DepartureConditions = UNCONDITIONAL
    ) -> Payout:
        """Replace a payout by its next revision; see `Journal.compare_and_swap`."""
        return await self._run(self._store.compare_and_swap, old, new, conditions)

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all open payouts, and of abandoned ones of which a copy was recorded."""
        return await self._run(self._store.open_keys)

    async def select(self, query: PayoutQuery) -> Sequence[Payout]:
        """Return the payouts of a selection; see `Journal.select`."""
        return await self._run(self._store.select, query)

    async def position(self) -> int:
        """Return the position of the newest change; see `Journal.position`."""
        return await self._run(self._store.position)

    async def changes(self, after: int, limit: int) -> Sequence[PayoutChange]:
        """Return the changes after a position; see `Journal.changes`."""
        return await self._run(self._store.changes, after, limit)

    async def claim(
        self,
        runner: str,
        *,
        lease: float,
        limit: int,
        states: Collection[PayoutState],
        released: Collection[str] = (),
    ) -> Sequence[Payout]:
        """Claim open payouts for a runner; see `Journal.claim`."""
        now = Now(dt.datetime.now(dt.UTC), await self.now())
        return await self._run(self._store.claim, runner, lease, limit, states, released, now)

    async def retire(self, runner: str) -> None:
        """Release all claims of a runner; see `Journal.retire`."""
        await self._run(self._store.retire, runner)

    async def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known about withdrawals; see `Journal.related`."""
        return await self._run(self._store.related, currency, uuids)

    async def recent_answered(self) -> Sequence[Payout]:
        """Return the newest payouts that Upbit's answers named; see `Journal.recent_answered`."""
        return await self._run(self._store.recent_answered)

    async def mark(self, currency: str) -> str | None:
        """Return a currency's reconciliation mark; see `Journal.mark`."""
        return await self._run(self._store.mark, currency)

    async def reconcile(
        self,
        currency: str,
        unowned: Sequence[Withdrawal],
        *,
        old_mark: str | None,
        new_mark: str | None,
        at: dt.datetime,
        is_complete: bool = False,
    ) -> None:
        """Store unowned withdrawals and move the mark; see `Journal.reconcile`."""
        await self._run(self._store.reconcile, currency, unowned, old_mark, new_mark, at, is_complete)

    async def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout; see `Journal.acknowledge`."""
        await self._run(self._store.acknowledge, uuid, currency, decision, at)

    async def unowned(self) -> Sequence[Withdrawal]:
        """Return all withdrawals that belong to no payout; see `Journal.unowned`."""
        return await self._run(self._store.unowned)

    async def unreported(self, now: dt.datetime, settling_time: float) -> Sequence[Withdrawal]:
        """Return the unowned withdrawals that were not reported yet; see `Journal.unreported`."""
        return await self._run(self._store.unreported, now, settling_time)

    async def pause(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let nothing depart from now on; see `Journal.pause`."""
        await self._run(self._store.pause, decision, at)

    async def resume(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let payouts depart again; see `Journal.resume`."""
        await self._run(self._store.resume, decision, at)

    async def pause_in_force(self) -> Pause | None:
        """Return the pause; see `Journal.pause_in_force`."""
        return await self._run(self._store.pause_in_force)

    async def health(self) -> PayoutsHealth:
        """Return the state of all payouts; see `Journal.health`."""
        return await self._run(self._store.health)

    async def compact(self, before: dt.datetime, now: dt.datetime) -> int:
        """Compact final payouts; see `Journal.compact`. Several short transactions let others write in between."""
        present = Now(now, await self.now())
        total = 0
        while count := await self._run(self._store.compact, before, present, _MOST_COMPACTED):
            total += count
        return total

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        await self._run(self._store.close)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        """Call a method of the store in a thread, because a disk can be slow, together with other calls."""
        kind = _KINDS.get(work.__name__, Kind.WRITE)
        return await self._group_commit().run(functools.partial(work, *arguments), kind)

    def _group_commit(self) -> GroupCommit:
        """Return this journal's queue of calls in the running event loop."""
        try:
            queues = _QUEUES.get()
        except LookupError:
            queues = WeakKeyDictionary[SqliteJournal, GroupCommit]()
            _QUEUES.set(queues)
        if self not in queues:
            queues[self] = GroupCommit(self._store)
        return queues[self]

    def __repr__(self) -> str:
        return f"SqliteJournal({self.path!r})"


_MOST_COMPACTED: Final = 500
_KINDS: Final = {**dict.fromkeys(READING, Kind.READ), "close": Kind.ALONE}

_QUEUES: Final[RunVar[WeakKeyDictionary[SqliteJournal, GroupCommit]]] = RunVar("upbit_async.payouts.sqlite")
"""Queues of a loop's journals, in one variable: a loop keeps every variable that was set in it until it ends."""

_LOOP_START: Final[RunVar[float]] = RunVar("upbit_async.payouts.sqlite.start")
"""Reading of the machine's clock when the loop's own clock read 0."""

_THIS_PROCESS: Final = str(uuid.uuid4())
