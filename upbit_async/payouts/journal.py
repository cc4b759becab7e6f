"""Interface of a journal: a compare-and-swap store of payouts with history.

A journal may live anywhere that is durable. `SqliteJournal` keeps it in a file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

import attrs

from upbit_async.models import Withdrawal
from upbit_async.payouts.payout import Payout

if TYPE_CHECKING:
    import datetime as dt

    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.payouts.manual import ManualDecision

__all__ = ["ConflictingPayout", "Journal", "Related", "StaleRevision"]


class StaleRevision(Exception):
    """The payout was changed since it was read."""


class ConflictingPayout(Exception):
    """Another payout has what a change would take.

    Attributes:
        by_key: Its key.
    """

    def __init__(self, by_key: str) -> None:
        super().__init__(f"payout {by_key!r} has it")
        self.by_key = by_key


@attrs.frozen(kw_only=True)
class Related:
    """What a journal knows of withdrawals in one currency, as of one moment.

    Attributes:
        payouts: All payouts that have one of the withdrawals, and all in the currency that are unsettled, not sent
            or abandoned, or whose loss was recorded late.
        acknowledged: Those of the withdrawals, by their ids in lower case, that are known to be no payouts.
        unowned: All withdrawals in the currency that were found to belong to no payout, and are not acknowledged.
    """

    payouts: Sequence[Payout]
    acknowledged: Collection[str] = frozenset()
    unowned: Sequence[Withdrawal] = ()


class Journal(Protocol):
    """Keeps payouts. What a method has returned from survives a crash of the machine.

    Every method may raise `JournalError`.
    """

    async def bind(self, host: str, region: str) -> None:
        """Belong to one host and region from now on.

        Raises:
            JournalError: It belongs to another already.
        """
        ...

    async def now(self) -> JournalTime:
        """Return the time by which leases and settling times are kept, by a clock that nobody can set."""
        ...

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key is taken, and return the one that has the key then."""
        ...

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None if there is none of that key."""
        ...

    async def compare_and_swap(self, old: Payout, new: Payout) -> Payout:
        """Put `new` in the place of `old`, and return it with its revision. All of it is done, or nothing.

        Raises:
            StaleRevision: `old` is not what the journal holds.
            ConflictingPayout: Another payout has the same uuid (in any case of letters). Or another of the same
                currency, network and amount is ``sending`` or ``unknown``, and `new` would be the second; or it needs
                a review that holds up equals (`Payout.holds_up_equals`), and `new` is ``sending``.
        """
        ...

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all open payouts (`Payout.is_open`) and of all abandoned that had left, oldest first."""
        ...

    async def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known of withdrawals, as of one moment.

        Args:
            currency: The currency's code.
            uuids: The withdrawals, in lower case.
        """
        ...

    async def recent_answered(self) -> Sequence[Payout]:
        """Return the newest few payouts whose withdrawals were named by Upbit's own answers.

        They show how Upbit writes amounts.
        """
        ...

    async def mark(self, currency: str) -> str | None:
        """Return the reconciliation mark of a currency; None if it has none.

        That is a withdrawal, by its id in lower case, up to which every withdrawal in the currency belongs to a
        payout, is acknowledged, or is stored as unowned.
        """
        ...

    async def reconcile(
        self, currency: str, unowned: Sequence[Withdrawal], *, old_mark: str | None, new_mark: str | None
    ) -> None:
        """Store withdrawals that belong to no payout, and move the mark unless somebody else has moved it.

        What belongs to a payout or is acknowledged by then is not stored.
        """
        ...

    async def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout.

        Raises:
            ConflictingPayout: It belongs to a payout.
        """
        ...

    async def aclose(self) -> None:
        """Close everything. A journal may be used again after that."""
        ...
