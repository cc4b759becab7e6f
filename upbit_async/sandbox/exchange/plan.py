"""How a transfer progresses: at once, as time passes, as it is looked at, or by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Journey", "Plan", "Step"]

_USUAL_PATH = ("PROCESSING", "DONE")


@attrs.frozen
class Step:
    """One change of state; with neither ``seconds`` nor ``looks`` it waits for a hand.

    Attributes:
        state: The state that is entered, any text.
        seconds: It is entered so many seconds after the state before.
        looks: It is entered once the state before was read so many times (in a list or alone).
    """

    state: str
    seconds: float | None = attrs.field(default=None, kw_only=True)
    looks: int | None = attrs.field(default=None, kw_only=True)


@attrs.frozen(kw_only=True)
class Plan:
    """The way of a transfer from its first state to its end.

    No order is enforced: a path may skip states, go back, or name states that Upbit does not have.

    Attributes:
        steps: The states after the first, in order.
        first: The state in which the transfer is answered when it is created.
        cancelable: The states in which it may be cancelled.
        txid_at: The states with which the chain's id becomes known.
        speed: By how much the seconds of the steps pass faster than the clock.
    """

    steps: tuple[Step, ...] = ()
    first: str = "WAITING"
    cancelable: frozenset[str] = frozenset({"WAITING"})
    txid_at: frozenset[str] = frozenset({"DONE"})
    speed: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))

    @classmethod
    def at_once(cls, end: str = "DONE", *, first: str = "WAITING") -> Plan:
        """Already at its end when it is first looked at."""
        return cls.after_seconds(0.0, path=(end,), first=first)

    @classmethod
    def after_seconds(
        cls,
        each: float = 3.0,
        *,
        path: Iterable[str] = _USUAL_PATH,
        first: str = "WAITING",
        speed: float = 1.0,
    ) -> Plan:
        """One state further every so many seconds."""
        return cls(steps=tuple(Step(state, seconds=each) for state in path), first=first, speed=speed)

    @classmethod
    def after_looks(cls, each: int = 1, *, path: Iterable[str] = _USUAL_PATH, first: str = "WAITING") -> Plan:
        """One state further after every so many reads of the transfer."""
        return cls(steps=tuple(Step(state, looks=each) for state in path), first=first)

    @classmethod
    def by_hand(cls, *, first: str = "WAITING") -> Plan:
        """Stays where it is until ``advance`` is called."""
        return cls(first=first)


@attrs.define
class Journey:
    """How far one transfer got on its plan.

    Attributes:
        plan: The plan.
        entered_at: When the present state was entered.
        position: How many steps were taken.
        looks: How often the present state was read.
    """

    plan: Plan
    entered_at: datetime
    position: int = 0
    looks: int = 0

    @property
    def next_step(self) -> Step | None:
        """The step ahead, or ``None`` at the end."""
        return self.plan.steps[self.position] if self.position < len(self.plan.steps) else None

    @property
    def due_at(self) -> datetime | None:
        """When the step ahead is taken, or ``None`` when it does not wait for time."""
        step = self.next_step
        if step is None or step.seconds is None:
            return None
        return self.entered_at + timedelta(seconds=step.seconds / self.plan.speed)

    def look(self) -> bool:
        """Counts one read of the present state; whether that makes the step ahead due."""
        self.looks += 1
        step = self.next_step
        return step is not None and step.looks is not None and self.looks >= step.looks

    def take_step(self, at: datetime) -> Step:
        """Takes the step ahead; ``IndexError`` at the end."""
        step = self.plan.steps[self.position]
        self.position += 1
        self.entered_at = at
        self.looks = 0
        return step

    def abandon(self) -> None:
        """Leaves the plan: whatever comes now is done by hand."""
        self.position = len(self.plan.steps)
