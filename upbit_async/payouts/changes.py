"""`PayoutChange`: one change of a payout, with its position in the journal. Pure."""

from __future__ import annotations

import datetime as dt

import attrs

from upbit_async.payouts.payout import PayoutState

__all__ = ["PayoutChange"]


@attrs.frozen(kw_only=True)
class PayoutChange:
    """One change of a payout.

    Attributes:
        position: Position in the journal. Positions rise, and are never used twice; some may be missing.
        key: The payout's key.
        previous: The state before; None if the payout is new.
        state: The state after. It is the previous one if only a note was added.
        at: Time of the change, UTC, by the clock of the machine that made it.
        reason: Reason for the change, as text for people.
        actor: Who decided it, if it was a manual decision and its caller named an actor.

    Example:
        .. code-block:: python

            destination = {"net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
            await payouts.enqueue("invoice-42", currency="USDT", amount="13", **destination)
            position = 0  # stored by your service, together with what it has made of the changes
            async for change in payouts.changes(after=position):
                print(change.position, change.key, change.previous, change.state, change.reason)
                break
    """

    position: int
    key: str
    previous: PayoutState | None
    state: PayoutState
    at: dt.datetime
    reason: str
    actor: str | None = None
