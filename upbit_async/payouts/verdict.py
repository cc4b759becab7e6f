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

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import attrs

from upbit_async.checks import Reading, fits
from upbit_async.models import Withdrawal
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Adopt", "AskPerson", "SayNotSent", "Sight", "Verdict", "WaitFor", "judge"]


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
        unexplained: Those that nothing explains.
    """

    why: str
    candidates: tuple[Withdrawal, ...] = ()
    unexplained: tuple[Withdrawal, ...] = ()

    @property
    def in_question(self) -> list[str]:
        """The withdrawals that a person is to look at, by their ids in lower case."""
        return [row.uuid.casefold() for row in dict.fromkeys((*self.candidates, *self.unexplained))]


@attrs.frozen
class WaitFor:
    """Other payouts must be settled first: they may explain what this one's can't.

    Attributes:
        keys: Their keys.
    """

    keys: tuple[str, ...]


Verdict = Adopt | SayNotSent | AskPerson | WaitFor

_MOST_SHOWN = 5


@attrs.frozen(kw_only=True)
class Sight:
    """What is known when a payout is judged.

    Attributes:
        rows: All withdrawals in its currency that are new since its fence.
        beside: Other payouts in its currency: those that have one of the rows, and those that are not settled. They
            were read after the rows, so whoever has made one of these is among them.
        elsewhere: The ids, in lower case, that answers have told of other things made through the same client. They
            are not this payout; but as another process may not know of them, they don't say either that it is none.
        ruled_out: The ids, in lower case, that a person has ruled out.
        reading: How amounts are to be read, if that is known.
        behind: The keys of payouts that wait for this one; it does not wait for them.
    """

    rows: Sequence[Withdrawal]
    beside: Sequence[Payout]
    elsewhere: Collection[str] = ()
    ruled_out: Collection[str] = ()
    reading: Reading | None = None
    behind: Collection[str] = ()

    def will_tell(self, other: Payout) -> bool:
        """Whether another payout will be settled by itself, and does not wait for this one."""
        return other.state.is_under_way and other.key not in self.behind


def judge(payout: Payout, sight: Sight) -> Verdict:
    """Say what became of a payout whose answer was lost, at the end of its settling time."""
    owners = {other.uuid.casefold(): other for other in sight.beside if other.uuid is not None}
    taken = {*owners, *sight.ruled_out, *sight.elsewhere}
    free = [row for row in sight.rows if row.uuid.casefold() not in taken]
    reading = sight.reading or _reading_that_explains_all(payout, free, sight.beside)
    mine = [row for row in free if fits(payout.intent, row, reading or Reading.GROSS)]
    match mine:
        case [only]:
            return _for_the_only(only, sight, reading)
        case [_, *_]:
            return AskPerson(f"several withdrawals fit: {_ids(mine)}", tuple(mine))
        case _:
            return _for_none(payout, free, owners, sight, reading)


def _for_the_only(row: Withdrawal, sight: Sight, reading: Reading | None) -> Verdict:
    """Judge by the only withdrawal that fits: unless another payout may have it too, it is the one."""
    for other in sight.beside:
        if not _may_claim(other, row, reading):
            continue
        if sight.will_tell(other):
            return WaitFor((other.key,))
        return AskPerson(f"withdrawal {row.uuid} may belong to this one or to payout {other.key!r}", (row,))
    return Adopt(row)


def _for_none(
    payout: Payout,
    free: Sequence[Withdrawal],
    owners: Mapping[str, Payout],
    sight: Sight,
    reading: Reading | None,
) -> Verdict:
    """Judge where no withdrawal fits: unless all are explained, it can't be told."""
    matched = {uuid for uuid, owner in owners.items() if owner.evidence is Evidence.MATCH}
    uncertain = matched - {*sight.elsewhere, *sight.ruled_out}
    near = [row for row in sight.rows if _fits_somehow(payout, row, reading)]
    candidates = tuple(row for row in near if row in free or row.uuid.casefold() in uncertain)
    explained = {*owners, *sight.ruled_out}
    unexplained = [row for row in sight.rows if row.uuid.casefold() not in explained or row in candidates]
    if not unexplained:
        if payout.departure is not None and payout.departure.arrived:
            return AskPerson(
                "Upbit has said that the request arrived, and its list does not show a withdrawal"
            )
        return SayNotSent()
    waited_for = [other for other in sight.beside if sight.will_tell(other)]
    explanations = [
        [other.key for other in waited_for if _may_claim(other, row, reading)] for row in unexplained
    ]
    if all(explanations):
        return WaitFor(tuple(dict.fromkeys(key for keys in explanations for key in keys)))
    why = f"whose are these withdrawals in the same currency? {_ids(unexplained)}"
    return AskPerson(why, candidates, tuple(unexplained))


def _may_claim(other: Payout, row: Withdrawal, reading: Reading | None) -> bool:
    """Whether a withdrawal may be another payout's that has none yet, and that no person has looked into."""
    if other.uuid is not None:
        return False
    may_exist_unseen = other.state is PayoutState.NOT_SENT and other.evidence is not Evidence.PERSON
    if not (other.state.is_unsettled or may_exist_unseen):
        return False
    was_there_before = other.departure is not None and row.uuid.casefold() in other.departure.fence
    return not was_there_before and _fits_somehow(other, row, reading)


def _fits_somehow(payout: Payout, row: Withdrawal, reading: Reading | None) -> bool:
    return any(fits(payout.intent, row, each) for each in ([reading] if reading is not None else Reading))


def _reading_that_explains_all(
    payout: Payout, free: Sequence[Withdrawal], beside: Sequence[Payout]
) -> Reading | None:
    """Return that amounts are shown as asked for, if only so every withdrawal is somebody's.

    Nothing but this plain reading is ever concluded so: a stranger's withdrawal might look like one net of a fee.
    """
    seekers = [payout, *(other for other in beside if other.uuid is None)]

    def explains_all(reading: Reading) -> bool:
        return all(
            any(
                each is payout or _may_claim(each, row, reading)
                for each in seekers
                if fits(each.intent, row, reading)
            )
            for row in free
        )

    only_plainly = bool(free) and explains_all(Reading.GROSS) and not explains_all(Reading.NET)
    return Reading.GROSS if only_plainly else None


def _ids(rows: Sequence[Withdrawal]) -> str:
    shown = ", ".join(f"{row.uuid} of {row.amount:f} {row.currency}" for row in rows[:_MOST_SHOWN])
    return shown + (f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else "")
