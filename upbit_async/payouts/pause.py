"""`Pause`: the decision by which no payout of a journal departs, and what it means for each payout. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs

from upbit_async.errors import PayoutBlocked, PayoutsPaused
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.payout import Payout

__all__ = ["Pause", "held_back", "paused_error"]


@attrs.frozen(kw_only=True)
class Pause:
    """Pause that is in force: no payout of the journal departs.

    Attributes:
        since: Time of the newest call of `Payouts.pause`, UTC.
        note: Its reason, as text for people; may be empty.
        actor: Name of the person or service that paused; None if it is not recorded.

    Example:
        .. code-block:: python

            await payouts.pause(note="an address was stolen", actor="Ann")
            pause = (await payouts.health()).pause
            assert pause is not None
            print(pause.since, pause.actor, pause.note)
            await payouts.resume()
    """

    since: dt.datetime
    note: str = ""
    actor: str | None = None

    def __str__(self) -> str:
        return _text(self.actor, self.note)


def paused_error(payout: Payout, decision: ManualDecision) -> PayoutsPaused:
    """Return the error for a payout that was not sent because of a decision to pause."""
    return PayoutsPaused(
        f"{payout} was not sent: {_text(decision.actor, decision.note)}; call resume to send again"
    )


def held_back(payout: Payout, pause: Pause | None) -> Payout:
    """Return a payout with the pause in its reason if that is what it waits for.

    The journal does not record that: a pause concerns all payouts, so it would take a write for each.
    """
    if pause is None or not payout.state.may_be_sent:
        return payout
    if isinstance(payout.error, PayoutBlocked):  # its reason names what blocks it after the pause, too
        text = f"{payout.error}; in addition, {pause}"
        blocked = PayoutBlocked(text, by_key=payout.error.by_key, uuids=payout.error.uuids)
        return attrs.evolve(payout, error=blocked)
    error = PayoutsPaused(f"{payout} was not sent: {pause}; call resume to send again")
    return attrs.evolve(payout, error=error)


def _text(actor: str | None, note: str) -> str:
    by = f" by {actor}" if actor else ""
    why = f": {note}" if note else ""
    return escaped(f"payouts are paused{by}{why}")
