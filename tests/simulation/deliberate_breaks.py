"""Deliberate breaks of the library, each of which the judge of the simulations must find."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import anyio
import anyio.lowlevel
import attrs
from campaign import run_seeds_here

import upbit_async.payouts.decision
import upbit_async.payouts.judging
import upbit_async.payouts.memory.journal
import upbit_async.payouts.transitions
from upbit_async.payouts import MemoryJournal
from upbit_async.payouts.decision import RequireReview
from upbit_async.payouts.runner import Runner
from upbit_async.payouts.settling import Settler

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from upbit_async.payouts import Payout, PayoutChange
    from upbit_async.payouts.decision import Conclusion, Observation
    from upbit_async.payouts.journal_time import Now

__all__ = ["BREAKS", "Break", "find"]


@attrs.frozen
class Break:
    """A break, and what the judge must find.

    Attributes:
        what: Kind of the finding.
        owner: Module or class that is broken.
        name: Its function.
        replacement: What takes the function's place.
    """

    what: str
    owner: Any
    name: str
    replacement: Callable[..., Any]


def find(name: str, seeds: Iterable[int]) -> int | None:
    """Return the first seed at which the judge finds a break, or None."""
    broken = BREAKS[name]
    with mock.patch.object(broken.owner, broken.name, broken.replacement):
        for seed in seeds:
            (result,) = run_seeds_here([seed])
            if any(each.what == broken.what for each in result.verdicts):
                return seed
    return None


# -- replacements ----------------------------------------------------------------------------------

_changes = MemoryJournal.changes


async def _nothing_remains(_settler: Settler, _payout: Payout) -> float:
    return 0.0


async def _not_paused(_journal: MemoryJournal, _decision: object, _at: object) -> None:
    await anyio.lowlevel.checkpoint()


async def _never_settled(_runner: Runner, _key: str) -> Payout:
    await anyio.sleep_forever()
    raise AssertionError


def _always_review(_payout: Payout, _seen: Observation) -> Conclusion:
    return RequireReview("it is unclear")


async def _without_the_first(journal: MemoryJournal, after: int, limit: int) -> Sequence[PayoutChange]:
    found = await _changes(journal, after, limit)
    return found[1:] if len(found) > 1 else found


def _back_to_the_queue(payout: Payout, error: object, *, lease_holder: str, now: Now) -> Payout | None:
    return upbit_async.payouts.transitions.reverted(
        payout, lease_holder=lease_holder, why="the answer was lost", now=now
    )


BREAKS: Final = {
    "the settling time is over at once": Break(
        "reported wrongly", Settler, "remaining_settling_time", _nothing_remains
    ),
    "a limit is not checked": Break(
        "exceeded", upbit_async.payouts.memory.journal, "check_amounts", lambda *_: None
    ),
    "a pause is not recorded": Break("paused", MemoryJournal, "pause", _not_paused),
    "a lost answer is not settled": Break("forgotten", Runner, "_settle", _never_settled),
    "a lease never ends": Break(
        "forgotten", upbit_async.payouts.transitions, "lease_is_over", lambda *_: False
    ),
    "claims of others are ignored": Break(
        "reported wrongly", upbit_async.payouts.decision, "may_claim", lambda *_: False
    ),
    "every doubt needs a review": Break("unambiguous", upbit_async.payouts.judging, "decide", _always_review),
    "a change is skipped": Break("changes", MemoryJournal, "changes", _without_the_first),
    "a lost answer means not sent": Break(
        "doubled", upbit_async.payouts.transitions, "lost", _back_to_the_queue
    ),
}
"""The breaks, by what they do."""
