"""What became of a payout whose answer was lost, by Upbit's list and the journal. Pure.

Money depends on two rules that lean opposite ways:

- *It is this one* is said by the **narrowest** match: of all withdrawals that are new since the fence and nobody's,
  exactly one has the currency, the network, the type and the very amount.
- *It was not sent* is said by the **widest**: every new withdrawal in that currency belongs to somebody else.

Whatever lies between goes to a person. Time excludes nothing, and neither does what Upbit leaves out.

Whose a withdrawal is, is certain where Upbit's own answer said so, or a person. Where it was only found, it may have
been taken for the wrong payout's; so if it could be this one's too, it excuses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from upbit_async.checks import Reading, fits
from upbit_async.models import Withdrawal
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["Adopt", "AskPerson", "SayNotSent", "Verdict", "judge"]


@attrs.frozen
class Adopt:
    """It is this withdrawal."""

    record: Withdrawal


@attrs.frozen
class SayNotSent:
    """Upbit does not have it."""


@attrs.frozen
class AskPerson:
    """It can't be told.

    Attributes:
        why: Why not, for people.
        candidates: The withdrawals that may be it; none where some are only unexplained.
    """

    why: str
    candidates: tuple[Withdrawal, ...] = ()


Verdict = Adopt | SayNotSent | AskPerson

_MOST_SHOWN = 5


def judge(
    payout: Payout,
    rows: Sequence[Withdrawal],
    *,
    beside: Sequence[Payout],
    elsewhere: Collection[str],
    reading: Reading | None,
) -> Verdict:
    """Say what became of a payout, at the end of its settling time.

    Args:
        payout: The payout, whose answer was lost.
        rows: All withdrawals in its currency that are new since its fence.
        beside: Other payouts in its currency: those that own one of the rows, and those that are not settled. They
            were read after the rows, so whoever has made one of these is among them.
        elsewhere: The ids, in lower case, that answers have told of other things made through the same client.
        reading: How amounts are to be read, if that is known.
    """
    owners = {other.uuid.casefold(): other for other in beside if other.uuid is not None}
    free = [row for row in rows if row.uuid.casefold() not in owners and row.uuid.casefold() not in elsewhere]
    mine = [row for row in free if fits(payout.intent, row, reading or Reading.GROSS)]
    match mine:
        case [only]:
            rival = _rival_for(only, free, beside, reading)
            if rival is None:
                return Adopt(only)
            return AskPerson(
                f"withdrawal {only.uuid} may belong to this one or to payout {rival.key!r}", (only,)
            )
        case [_, *_]:
            return AskPerson(f"several withdrawals fit: {_ids(mine)}", tuple(mine))
    readings = tuple(Reading) if reading is None else (reading,)
    near = [row for row in rows if any(fits(payout.intent, row, each) for each in readings)]
    uncertain = {uuid for uuid, owner in owners.items() if owner.evidence is Evidence.MATCH}
    candidates = tuple(row for row in near if row in free or row.uuid.casefold() in uncertain)
    if doubtful := [row for row in rows if row in free or row in candidates]:
        why = f"whose are these withdrawals in the same currency? {_ids(doubtful)}"
        return AskPerson(why, candidates)
    if payout.departure is not None and payout.departure.arrived:
        return AskPerson("Upbit has said that the request arrived, and its list does not show a withdrawal")
    return SayNotSent()


def _rival_for(
    row: Withdrawal, free: Sequence[Withdrawal], beside: Sequence[Payout], reading: Reading | None
) -> Payout | None:
    """Return another payout without a withdrawal that this one may be of, and that no other fits better."""
    readings = [reading] if reading is not None else list(Reading)
    for other in beside:
        if other.uuid is not None or not (other.state.is_unsettled or other.state is PayoutState.NOT_SENT):
            continue
        if not any(fits(other.intent, row, each) for each in readings):
            continue
        best = reading or Reading.GROSS
        if not any(fits(other.intent, each, best) for each in free if each.uuid != row.uuid):
            return other
    return None


def _ids(rows: Sequence[Withdrawal]) -> str:
    shown = ", ".join(f"{row.uuid} of {row.amount:f} {row.currency}" for row in rows[:_MOST_SHOWN])
    return shown + (f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else "")
