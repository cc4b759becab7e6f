"""`SqliteJournal`: payouts in a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from upbit_async.payouts.payout import Payout

__all__ = ["SqliteJournal"]

T = TypeVar("T")

_writer: RunVar[anyio.CapacityLimiter] = RunVar("upbit_async.payouts.writer")
"""Lets one thread at a time work for the journals of an event loop."""


class SqliteJournal:
    """Keeps payouts in a file, by Python's own SQLite.

    What it has written survives a crash of the machine (write-ahead log, ``synchronous=FULL``). Several processes of
    one machine may use one file at once. It belongs to the host and region with which it was first used.

    It must lie on a disk of the machine: SQLite's locks do not hold on network disks. And nothing must be paid from
    a restored backup of it, which has forgotten what was paid since.

    Args:
        path: The file; it is made if it is missing. Two more, ``-wal`` and ``-shm``, lie beside it while it is used.
        patience: How long to wait for another process that writes, in seconds.

    Raises:
        TypeError: The path is none.
        ValueError: The path is empty or ``:memory:``, or the patience is negative.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 10.0) -> None:
        text = os.fspath(path)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"path is text, not {type(text).__name__}")
        if not text or ":memory:" in text:
            raise ValueError("a journal must outlive its process: give the path of a file")
        if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not 0 <= patience < 1e6:  # noqa: PLR2004
            raise ValueError(f"patience is a number of seconds, not {patience!r}")
        self.path = text
        self._store = Store(text, patience)

    async def bind(self, host: str, region: str) -> None:
        """Belong to one host and region from now on.

        Raises:
            JournalError: It belongs to another already, or is no journal that can be used.
        """
        await self._run(self._store.bind, host, region)

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key is taken; see `Journal.add`."""
        return await self._run(self._store.add, payout)

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None; see `Journal.get`."""
        return await self._run(self._store.get, key)

    async def swap(self, old: Payout, new: Payout) -> Payout:
        """Put a payout in another's place; see `Journal.swap`."""
        return await self._run(self._store.swap, old, new)

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all payouts that are not final; see `Journal.open_keys`."""
        return await self._run(self._store.open_keys)

    async def beside(self, payout: Payout, uuids: Collection[str]) -> Sequence[Payout]:
        """Return what may explain withdrawals; see `Journal.beside`."""
        return await self._run(self._store.beside, payout, uuids)

    async def answered(self) -> Sequence[Payout]:
        """Return the newest that were told by answers; see `Journal.answered`."""
        return await self._run(self._store.answered)

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        await self._run(self._store.close)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        """Do the work in a thread, since a disk may be slow."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=_one_thread())

    def __repr__(self) -> str:
        """Show the path."""
        return f"SqliteJournal({self.path!r})"


def _one_thread() -> anyio.CapacityLimiter:
    try:
        return _writer.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(1)
        _writer.set(limiter)
        return limiter
