"""States of the model, and the steps between them."""

from __future__ import annotations

from typing import NamedTuple

import attrs

__all__ = ["Budget", "State", "Step"]


class State(NamedTuple):
    """A state, as numbers of values (`explorer.values.Interned`).

    Attributes:
        journal: The journal.
        exchange: The exchange and the network.
        budget: What may still happen.
        processes: Each process: its operation and how far it is; 0 if it has none.
    """

    journal: int
    exchange: int
    budget: int
    processes: tuple[int, ...]


class Step(NamedTuple):
    """A step.

    Attributes:
        label: What happens, as text.
        state: The state after it.
        problem: The property that the step itself violates; empty if none.
    """

    label: str
    state: State
    problem: str = ""


@attrs.frozen
class Budget:
    """What may still happen, so that an exploration ends.

    Attributes:
        copies: Number of copies of each payout that were recorded.
        crashes: Number of further crashes.
        refusals: Number of further refusals.
        foreign: Number of further withdrawals outside the library.
        restores: Number of further restores of the journal.
        tampers: Number of further changes of the journal by someone else.
        pauses: Number of further pauses.
        ends: Number of further withdrawals that end.
        restarts: Number of further restarts of the machine.
        decisions: Number of further decisions of people.
    """

    copies: tuple[int, ...]
    crashes: int
    refusals: int
    foreign: int
    restores: int
    tampers: int
    pauses: int
    ends: int
    restarts: int
    decisions: int

    def without(self, name: str) -> Budget:
        """Return the budget with one less of what an attribute counts."""
        return attrs.evolve(self, **{name: getattr(self, name) - 1})

    def with_copy(self, number: int) -> Budget:
        """Return the budget after a further copy of a payout, given by its number."""
        copies = list(self.copies)
        copies[number] += 1
        return attrs.evolve(self, copies=tuple(copies))
