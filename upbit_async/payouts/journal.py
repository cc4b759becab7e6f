"""Interface of a journal: a durable compare-and-swap store of payouts with their history.

`SqliteJournal` keeps it in a file. Any other durable store can implement it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from upbit_async.models import Withdrawal
from upbit_async.payouts.payout import Payout

if TYPE_CHECKING:
    import datetime as dt

    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.payouts.manual import ManualDecision

__all__ = ["RECENT_ANSWERS", "ConflictingPayout", "Journal", "Related", "StaleRevision"]


RECENT_ANSWERS: Final = 20
"""Number of payouts that `Journal.recent_answered` returns in the journals of this library."""


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

    Example:
        .. code-block:: python

            async with payouts:
                related = await journal.related("USDT", ["4b1fa8f1-3d44-4b2f-9a5c-4a5d2c1d9e77"])
                assert related.owner_of("4b1fa8f1-3d44-4b2f-9a5c-4a5d2c1d9e77") is None
    """

    payouts: Sequence[Payout]
    acknowledged: Collection[str] = frozenset()
    unowned: Sequence[Withdrawal] = ()

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

    async def compare_and_swap(self, old: Payout, new: Payout) -> Payout:
        """Replace `old` by `new`, and return it with its new revision. Either all of it is written, or nothing.

        After a `JournalError` it may have been written.

        Raises:
            StaleRevision: The journal has another revision than `old`.
            ConflictingPayout: Another payout has the same uuid (in any case of letters). Or another of the same
                currency, network and amount is ``sending`` or ``unknown``, and `new` would be the second. Or another
                needs a review that holds up such payouts (`Payout.holds_up_equals`), and `new` is ``sending``.
        """
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
        self, currency: str, unowned: Sequence[Withdrawal], *, old_mark: str | None, new_mark: str | None
    ) -> None:
        """Store withdrawals that belong to no payout, and move the mark if it is still the old one.

        A withdrawal that belongs to a payout or is acknowledged by now is not stored.
        """
        ...

    async def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout.

        Raises:
            ConflictingPayout: It belongs to a payout.
        """
        ...

    async def aclose(self) -> None:
        """Release all resources. The next call opens the journal again."""
        ...
