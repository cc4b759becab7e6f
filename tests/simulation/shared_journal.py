"""Journal that all processes of a simulation share, and what its engine does to them.

The content is a `MemoryJournal`: what a method has returned from stays, whatever crashes. A process that crashes during
a call does so before the commit, or after it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import anyio
import anyio.lowlevel
import attrs
from internals import memory_table, memory_unowned
from simulated_loop import SimulatedProcess

from upbit_async.errors import JournalError
from upbit_async.payouts import MemoryJournal, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from event_log import EventLog
    from scenario import Moment, Outage
    from simulated_loop import SimulatedLoop

    from upbit_async.payouts import PayoutChange

__all__ = ["Commit", "JournalAccess", "JournalRecord"]

T = TypeVar("T")

_LONGEST_WRITE: Final = 0.2
"""Longest time of a slow call, in seconds."""
_MANY: Final = 100_000
_CHANGES: Final = frozenset({"add", "compare_and_swap"})


@attrs.frozen
class Commit:
    """One change of a payout in the journal.

    Attributes:
        at: Virtual time.
        before: The payout before; None if it is new.
        after: The payout after.
        is_paused: Whether the journal was paused, as far as every process knows.
    """

    at: float
    before: Payout | None
    after: Payout
    is_paused: bool

    @property
    def departs(self) -> bool:
        """Whether it records that a copy is about to be sent."""
        return self.after.state is PayoutState.SENDING and (
            self.before is None
            or self.before.state is not PayoutState.SENDING
            or self.before.required_request.copies != self.after.required_request.copies
        )


class JournalRecord:
    """Record of all commits, at their true times, and the journal itself.

    Args:
        loop: The event loop.
        log: Event log.

    Attributes:
        content: The journal.
        commits: All commits, oldest first.
        is_paused: Whether `pause` has returned, and `resume` was not called since.
    """

    def __init__(self, loop: SimulatedLoop, log: EventLog) -> None:
        self.content = MemoryJournal()
        self.commits: list[Commit] = []
        self.is_paused = False
        self._loop = loop
        self._log = log
        self._known: dict[str, Payout] = {}

    def add(self, payout: Payout) -> Commit | None:
        """Record a payout as the journal has it now; return the commit if it has changed."""
        before = self._known.get(payout.key)
        if before is not None and before.revision == payout.revision:
            return None
        self._known[payout.key] = payout
        commit = Commit(self._loop.time(), before, payout, self.is_paused)
        self.commits.append(commit)
        if before is None or before.state is not payout.state or before.history != payout.history:
            self._log.add(f"{payout.key} is {payout.state} ({payout.uuid}): {payout.reason}")
        elif payout.error is not None:
            self._log.add(f"{payout.key} stays {payout.state}: {payout.error}")
        return commit

    @property
    def payouts(self) -> dict[str, Payout]:
        """The payouts by their keys, as the journal has them now."""
        return self._known

    def newest_position(self) -> int:
        """Return the position of the newest change."""
        return memory_table(self.content).position

    def all_changes(self) -> tuple[PayoutChange, ...]:
        """Return all changes."""
        return tuple(memory_table(self.content).changes(0, _MANY))

    def acknowledged(self, uuids: list[str]) -> frozenset[str]:
        """Return those of the withdrawals that are acknowledged as no payouts."""
        return memory_unowned(self.content).acknowledged(uuids)

    def accounted(self, uuids: list[str]) -> frozenset[str]:
        """Return those withdrawals that belong to a payout, are acknowledged, or are reported."""
        owned = frozenset(each.uuid for each in self._known.values() if each.uuid is not None)
        reported = {uuid for each in self._known.values() if each.is_open for uuid in each.candidates}
        unowned = {row.uuid for row in memory_unowned(self.content).open()}
        return (owned | reported | unowned | self.acknowledged(uuids)) & {*uuids}


class _Notice(Protocol):
    def __call__(self, moment: Moment, process: SimulatedProcess | None) -> None: ...


class JournalAccess:
    """Access of one process to the journal; it has all methods of a `Journal`.

    Args:
        record: The journal.
        loop: The event loop.
        outages: Times in which its engine does not work.
        slow: Probability that a call takes some time.
        chance: Source of chance.
        reached: Receives that the process has reached a moment.
    """

    def __init__(
        self,
        record: JournalRecord,
        loop: SimulatedLoop,
        *,
        outages: tuple[Outage, ...],
        slow: float,
        chance: Random,
        reached: _Notice,
    ) -> None:
        self._record = record
        self._loop = loop
        self._outages = outages
        self._slow = slow
        self._chance = chance
        self._reached = reached

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return partial(self._call, name, getattr(self._record.content, name))

    async def aclose(self) -> None:
        """Do nothing."""

    async def _call(
        self, name: str, method: Callable[..., Awaitable[T]], *arguments: Any, **options: Any
    ) -> T:
        outage = self._outage()
        if outage is not None and (not outage.commits or name not in _CHANGES):
            await anyio.lowlevel.checkpoint()
            raise JournalError("the engine does not answer")
        if self._slow and self._chance.random() < self._slow:
            await anyio.sleep(self._chance.uniform(0, _LONGEST_WRITE))
        result = await method(*arguments, **options)
        if name in _CHANGES and isinstance(result, Payout):
            self._notice(result)
            await anyio.lowlevel.checkpoint()  # the process may crash after the commit
            if outage is not None:
                raise JournalError("the engine does not answer after it has committed")
        return result

    def _notice(self, payout: Payout) -> None:
        commit = self._record.add(memory_table(self._record.content).payouts[payout.key])
        if commit is None:
            return
        process = SimulatedProcess.current()
        self._reached("write", process)
        if commit.departs:
            self._reached("departure", process)

    def _outage(self) -> Outage | None:
        now = self._loop.time()
        return next((each for each in self._outages if each.start <= now < each.start + each.length), None)
