"""Payouts of one journal and their changes, in memory. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import attrs

from upbit_async.escaping import escaped
from upbit_async.payouts.changes import PayoutChange
from upbit_async.payouts.compacted import compacted, missing_changes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from upbit_async.payouts.payout import HistoryEntry, MatchCriteria, Payout

__all__ = ["PayoutTable"]


class PayoutTable:
    """Payouts, compacted ones included, with indexes.

    Attributes:
        payouts: The payouts by their keys, in the order in which they were added.
        owners: Keys of payouts by their withdrawals, whose ids are in lower case.
        position: Position of the newest change; 0 if there is none.
    """

    def __init__(self) -> None:
        self.payouts: dict[str, Payout] = {}
        self.owners: dict[str, str] = {}
        self.position = 0
        self._equals: dict[MatchCriteria, set[str]] = {}  # without the compacted payouts
        self._changes: dict[int, PayoutChange] = {}
        self._changed_at: dict[str, int] = {}  # position of the last change of each payout
        self._compacted_to = 0

    def kept(self) -> Iterator[Payout]:
        """Yield the payouts that are not compacted, oldest first."""
        return (each for each in self.payouts.values() if not each.digest)

    def equal_to(self, payout: Payout) -> Iterator[Payout]:
        """Yield the other payouts with the same criteria."""
        return (self.payouts[key] for key in self._equals.get(payout.criteria, ()) if key != payout.key)

    def has_changed(self, payout: Payout, position: int) -> bool:
        """Return whether a payout has changed after a position."""
        return self._changed_at[payout.key] > position

    def conflicting(self, changed: Payout, *, departs: bool) -> Payout | None:
        """Return a payout that forbids a change, or None."""
        owner = None if changed.uuid is None else self.owners.get(changed.uuid.casefold())
        if owner is not None and owner != changed.key:
            return self.payouts[owner]
        for other in self.equal_to(changed):
            if departs and other.holds_up_equals:
                return other
            if other.state.is_under_way and changed.state.is_under_way:
                return other
        return None

    def store(self, changed: Payout, appended: Sequence[HistoryEntry]) -> None:
        """Store a payout, and the entries by which its history becomes longer."""
        key, known = changed.key, self.payouts.get(changed.key)
        if known is not None and known.uuid is not None:
            del self.owners[known.uuid.casefold()]
        if changed.uuid is not None:
            self.owners[changed.uuid.casefold()] = key
        history = () if known is None else known.history
        self.payouts[key] = attrs.evolve(changed, history=(*history, *appended))
        self._equals.setdefault(changed.criteria, set()).add(key)
        state = None if known is None else known.state
        for entry in appended:
            self.position += 1
            self._changes[self.position] = PayoutChange(
                position=self.position,
                key=key,
                previous=state,
                state=entry.state,
                at=entry.at,
                reason=escaped(entry.note),
                actor=entry.actor,
            )
            state = entry.state
        if appended or known is None:
            self._changed_at[key] = self.position

    def changes(self, after: int, limit: int) -> Sequence[PayoutChange]:
        """Return the changes after a position.

        Raises:
            ChangesCompacted: Some of them were removed.
        """
        if after < self._compacted_to:
            raise missing_changes(after, self._compacted_to)
        newer = (self._changes.get(each) for each in range(after + 1, self.position + 1))
        return list(islice((each for each in newer if each is not None), limit))

    def compact(self, payouts: Collection[Payout]) -> None:
        """Compact payouts, and remove their changes."""
        for each in payouts:
            self._equals[each.criteria].discard(each.key)
            self.payouts[each.key] = compacted(each)
        keys = {each.key for each in payouts}
        for position in [number for number, change in self._changes.items() if change.key in keys]:
            del self._changes[position]
            self._compacted_to = max(self._compacted_to, position)
