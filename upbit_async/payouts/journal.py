"""Interface of a journal: a durable compare-and-swap store of payouts with their history.

`SqliteJournal` keeps it in a file. Any other durable store can implement it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from upbit_async.models import Withdrawal
from upbit_async.payouts.departure import UNCONDITIONAL, DepartureConditions
from upbit_async.payouts.payout import Payout

if TYPE_CHECKING:
    from upbit_async.payouts.changes import PayoutChange
    from upbit_async.payouts.health import PayoutsHealth
    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.payout_query import PayoutQuery
    from upbit_async.payouts.states import PayoutState

__all__ = [
    "RECENT_ANSWERS",
    "RETAINED",
    "ConflictingPayout",
    "Journal",
    "Related",
    "StaleRevision",
    "given_up",
]


RECENT_ANSWERS: Final = 20
"""Number of payouts that `Journal.recent_answered` returns in the journals of this library."""

RETAINED: Final = dt.timedelta(days=7)
"""Time after its departure and its last change for which a final payout is not compacted."""


class StaleRevision(Exception):
    """A write to a payout that has changed since it was read. Read it again.

    Example:
        .. code-block:: python

            tron = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
            address = "TFakeTronWithdrawAddressFakeFakeFa"
            payout = await payouts.send("invoice-42", **tron, address=address)
            changed = await journal.compare_and_swap(payout, payout)
            try:
                await journal.compare_and_swap(payout, payout)
            except StaleRevision:
                payout = await journal.get("invoice-42")
            assert payout.revision == changed.revision
    """


class ConflictingPayout(Exception):
    """A change that another payout forbids, such as a second payout with the same withdrawal.

    Attributes:
        by_key: The other payout's key.

    Example:
        .. code-block:: python

            import datetime as dt

            tron = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
            address = "TFakeTronWithdrawAddressFakeFakeFa"
            payout = await payouts.send("invoice-42", **tron, address=address)
            try:
                await journal.acknowledge(payout.uuid, "USDT", ManualDecision(), dt.datetime.now(dt.UTC))
            except ConflictingPayout as conflict:
                assert conflict.by_key == "invoice-42"
    """

    def __init__(self, by_key: str) -> None:
        super().__init__(f"payout {by_key!r} forbids the change")
        self.by_key = by_key


@attrs.frozen(kw_only=True)
class Related:
    """What a journal knows about withdrawals in one currency, as of one moment.

    Attributes:
        payouts: All payouts that have one of the withdrawals. And all in the currency that may have a withdrawal
            whose id is not known, that were not sent or are abandoned, or whose lost answer was recorded late. Their
            histories are left out.
        acknowledged: Those of the withdrawals that are acknowledged as no payouts, by their ids in lower case.
        unowned: All withdrawals in the currency that belong to no payout, and are not acknowledged.
        matched: All payouts in the currency whose withdrawal was only matched (`Evidence.MATCH`), without their
            histories.
        unreadable: Keys of payouts whose records are damaged so far that any withdrawal in the currency may be theirs.
        unreadable_unowned: Ids, in lower case, of withdrawals in the currency that belong to no payout, are not
            acknowledged, and whose records are damaged.

    Example:
        .. code-block:: python

            async with payouts:
                related = await journal.related("USDT", ["4b1fa8f1-3d44-4b2f-9a5c-4a5d2c1d9e77"])
                assert related.owner_of("4b1fa8f1-3d44-4b2f-9a5c-4a5d2c1d9e77") is None
    """

    payouts: Sequence[Payout]
    acknowledged: Collection[str] = frozenset()
    unowned: Sequence[Withdrawal] = ()
    matched: Sequence[Payout] = ()
    unreadable: Collection[str] = ()
    unreadable_unowned: Collection[str] = ()

    def owner_of(self, uuid: str, *, other_than: str | None = None) -> str | None:
        """Return the key of the payout that has a withdrawal, or None.

        Args:
            uuid: The withdrawal's id, in any case of letters.
            other_than: Key of a payout that does not count.
        """
        for payout in self.payouts:
            if payout.is_withdrawal(uuid) and payout.key != other_than:
                return payout.key
        return None


class Journal(Protocol):
    """Durable store of payouts. When a method returns, its change survives a crash of the machine.

    Every method may raise `JournalError`.

    A record that is damaged must not stop the work on the others. A method that returns or adds one payout raises a
    `JournalError` with its key. `claim`, `select` and `recent_answered` log it at level ERROR and leave the payout out;
    `claim` claims it all the same, so that it is not tried again soon. `changes` raises when the next change is
    damaged, because a reader of changes must miss none. `related` leaves nothing out: see `Related`.

    Example:
        .. code-block:: python

            journal: Journal = SqliteJournal("payouts.db")
            payouts = Payouts(client, journal=journal)
    """

    async def bind(self, host: str, region: str) -> None:
        """Bind the journal to one host and region, for all time.

        Raises:
            JournalError: It is bound to another.
        """
        ...

    async def now(self) -> JournalTime:
        """Return the time for leases and settling times, by a clock that nobody can set."""
        ...

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key exists, and return the payout that has the key."""
        ...

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None if there is none of that key."""
        ...

    async def compare_and_swap(
        self, old: Payout, new: Payout, conditions: DepartureConditions = UNCONDITIONAL
    ) -> Payout:
        """Replace `old` by `new`, and return it with its new revision. Either all of it is written, or nothing.

        If the revision of `old` is -1, the journal does not have it, and `new` is added with revision 0. After a
        `JournalError` it may have been written.

        If `new` does not have the withdrawal of `old` any more, the record of `old` is stored as unowned in the same
        write. `Related.unowned` returns it while no other payout has it.

        The entries by which the history of `new` is longer than that of `old` are added to the stored history, which
        therefore stays whole if both were read without it. They are the changes that `changes` returns.

        A payout that is ``sending`` already may change without another copy. What is said of a `new` that is
        ``sending`` holds only if it has another copy than `old`.

        Args:
            old: The payout as it was read.
            new: The payout as it shall be.
            conditions: Conditions that must hold in the same transaction if `new` is ``sending``.

        Raises:
            JournalError: The payout is compacted, or it could not be written.
            StaleRevision: The journal has another revision than `old`.
            ConflictingPayout: Another payout has the same uuid (in any case of letters). Or another of the same
                currency, network and amount is ``sending`` or ``unknown``, and `new` would be the second. Or another
                needs a review that holds up such payouts (`Payout.holds_up_equals`), and `new` is ``sending``.
            DeparturePaused: `new` is ``sending``, and the journal is paused.
            StaleBaseline: `new` is ``sending``, and another payout of the same currency, network and amount has
                changed after the position in the conditions. One that is ``planned`` or ``queued`` without a
                `Payout.sent_request` does not count.
            AmountLimitExceeded: `new` is ``sending``, and would exceed a limit in the conditions. For the limit per
                day, all other payouts count that have a `Payout.sent_request` whose last copy was recorded within the
                last 24 hours, by either clock.
        """
        ...

    async def claim(
        self,
        runner: str,
        *,
        lease: float,
        limit: int,
        states: Collection[PayoutState],
        released: Collection[str] = (),
    ) -> Sequence[Payout]:
        """Claim open payouts for a runner, and return them without their histories, oldest first.

        A payout can be claimed if its state is one of those given, and no runner has claimed it, or one whose lease is
        over. A claim only divides the work between runners. What is safe is decided by `compare_and_swap`.

        Args:
            runner: Name of the runner. Each call renews the leases of all its claims.
            lease: Time after a runner's last call for which it keeps its claims, in journal time, in seconds.
            limit: The largest number of payouts; 0 only renews the leases.
            states: States of the payouts to claim.
            released: Keys of the payouts that the runner does not keep any longer.
        """
        ...

    async def retire(self, runner: str) -> None:
        """Release all claims of a runner."""
        ...

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all open payouts, oldest first.

        These are those with `Payout.is_open`, and all abandoned ones of which a copy was sent.
        """
        ...

    async def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known about withdrawals, as of one moment.

        Args:
            currency: The currency's code.
            uuids: The withdrawals, by their ids in lower case.
        """
        ...

    async def recent_answered(self) -> Sequence[Payout]:
        """Return the newest few payouts whose withdrawals Upbit's own answers named.

        They show whether Upbit's amounts include the fee.
        """
        ...

    async def mark(self, currency: str) -> str | None:
        """Return the reconciliation mark of a currency; None if it has none.

        That is a withdrawal, by its id in lower case. It and every earlier withdrawal in the currency belongs to a
        payout, is acknowledged, or is stored as unowned.
        """
        ...

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
        """Store withdrawals that belong to no payout, and move the mark if it is still the old one.

        A withdrawal that belongs to a payout or is acknowledged by now is not stored.

        Args:
            currency: The currency; an empty text for the mark of all currencies together.
            unowned: The withdrawals.
            old_mark: The mark as it was read.
            new_mark: The mark to store.
            at: The present, UTC.
            is_complete: Whether this ends a complete reconciliation, which `PayoutsHealth.reconciled_at` shows.
        """
        ...

    async def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout.

        Raises:
            ConflictingPayout: It belongs to a payout.
        """
        ...

    async def select(self, query: PayoutQuery) -> Sequence[Payout]:
        """Return the payouts of a selection with their histories, newest first.

        Raises:
            ValueError: No payout has the key `PayoutQuery.before_key`.
        """
        ...

    async def position(self) -> int:
        """Return the position of the newest change; 0 if there is none."""
        ...

    async def changes(self, after: int, limit: int) -> Sequence[PayoutChange]:
        """Return the changes after a position, in the order of their positions.

        When a position was returned, no change with a smaller one appears later.

        Raises:
            ChangesCompacted: Some of them were removed.
        """
        ...

    async def pause(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let nothing depart from now on; a further call replaces the decision."""
        ...

    async def resume(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let payouts depart again."""
        ...

    async def unowned(self) -> Sequence[Withdrawal]:
        """Return all withdrawals, in any currency, that belong to no payout and are not acknowledged."""
        ...

    async def unreported(self, now: dt.datetime, settling_time: float) -> Sequence[Withdrawal]:
        """Return the unowned withdrawals that were stored `settling_time` ago, and mark them as reported.

        Each is returned once, to one caller. Those that are acknowledged or belong to a payout by now are left out.

        Args:
            now: The present, UTC.
            settling_time: Time for which a withdrawal must have been stored, in seconds.
        """
        ...

    async def health(self) -> PayoutsHealth:
        """Return the state of all payouts; `PayoutsHealth.journal_ok` is True."""
        ...

    async def compact(self, before: dt.datetime, now: dt.datetime) -> int:
        """Compact final payouts, remove their changes, and return how many there were.

        A compacted payout keeps its key, the digest of its request, the time of it, its uuid, its state and its
        evidence. `get` and `related` return it with an intent without members, and with `Payout.digest`.

        Args:
            before: The time, UTC, before which they must have changed last.
            now: The present, UTC. A payout is left alone for seven days after its departure and its last change, and
                while an abandoned one is open.
        """
        ...

    async def aclose(self) -> None:
        """Release all resources. The next call opens the journal again."""
        ...


def given_up(old: Payout, new: Payout) -> Withdrawal | None:
    """Return the record of the withdrawal that a payout does not have any more after a change, or None."""
    if old.uuid is None or new.is_withdrawal(old.uuid):
        return None
    return old.record
