"""Claims of runners on payouts, in memory. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from upbit_async.payouts.journal_time import JournalTime, Moment, lease_is_over

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Claims"]


@attrs.define
class _Runner:
    """A runner: when it last called, for how long it keeps its claims after that, in seconds, and on what."""

    called_at: Moment
    lease: float
    keys: set[str] = attrs.field(factory=set[str])


class Claims:
    """Which runner has claimed which payouts."""

    def __init__(self) -> None:
        self._runners: dict[str, _Runner] = {}
        self._claimed: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Return whether a payout is claimed."""
        return key in self._claimed

    def renew(self, runner: str, lease: float, now: JournalTime) -> None:
        """Renew the lease of a runner, and release the claims of all others whose leases are over."""
        for name, other in list(self._runners.items()):
            if name != runner and lease_is_over(other.called_at, other.lease, now):
                self.retire(name)
            other.called_at = other.called_at.seen(now)
        own = self._runners.setdefault(runner, _Runner(Moment.at(now), lease))
        own.called_at, own.lease = Moment.at(now), lease

    def add(self, runner: str, keys: Collection[str]) -> None:
        """Claim payouts for a runner that has called `renew`."""
        self._runners[runner].keys.update(keys)
        self._claimed.update(keys)

    def release(self, runner: str, keys: Collection[str]) -> None:
        """Release some of the claims of a runner; what it has not claimed stays as it is."""
        released = self._runners[runner].keys.intersection(keys)
        self._runners[runner].keys -= released
        self._claimed -= released

    def drop(self, key: str) -> None:
        """Release a payout, whichever runner has claimed it."""
        if key in self._claimed:
            self._claimed.discard(key)
            for runner in self._runners.values():
                runner.keys.discard(key)

    def retire(self, runner: str) -> None:
        """Release all claims of a runner."""
        known = self._runners.pop(runner, None)
        if known is not None:
            self._claimed -= known.keys
