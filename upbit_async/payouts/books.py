"""The journal as the rest of the room uses it: changes that find their way, told to the observer and the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from upbit_async.errors import JournalError
from upbit_async.events import PayoutChanged
from upbit_async.payouts import transitions
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.payout import Payout, PayoutState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Sequence

    from upbit_async.payouts.journal import Journal
    from upbit_async.protocol.endpoint import Caller

__all__ = ["Books"]

_log = logging.getLogger("upbit_async.payouts")


class Books:
    """Reads and changes payouts.

    Args:
        journal: Where they are kept.
        caller: Whose payouts they are.
        clock: Tells the time, UTC.
    """

    def __init__(self, journal: Journal, caller: Caller, clock: Callable[[], dt.datetime]) -> None:
        self.journal = journal
        self.clock = clock
        self._caller = caller
        self._is_bound = False
        self._unwritten: dict[str, list[Callable[[Payout], Payout | None]]] = {}

    async def open(self) -> None:
        """Make sure that the journal is there, and is this host's.

        Raises:
            JournalError: It is not.
        """
        if not self._is_bound:
            await self.journal.bind(self._caller.host, self._caller.region.value)
            self._is_bound = True

    async def aclose(self) -> None:
        """Write what could not be written yet, and let go of the journal."""
        try:
            for key in list(self._unwritten):
                await self._catch_up(key)
        finally:
            self._is_bound = False
            await self.journal.aclose()

    async def find(self, key: str) -> Payout | None:
        """Return a payout, or None."""
        await self.open()
        await self._catch_up(key)
        return await self.journal.get(key)

    async def read(self, key: str) -> Payout:
        """Return a payout that is known to be there.

        Raises:
            ValueError: There is none of that key.
        """
        payout = await self.find(key)
        if payout is None:
            raise ValueError(f"there is no payout {key!r} in this journal")
        return payout

    async def add(self, payout: Payout) -> Payout:
        """Begin a payout, unless there is one of its key already; return the one that there is."""
        await self.open()
        await self._catch_up(payout.key)
        known = await self.journal.add(payout)
        if known.history == payout.history:
            self._tell(None, known)
        return known

    async def swap(self, old: Payout, new: Payout) -> Payout:
        """Change a payout from what it was when it was read.

        Raises:
            Outdated: It is not that any more.
            Taken: Another payout stands in the way.
        """
        changed = await self.journal.swap(old, new)
        self._tell(old, changed)
        return changed

    async def change(self, key: str, change: Callable[[Payout], Payout | None]) -> Payout:
        """Let something happen to a payout, whatever it is by now.

        Raises:
            Taken: Another payout stands in the way.
        """
        while True:
            payout = await self.read(key)
            changed = change(payout)
            if changed is None:
                return payout
            try:
                return await self.swap(payout, changed)
            except Outdated:
                continue

    async def conclude(self, payout: Payout, change: Callable[[Payout], Payout | None]) -> Payout:
        """Let something happen that must not be forgotten, such as an answer, even if it can't be written now.

        Args:
            payout: The payout as it was when its request left.
            change: What happens.
        """
        try:
            return await self._write_down(payout.key, change)
        except JournalError as error:
            self._unwritten.setdefault(payout.key, []).append(change)
            imagined = change(payout) or payout
            what = imagined.uuid or imagined.history[-1].note
            _log.error("%s is %s (%s), which could not be written: %s", payout, imagined.state, what, error)
            return attrs.evolve(imagined, error=error)

    async def beside(self, payout: Payout, uuids: Collection[str]) -> Sequence[Payout]:
        """Return what may explain withdrawals; see `Journal.beside`."""
        return await self.journal.beside(payout, uuids)

    async def _write_down(self, key: str, change: Callable[[Payout], Payout | None]) -> Payout:
        """Change a payout; if another has its withdrawal by a mere match, that one was wrong."""
        while True:
            payout = await self.read(key)
            changed = change(payout)
            if changed is None:
                return payout
            try:
                return await self.swap(payout, changed)
            except Outdated:
                continue
            except Taken as taken:
                if changed.record is None or not await self._disprove(taken.by_key, key):
                    return await self._note_clash(key, changed, taken.by_key)

    async def _disprove(self, by_key: str, key: str) -> bool:
        """Take a withdrawal from a payout that has it by a mere match; whether that was so."""
        before = await self.read(by_key)
        after = await self.change(by_key, lambda payout: transitions.disproved(payout, key, self.clock()))
        return before.uuid is not None and after.uuid is None

    async def _note_clash(self, key: str, told: Payout, by_key: str) -> Payout:
        what = f"withdrawal {told.uuid}" if told.uuid is not None else "its place"
        return await self.change(key, lambda payout: transitions.clashing(payout, what, by_key, self.clock()))

    async def _catch_up(self, key: str) -> None:
        """Write what could not be written when it happened."""
        while changes := self._unwritten.get(key):
            if await self.journal.get(key) is not None:
                await self._write(key, changes[0])
            changes.pop(0)
            if not changes:
                del self._unwritten[key]

    async def _write(self, key: str, change: Callable[[Payout], Payout | None]) -> None:
        waiting = self._unwritten.pop(key)  # or reading it would try to catch up again
        try:
            await self._write_down(key, change)
        finally:
            self._unwritten[key] = waiting

    def _tell(self, before: Payout | None, after: Payout) -> None:
        if before is not None and before.state is after.state:
            return
        note = after.history[-1].note if after.history else ""
        level = logging.WARNING if after.state in _ALARMING else logging.INFO
        _log.log(level, "%s is %s: %s", after, after.state, note)
        self._caller.emit(
            PayoutChanged(
                host=self._caller.host,
                key=after.key,
                previous=None if before is None else before.state.value,
                state=after.state.value,
                uuid=after.uuid,
                note=note,
            )
        )


_ALARMING = frozenset({PayoutState.NEEDS_PERSON, PayoutState.UNKNOWN})
