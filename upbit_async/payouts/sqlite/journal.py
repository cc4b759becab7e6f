"""`SqliteJournal`: a journal in a SQLite file, each call in a worker thread."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
import attrs
from anyio.lowlevel import RunVar

from upbit_async.payouts.sqlite import machine_clock
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Sequence

    from upbit_async.models import Withdrawal
    from upbit_async.payouts.journal import Related
    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.payout import Payout

__all__ = ["SqliteJournal"]

_LONGEST_TIMEOUT = 1e6

T = TypeVar("T")


class SqliteJournal:
    """Journal in one SQLite file, for the processes of one machine.

    What it has written survives a crash of the machine (write-ahead log, ``synchronous=FULL``). Several processes of
    one machine can use one file at once, as can several journals of one process. The file belongs to the host and
    region with which it was first used.

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
        machine = machine_clock.now()
        if not machine.epoch:  # then at least the readings of one process can be compared
            machine = attrs.evolve(machine, epoch=_EPOCH_OF_THIS_PROCESS)
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

    async def compare_and_swap(self, old: Payout, new: Payout) -> Payout:
        """Replace a payout by its next revision; see `Journal.compare_and_swap`."""
        return await self._run(self._store.compare_and_swap, old, new)

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all open payouts; see `Journal.open_keys`."""
        return await self._run(self._store.open_keys)

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
        self, currency: str, unowned: Sequence[Withdrawal], *, old_mark: str | None, new_mark: str | None
    ) -> None:
        """Store unowned withdrawals and move the mark; see `Journal.reconcile`."""
        await self._run(self._store.reconcile, currency, unowned, old_mark, new_mark)

    async def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout; see `Journal.acknowledge`."""
        await self._run(self._store.acknowledge, uuid, currency, decision, at)

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        await self._run(self._store.close)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run work in a thread, because a disk can be slow."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._limiter())

    def _limiter(self) -> anyio.CapacityLimiter:
        """Return the limiter that gives this journal one thread in the running event loop."""
        try:
            limiters = _LIMITERS.get()
        except LookupError:
            limiters = WeakKeyDictionary[SqliteJournal, anyio.CapacityLimiter]()
            _LIMITERS.set(limiters)
        if self not in limiters:
            limiters[self] = anyio.CapacityLimiter(1)
        return limiters[self]

    def __repr__(self) -> str:
        return f"SqliteJournal({self.path!r})"


_LIMITERS: Final[RunVar[WeakKeyDictionary[SqliteJournal, anyio.CapacityLimiter]]] = RunVar(
    "upbit_async.payouts.sqlite"
)
"""Limiters of a loop's journals, in one variable: a loop keeps every variable that was set in it until it ends."""

_LOOP_START: Final[RunVar[float]] = RunVar("upbit_async.payouts.sqlite.start")
"""Reading of the machine's clock when the loop's own clock read 0."""

_EPOCH_OF_THIS_PROCESS: Final = f"/{uuid.uuid4()}"
