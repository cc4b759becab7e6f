"""`PayoutQuery`: a selection of payouts in a journal. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

import attrs

from upbit_async.payouts.states import PayoutState

if TYPE_CHECKING:
    from upbit_async.payouts.payout import Payout

__all__ = ["PayoutQuery"]


@attrs.frozen(kw_only=True)
class PayoutQuery:
    """Selection of payouts, newest first. Compacted payouts are not selected.

    Attributes:
        states: The states that are selected; None for all.
        currency: The currency; None for all.
        uuid: The withdrawal's id, in any case of letters; None for all.
        created_after: Earliest time at which the payout was requested, UTC, included; None for all.
        created_before: The time, UTC, before which it was requested; None for all.
        before_key: Key of the payout after which the selection continues, also if it is compacted; None for its
            beginning.
        limit: The largest number of payouts.

    Example:
        .. code-block:: python

            from upbit_async.payouts import PayoutQuery

            async with payouts:
                newest = await journal.select(PayoutQuery(currency="USDT", limit=10))
    """

    states: Collection[PayoutState] | None = None
    currency: str | None = None
    uuid: str | None = None
    created_after: dt.datetime | None = None
    created_before: dt.datetime | None = None
    before_key: str | None = None
    limit: int = 100

    def after(self, last: Payout) -> PayoutQuery:
        """Return the selection's continuation after a payout of it."""
        return attrs.evolve(self, before_key=last.key)

    def selects(self, payout: Payout) -> bool:
        """Return whether a payout has the properties, wherever the selection begins."""
        return all(
            (
                self.states is None or payout.state in self.states,
                self.currency is None or payout.criteria.currency == self.currency,
                self.uuid is None or payout.is_withdrawal(self.uuid),
                self.created_after is None or payout.created_at >= self.created_after,
                self.created_before is None or payout.created_at < self.created_before,
            )
        )
