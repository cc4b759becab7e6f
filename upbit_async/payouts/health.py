"""`PayoutsHealth`: the state of all payouts of a journal, for monitoring. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from upbit_async.payouts.payout import PayoutState

__all__ = ["PayoutsHealth"]


@attrs.frozen(kw_only=True)
class PayoutsHealth:
    """State of all payouts of a journal, read from the journal alone.

    Attributes:
        journal_ok: Whether the journal can be read. If not, all other attributes have their defaults.
        paused: Whether `Payouts.pause` is in force.
        counts: Number of payouts in each state that occurs; compacted ones are left out.
        unreadable: Number of payouts whose state can't be read, because another program has changed their rows.
        oldest_queued: Time at which the oldest ``queued`` payout was requested, UTC; None if there is none.
        oldest_unknown: The same for ``unknown`` payouts.
        oldest_needs_review: The same for payouts that need review.
        runner_seen_at: Time at which a `Payouts.run` of any process was last active, UTC; None if there was none.
        reconciled_at: Time of the last complete reconciliation, UTC; None if there was none.

    Example:
        .. code-block:: python

            health = await payouts.health()
            if not health.journal_ok or health.oldest_needs_review is not None:
                print("look at the payouts", dict(health.counts))
    """

    journal_ok: bool
    paused: bool = False
    counts: Mapping[PayoutState, int] = attrs.field(factory=dict[PayoutState, int])
    unreadable: int = 0
    oldest_queued: dt.datetime | None = None
    oldest_unknown: dt.datetime | None = None
    oldest_needs_review: dt.datetime | None = None
    runner_seen_at: dt.datetime | None = None
    reconciled_at: dt.datetime | None = None
