"""Transitions of a transfer: immediate, as time passes, as it is read, or manual."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DEPOSIT_STATES",
    "WITHDRAWAL_STATES",
    "StateSequence",
    "Transition",
    "TransitionState",
    "Transitions",
    "Trigger",
]


_LONGEST: Final = 1e9
"""Seconds, about 30 years: what is added to a time must remain one."""


def _check_seconds(_: object, field: attrs.Attribute[float | None], value: float | None) -> None:
    if value is not None and not 0 <= value <= _LONGEST:
        raise ValueError(f"{field.name} must be from 0 to 10^9, got {value}")


@attrs.frozen
class Transition:
    """One change of state; with neither ``seconds`` nor ``looks`` it waits for a hand.

    Attributes:
        state: The state that is entered, any text.
        seconds: Seconds after the state before.
        reads: Reads of the state before (in a list or alone).
    """

    state: str
    seconds: float | None = attrs.field(default=None, kw_only=True, validator=_check_seconds)
    reads: int | None = attrs.field(default=None, kw_only=True)


@attrs.frozen(kw_only=True)
class Trigger:
    """How fast a transfer goes the usual way of its kind, as for each `Step`.

    Attributes:
        seconds: Seconds from one state to the next.
        looks: Reads of one state until the next.
    """

    seconds: float | None = attrs.field(default=None, validator=_check_seconds)
    reads: int | None = None

    def through(self, states: Iterable[str]) -> tuple[Transition, ...]:
        """The steps through some states."""
        return tuple(Transition(state, seconds=self.seconds, reads=self.reads) for state in states)


@attrs.frozen
class StateSequence:
    """How one kind of transfer usually goes.

    Attributes:
        first: The state in which it begins.
        path: The states after that, in order.
    """

    first: str
    states: tuple[str, ...]


WITHDRAWAL_STATES: Final = StateSequence("WAITING", ("PROCESSING", "DONE"))
DEPOSIT_STATES: Final = StateSequence("PROCESSING", ("ACCEPTED",))


@attrs.frozen(kw_only=True)
class Transitions:
    """The way of a transfer from its first state to its end.

    A plan that names no states suits every kind: a withdrawal goes from WAITING to PROCESSING to DONE, a
    deposit from PROCESSING to ACCEPTED. Where it names some no order is enforced: a path may skip states, go
    back, or name states that Upbit does not have.

    Attributes:
        steps: The states after the first, in order; those of a withdrawal where there is a ``pace``.
        pace: How fast the usual way is gone; ``None`` where ``steps`` alone says it.
        first: The state in which the transfer begins; ``None`` is the usual one.
        cancelable: The states in which a withdrawal may be cancelled.
        txid_at: The states with which a withdrawal's id on the chain becomes known.
        speed: By how much the seconds of the steps pass faster than the clock.
    """

    steps: tuple[Transition, ...] = ()
    trigger: Trigger | None = None
    first: str | None = None
    cancelable: frozenset[str] = frozenset({"WAITING"})
    txid_at: frozenset[str] = frozenset({"DONE"})
    speed: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))

    @classmethod
    def immediate(cls, end: str | None = None, *, first: str | None = None) -> Transitions:
        """Already at its end when it is first looked at."""
        return cls._at(Trigger(seconds=0.0), states=None if end is None else (end,), first=first)

    @classmethod
    def after_seconds(
        cls,
        each: float = 3.0,
        *,
        states: Iterable[str] | None = None,
        first: str | None = None,
        speed: float = 1.0,
    ) -> Transitions:
        """One state further every ``each`` seconds."""
        return cls._at(Trigger(seconds=each), states=states, first=first, speed=speed)

    @classmethod
    def after_reads(
        cls, each: int = 1, *, states: Iterable[str] | None = None, first: str | None = None
    ) -> Transitions:
        """One state further after every ``each`` reads of the transfer."""
        return cls._at(Trigger(reads=each), states=states, first=first)

    @classmethod
    def manual(cls, *, first: str | None = None) -> Transitions:
        """Stays where it is until ``advance`` is called."""
        return cls(first=first)

    @classmethod
    def suspected(cls, after: float = 0.0, *, each: float = 3.0) -> Transitions:
        """A deposit that is held up by the travel rule until it is verified, and then goes its usual way.

        Args:
            after: Seconds after its arrival until it is held up.
            each: Seconds from its verification until it is credited.
        """
        return cls(
            steps=(
                Transition("TRAVEL_RULE_SUSPECTED", seconds=after),
                Transition("PROCESSING"),  # the verification is the hand for which this step waits
                Transition("ACCEPTED", seconds=each),
            ),
            first="PROCESSING",
        )

    @classmethod
    def _at(
        cls, trigger: Trigger, *, states: Iterable[str] | None, first: str | None, speed: float = 1.0
    ) -> Transitions:
        if states is None:
            return cls(
                steps=trigger.through(WITHDRAWAL_STATES.states), trigger=trigger, first=first, speed=speed
            )
        return cls(steps=trigger.through(states), first=first, speed=speed)

    @property
    def names_states(self) -> bool:
        """Whether it says which states there are, and so suits one kind of transfer only."""
        return self.first is not None or (self.trigger is None and self.steps != ())


@attrs.define
class TransitionState:
    """How far one transfer got on its plan.

    Attributes:
        plan: The plan.
        first: The state in which it begins.
        steps: The steps after that.
        entered_at: When the present state was entered.
        position: How many steps were taken.
        looks: How often the present state was read.
    """

    transitions: Transitions
    first: str
    steps: tuple[Transition, ...]
    entered_at: datetime
    position: int = 0
    reads: int = 0

    @classmethod
    def begin(cls, plan: Transitions, usual: StateSequence, at: datetime) -> TransitionState:
        """Sets out on a plan; what it leaves open goes the usual way."""
        steps = plan.steps
        if plan.trigger is not None and usual is not WITHDRAWAL_STATES:
            steps = plan.trigger.through(usual.states)
        return cls(plan, plan.first or usual.first, steps, at)

    @property
    def next_transition(self) -> Transition | None:
        """The step ahead, or ``None`` at the end."""
        return self.steps[self.position] if self.position < len(self.steps) else None

    @property
    def due_at(self) -> datetime | None:
        """When the step ahead is taken, or ``None`` when it does not wait for time."""
        step = self.next_transition
        if step is None or step.seconds is None:
            return None
        return self.entered_at + timedelta(seconds=min(step.seconds / self.transitions.speed, _LONGEST))

    @property
    def is_manual(self) -> bool:
        """Whether there is a step ahead that neither time nor a look takes."""
        step = self.next_transition
        return step is not None and step.seconds is None and step.reads is None

    def count_read(self) -> bool:
        """Counts one read of the present state; whether that makes the step ahead due."""
        self.reads += 1
        step = self.next_transition
        return step is not None and step.reads is not None and self.reads >= step.reads

    def take(self, at: datetime) -> Transition:
        """Takes the step ahead; ``IndexError`` at the end."""
        step = self.steps[self.position]
        self.position += 1
        self.entered_at = at
        self.reads = 0
        return step

    def abandon(self) -> None:
        """Leaves the plan: whatever comes now is done by hand."""
        self.position = len(self.steps)
