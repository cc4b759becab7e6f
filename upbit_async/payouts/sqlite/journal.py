"""`SqliteJournal`: payouts in a file."""

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
    """Keeps payouts in a file, by Python's own SQLite.

    What it has written survives a crash of the machine (write-ahead log, ``synchronous=FULL``). Several processes of
    one machine may use one file at once, as may several journals of one process. It belongs to the host and region
    with which it was first used.

    It must lie on a disk of the machine: SQLite's locks do not hold on network disks. And nothing must be paid from
    a restored backup of it, which has forgotten what was paid since.

    A program that uses a journal must not open its file in any other way, not even to read it for a copy: when a
    process closes a file it loses all its locks on it, SQLite's among them. Copy it from another process, by SQLite's
    own backup: ``sqlite3 payouts.db ".backup copy.db"``. A journal that finds its log replaced, as may follow from
    that, refuses to go on with a `JournalError`.

    A process may fork: the file is closed before, once what is being written is written, and parent and child open it
    again when they need it.

    Anyone who can write to a journal can have anything paid. So it is opened only if its files belong to the user
    that the program runs as (root is no exception), have mode 0600 and one name each, and lie in folders that nobody
    else can write to; new files are made so. Anything in it that is not this library's own, such as a trigger, is
    refused, also when it is added during use.

    Example:
        .. code-block:: python

            payouts = Payouts(client, journal=SqliteJournal("payouts.db"))

    Args:
        path: The file; it is made if it is missing. Two more, ``-wal`` and ``-shm``, lie beside it while it is used.
        busy_timeout: How long to wait for another process that writes, in seconds.
        group_shared: Whether to trust the group of the files as well as their owner: accept mode 0660 and folders that
            their group can write to, and give new files mode 0660. Volumes that Kubernetes mounts with ``fsGroup``
            need it. The owner is still the only user that can open the journal by this library.

    Raises:
        TypeError: The path is none, or `group_shared` is neither True nor False.
        ValueError: The path is empty or ``:memory:``, or `busy_timeout` is negative.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, busy_timeout: float = 10.0, group_shared: bool = False
    ) -> None:
        text = os.fspath(path)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"path is text, not {type(text).__name__}")
        if not text or ":memory:" in text or "\0" in text:
            raise ValueError("a journal must outlive its process: give the path of a file")
        if (
            isinstance(busy_timeout, bool)
            or not isinstance(busy_timeout, (int, float))
            or not 0 <= busy_timeout < _LONGEST_TIMEOUT
        ):
            raise ValueError(f"busy_timeout must be a number of seconds, got {busy_timeout!r}")
        if not isinstance(group_shared, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"group_shared must be True or False, got {group_shared!r}")
        self.path = os.path.abspath(text)  # noqa: PTH100 - links are left as they are; the folder may change later
        self._store = Store(self.path, busy_timeout, group_shared=group_shared)

    async def bind(self, host: str, region: str) -> None:
        """Belong to one host and region from now on.

        Raises:
            JournalError: It belongs to another already, or is no journal that can be used.
        """
        await self._run(self._store.bind, host, region)

    async def now(self) -> JournalTime:
        """Return the time by which leases and settling times are kept; see `Journal.now`.

        An event loop in virtual time may be ahead of the machine's clock, which never happens otherwise.
        """
        machine = machine_clock.now()
        if not machine.epoch:  # readings of one process can be compared, at least
            machine = attrs.evolve(machine, epoch=_EPOCH_OF_THIS_PROCESS)
        try:
            began = _BEGAN.get()
        except LookupError:
            began = machine.seconds - anyio.current_time()
            _BEGAN.set(began)
        return attrs.evolve(machine, seconds=max(machine.seconds, began + anyio.current_time()))

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key is taken; see `Journal.add`."""
        return await self._run(self._store.add, payout)

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None; see `Journal.get`."""
        return await self._run(self._store.get, key)

    async def compare_and_swap(self, old: Payout, new: Payout) -> Payout:
        """Put a payout in another's place; see `Journal.compare_and_swap`."""
        return await self._run(self._store.compare_and_swap, old, new)

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all payouts that are not final; see `Journal.open_keys`."""
        return await self._run(self._store.open_keys)

    async def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known of withdrawals; see `Journal.related`."""
        return await self._run(self._store.related, currency, uuids)

    async def recent_answered(self) -> Sequence[Payout]:
        """Return the newest that were told by answers; see `Journal.recent_answered`."""
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
        """Do the work in a thread, since a disk may be slow."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._one_thread())

    def _one_thread(self) -> anyio.CapacityLimiter:
        """Return what lets one thread at a time work in the running event loop."""
        try:
            limiters = _LIMITERS.get()
        except LookupError:
            limiters = WeakKeyDictionary[SqliteJournal, anyio.CapacityLimiter]()
            _LIMITERS.set(limiters)
        if self not in limiters:
            limiters[self] = anyio.CapacityLimiter(1)
        return limiters[self]

    def __repr__(self) -> str:
        """Show the path."""
        return f"SqliteJournal({self.path!r})"


_LIMITERS: Final[RunVar[WeakKeyDictionary[SqliteJournal, anyio.CapacityLimiter]]] = RunVar(
    "upbit_async.payouts.sqlite"
)
"""Those of a loop's journals, in one variable: a loop never lets go of a variable that was set in it."""

_BEGAN: Final[RunVar[float]] = RunVar("upbit_async.payouts.sqlite.began")
"""What the machine's clock read when a loop's own read 0."""

_EPOCH_OF_THIS_PROCESS: Final = f"/{uuid.uuid4()}"
