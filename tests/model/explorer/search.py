"""Breadth-first search of all states, for states that violate a property.

The first violation is found in the fewest steps. A property is violated by a step (`Step.problem`), by a state
(`problems_of`), or because no state of rest can be reached from a state any more.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import attrs

from explorer.properties import is_at_rest, problem_of
from explorer.service import replaced
from explorer.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from explorer.setup import Setup
    from explorer.state import State

__all__ = ["NO_REST", "Exploration", "Violation", "explore"]

NO_REST = "from every state, a state of rest can be reached"


@attrs.frozen
class Violation:
    """A violated property, and the shortest way to it.

    Attributes:
        problem: The property.
        trace: The steps that lead to it, as text.
    """

    problem: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        steps = "\n".join(f"{number:3}. {step}" for number, step in enumerate(self.trace, 1))
        return f"violated: {self.problem}\n{steps}"


@attrs.frozen
class Exploration:
    """Result of a search.

    Attributes:
        states: Number of states.
        steps: Number of steps between them.
        is_complete: Whether all states were visited.
        violations: The first violation of each property.
    """

    states: int
    steps: int
    is_complete: bool
    violations: tuple[Violation, ...]


class _Search:
    """States in the order in which they were found, and for each the step that has led to it first."""

    def __init__(self, world: World) -> None:
        self.world = world
        first = world.initial
        self.numbers: dict[State, int] = {first: 0}
        self.states = [first]
        self.parents = array("q", [-1])
        self.labels = [""]
        self.steps = 0
        self._problems: dict[tuple[int, int], str] = {}
        self.edges = array("q")
        """Pairs of states: before and after each step."""

    def add(self, parent: int, label: str, state: State) -> int:
        number = self.numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
            self.parents.append(parent)
            self.labels.append(label)
        return number

    def problem_of(self, state: State) -> str:
        """Return the property that a state violates, by its journal and its exchange; empty if it violates none."""
        key = state.journal, state.exchange
        if key not in self._problems:
            self._problems[key] = problem_of(self.world, state)
        return self._problems[key]

    def trace(self, number: int) -> tuple[str, ...]:
        steps: list[str] = []
        while number > 0:
            steps.append(self.labels[number])
            number = self.parents[number]
        return tuple(steps[::-1])

    def without_rest(self) -> Iterator[int]:
        """Yield the states from which no state of rest can be reached, nearest first."""
        before: dict[int, list[int]] = {}
        for start, end in zip(self.edges[::2], self.edges[1::2], strict=True):
            before.setdefault(end, []).append(start)
        reached = bytearray(len(self.states))
        queue = [number for number, state in enumerate(self.states) if is_at_rest(self.world, state)]
        for number in queue:
            reached[number] = True
        while queue:
            for start in before.get(queue.pop(), ()):
                if not reached[start]:
                    reached[start] = True
                    queue.append(start)
        return (number for number, is_reached in enumerate(reached) if not is_reached)


def explore(
    setup: Setup,
    *,
    until: Callable[[Violation], bool] | None = None,
    most_states: int | None = None,
    checks_rest: bool = True,
) -> Exploration:
    """Search all states of a setup.

    Args:
        setup: Bounds, and the assumptions that are false.
        until: Returns whether the search ends at a violation; None to search on.
        most_states: Number of states at which the search is given up.
        checks_rest: Whether to check that a state of rest can be reached from each state.
    """
    with replaced(page_size=setup.page_size):
        search = _Search(World(setup))
        found: dict[str, Violation] = {}
        for number, state in enumerate(search.states):  # grows meanwhile
            if most_states is not None and len(search.states) > most_states:
                return Exploration(len(search.states), search.steps, False, tuple(found.values()))
            for step in search.world.steps(state):
                search.steps += 1
                known = len(search.states)
                after = search.add(number, step.label, step.state)
                if checks_rest:
                    search.edges.extend((number, after))
                problem = step.problem or (search.problem_of(step.state) if after == known else "")
                if problem and problem not in found:
                    trace = (*search.trace(number), step.label)
                    violation = found[problem] = Violation(problem, trace)
                    if until is not None and until(violation):
                        return Exploration(len(search.states), search.steps, False, tuple(found.values()))
        if checks_rest:
            for number in search.without_rest():
                found[NO_REST] = Violation(NO_REST, search.trace(number))
                break
        return Exploration(len(search.states), search.steps, True, tuple(found.values()))
