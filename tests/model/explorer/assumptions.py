"""The table of assumptions: which properties are broken when one is false, and by how many steps.

`docs/explanation/payouts.md` shows it. Each row is one exploration, in which all other assumptions hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from explorer.search import Violation, explore
from explorer.setup import Setup

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = ["HEAD", "SETUPS", "cells", "rows_of", "violations_without"]

_ALONE: Final = Setup(copies=2, decisions=1, crashes=1, reads_at_once=True)
_BEHIND: Final = Setup(copies=2, decisions=1, older=2, foreign_amount="7", page_size=2, reads_at_once=True)
SETUPS: Final[Mapping[tuple[str, ...], Setup]] = {
    ("L",): _ALONE,
    ("O",): _BEHIND,
    ("NET",): _ALONE,
    ("PAUSE",): Setup(copies=1, processes=2, reads_at_once=True),
    ("N",): _ALONE,
    ("L", "N"): _ALONE,
    ("O", "N"): _BEHIND,
    ("NET", "N"): _ALONE,
    ("PAUSE", "N"): Setup(copies=2, processes=2, decisions=1, reads_at_once=True),
    ("U",): Setup(copies=2, refusals=1, reads_at_once=True),
    ("TRUTH",): Setup(copies=2, decisions=2, reads_at_once=True),
    ("D",): Setup(copies=2, restores=1, reads_at_once=True),
    ("EQUAL",): Setup(foreign=1, reads_at_once=True),
}
"""The setup of each row, by the assumptions that are false in it."""

HEAD: Final = "| false | broken | steps |\n|---|---|---|"
_NOTHING: Final = "nothing"


def violations_without(
    assumptions: tuple[str, ...], *, expected: Collection[str] = ()
) -> Sequence[Violation]:
    """Return the first violation of each property if assumptions are false.

    Args:
        assumptions: The assumptions.
        expected: Properties after whose violation the search ends; if there are none, it visits all states.
    """
    setup = attrs.evolve(SETUPS[assumptions], false=frozenset(assumptions))
    missing = set(expected)

    def is_last(violation: Violation) -> bool:
        missing.discard(violation.problem)
        return bool(expected) and not missing

    return explore(setup, until=is_last, checks_rest=False).violations


def rows_of(assumptions: tuple[str, ...], violations: Sequence[Violation]) -> Iterator[str]:
    """Yield the rows of a table for assumptions that are false."""
    names = ", ".join(f"**{each}**" for each in assumptions)
    for violation in violations:
        yield f"| {names} | {violation.problem} | {len(violation.trace)} |"
    if not violations:
        yield f"| {names} | {_NOTHING} | |"


def cells(row: str) -> tuple[tuple[str, ...], set[str]]:
    """Return the assumptions that are false in a row of the table, and the property that it names."""
    names, problem, _ = (cell.strip() for cell in row.strip("|").split("|"))
    return tuple(names.replace("*", "").split(", ")), {problem} - {_NOTHING}
