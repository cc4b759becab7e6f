"""What keeps payouts: a small protocol, so that a journal may live anywhere that is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from upbit_async.payouts.payout import Payout

__all__ = ["Journal", "Outdated", "Taken"]


class Outdated(Exception):
    """The payout was changed by somebody else since it was read."""


class Taken(Exception):
    """Another payout stands in the way.

    Attributes:
        by_key: Its key.
    """

    def __init__(self, by_key: str) -> None:
        super().__init__(f"payout {by_key!r} stands in the way")
        self.by_key = by_key


class Journal(Protocol):
    """Keeps payouts. What a method has returned from, survives a crash of the machine.

    Every method may raise `JournalError`.
    """

    async def bind(self, host: str, region: str) -> None:
        """Belong to one host and region from now on.

        Raises:
            JournalError: It belongs to another already.
        """
        ...

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key is taken, and return the one that has the key then."""
        ...

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None if there is none of that key."""
        ...

    async def swap(self, old: Payout, new: Payout) -> Payout:
        """Put `new` in the place of `old`, and return it with its revision. All of it is done, or nothing.

        Raises:
            Outdated: `old` is not what the journal holds.
            Taken: Another payout has the same uuid (in any case of letters). Or another of the same currency,
                network and amount is ``sending`` or ``unknown``, and `new` would be the second; or it needs a
                person, and `new` is ``sending``.
        """
        ...

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all payouts that are not final (`PayoutState.is_final`), oldest first."""
        ...

    async def beside(self, payout: Payout, uuids: Collection[str]) -> Sequence[Payout]:
        """Return what may explain withdrawals, as of one moment.

        Args:
            payout: The payout that is looked for.
            uuids: The withdrawals, in lower case.

        Returns:
            All other payouts that have one of these; and all others in the same currency that are unsettled or
            not sent.
        """
        ...

    async def examples(self) -> Sequence[Payout]:
        """Return the newest few payouts whose withdrawals were told by Upbit's own answers.

        They show how Upbit writes amounts.
        """
        ...

    async def aclose(self) -> None:
        """Let go of everything. A journal may be used again after that."""
        ...
