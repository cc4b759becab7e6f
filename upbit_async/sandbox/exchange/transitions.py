"""State changes of a transfer: immediate, after some time, after some reads, or manual."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.sandbox.validation import LONGEST, check_seconds

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


@attrs.frozen
class Transition:
    """One change of state. Without ``seconds`` and ``reads`` it waits for ``set_state``.

    Attributes:
        state: State to enter; any text, also one that Upbit does not have.
        seconds: Seconds after the previous state was entered.
        reads: Number of times that a client has to read the previous state, alone or in a list.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import Transition, Transitions

            stuck = Transitions(sequence=(Transition("PROCESSING", seconds=1), Transition("DONE")))
            sandbox.withdrawals.transitions = stuck
    """

    state: str
    seconds: float | None = attrs.field(default=None, kw_only=True, validator=check_seconds)
    reads: int | None = attrs.field(default=None, kw_only=True)


@attrs.frozen(kw_only=True)
class Trigger:
    """Condition for the next transition, the same for every state of a transfer.

    Attributes:
        seconds: Seconds in each state.
        reads: Reads of each state.
    """

    seconds: float | None = attrs.field(default=None, validator=check_seconds)
    reads: int | None = None

    def through(self, states: Iterable[str]) -> tuple[Transition, ...]:
        """Return the transitions to several states in turn."""
        return tuple(Transition(state, seconds=self.seconds, reads=self.reads) for state in states)


@attrs.frozen
class StateSequence:
    """States that one kind of transfer usually has.

    Attributes:
        first: State of a new transfer.
        states: States after that, in order.
    """

    first: str
    states: tuple[str, ...]


WITHDRAWAL_STATES: Final = StateSequence("WAITING", ("PROCESSING", "DONE"))
DEPOSIT_STATES: Final = StateSequence("PROCESSING", ("ACCEPTED",))


@attrs.frozen(kw_only=True)
class Transitions:
    """State changes of a transfer, from its first state to its last.

    Transitions that name no states suit both kinds of transfer: a withdrawal goes from WAITING to PROCESSING to
    DONE, a deposit from PROCESSING to ACCEPTED. Where they name states, no order is enforced: a sequence may skip
    states, go back, or contain states that Upbit does not have.

    Attributes:
        sequence: Transitions in order. With a ``trigger`` they are those of a withdrawal.
        trigger: Condition for each transition through the usual states; ``None`` if ``sequence`` names the states.
        first: State of a new transfer; ``None`` for the usual one.
        cancelable: States in which a withdrawal may be cancelled.
        txid_at: States in which a withdrawal gets its id on the chain.
        speed: Factor by which ``seconds`` pass faster than the clock. Default 1.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import Transitions

            sandbox.withdrawals.transitions = Transitions.after_seconds(10, states=["PROCESSING", "FAILED"])
            sandbox.deposits.transitions = Transitions.immediate()
    """

    sequence: tuple[Transition, ...] = ()
    trigger: Trigger | None = None
    first: str | None = None
    cancelable: frozenset[str] = frozenset({"WAITING"})
    txid_at: frozenset[str] = frozenset({"DONE"})
    speed: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))

    @classmethod
    def immediate(cls, end: str | None = None, *, first: str | None = None) -> Transitions:
        """Return transitions that are complete when a client first reads the transfer.

        Args:
            end: Final state; ``None`` for the usual one.
            first: State in the answer to the request that creates the transfer; ``None`` for the usual one.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Transitions

                sandbox.withdrawals.transitions = Transitions.immediate("FAILED")
        """
        return cls._of(Trigger(seconds=0.0), states=None if end is None else (end,), first=first)

    @classmethod
    def after_seconds(
        cls,
        each: float = 3.0,
        *,
        states: Iterable[str] | None = None,
        first: str | None = None,
        speed: float = 1.0,
    ) -> Transitions:
        """Return transitions that happen as time passes.

        Args:
            each: Seconds in each state. Default 3.
            states: States after the first, in order; ``None`` for the usual ones.
            first: First state; ``None`` for the usual one.
            speed: Factor by which the seconds pass faster than the clock. Default 1.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Transitions

                sandbox.withdrawals.transitions = Transitions.after_seconds(3600)
        """
        return cls._of(Trigger(seconds=each), states=states, first=first, speed=speed)

    @classmethod
    def after_reads(
        cls, each: int = 1, *, states: Iterable[str] | None = None, first: str | None = None
    ) -> Transitions:
        """Return transitions that happen as a client reads the transfer.

        Args:
            each: Reads of each state, alone or in a list. Default 1.
            states: States after the first, in order; ``None`` for the usual ones.
            first: First state; ``None`` for the usual one.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Transitions

                sandbox.withdrawals.transitions = Transitions.after_reads(2)
        """
        return cls._of(Trigger(reads=each), states=states, first=first)

    @classmethod
    def manual(cls, *, first: str | None = None) -> Transitions:
        """Return no transitions: the transfer keeps its first state until ``set_state`` is called.

        Args:
            first: State of a new transfer; ``None`` for the usual one.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Transitions

                sandbox.deposits.transitions = Transitions.manual()
                deposit = sandbox.deposits.arrive("USDT", "TRX", "100")
                sandbox.deposits.set_state(deposit.uuid, "REJECTED")
        """
        return cls(first=first)

    @classmethod
    def suspected(cls, after: float = 0.0, *, each: float = 3.0) -> Transitions:
        """Return transitions of a deposit that the travel rule holds until it is verified.

        Args:
            after: Seconds from its arrival until it is held. Default 0.
            each: Seconds from its verification until it is credited. Default 3.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Transitions

                held = sandbox.deposits.arrive(
                    "USDT", "TRX", "100", vasp_name="Example Exchange A", transitions=Transitions.suspected()
                )
                await client.travel_rule.verify_by_uuid(held.uuid, sandbox.vasps[0].vasp_uuid)
        """
        return cls(
            sequence=(
                Transition("TRAVEL_RULE_SUSPECTED", seconds=after),
                Transition("PROCESSING"),  # applied by the verification
                Transition("ACCEPTED", seconds=each),
            ),
            first="PROCESSING",
        )

    @classmethod
    def _of(
        cls, trigger: Trigger, *, states: Iterable[str] | None, first: str | None, speed: float = 1.0
    ) -> Transitions:
        if states is None:
            return cls(
                sequence=trigger.through(WITHDRAWAL_STATES.states), trigger=trigger, first=first, speed=speed
            )
        return cls(sequence=trigger.through(states), first=first, speed=speed)

    @property
    def names_states(self) -> bool:
        """Whether they name states, and so suit one kind of transfer only."""
        return self.first is not None or (self.trigger is None and self.sequence != ())


@attrs.define
class TransitionState:
    """Transitions of one transfer, and how many of them were applied.

    Attributes:
        transitions: Transitions that the transfer was created with.
        first: Its first state.
        sequence: Its transitions after that.
        entered_at: Time at which it entered its current state.
        position: Number of transitions applied.
        reads: Number of times that a client has read its current state.
    """

    transitions: Transitions
    first: str
    sequence: tuple[Transition, ...]
    entered_at: datetime
    position: int = 0
    reads: int = 0

    @classmethod
    def begin(cls, transitions: Transitions, usual: StateSequence, at: datetime) -> TransitionState:
        """Return the state of a new transfer.

        Args:
            transitions: Its transitions.
            usual: States for what ``transitions`` leave open.
            at: Time of creation.
        """
        sequence = transitions.sequence
        if transitions.trigger is not None and usual is not WITHDRAWAL_STATES:
            sequence = transitions.trigger.through(usual.states)
        return cls(transitions, transitions.first or usual.first, sequence, at)

    @property
    def next_transition(self) -> Transition | None:
        """Next transition, or ``None`` at the end."""
        return self.sequence[self.position] if self.position < len(self.sequence) else None

    @property
    def due_at(self) -> datetime | None:
        """Time of the next transition, or ``None`` if it does not depend on time."""
        coming = self.next_transition
        if coming is None or coming.seconds is None:
            return None
        return self.entered_at + timedelta(seconds=min(coming.seconds / self.transitions.speed, LONGEST))

    @property
    def is_manual(self) -> bool:
        """Whether the next transition depends on neither time nor reads."""
        coming = self.next_transition
        return coming is not None and coming.seconds is None and coming.reads is None

    def count_read(self) -> bool:
        """Count one read of the current state; return whether the next transition is now due."""
        self.reads += 1
        coming = self.next_transition
        return coming is not None and coming.reads is not None and self.reads >= coming.reads

    def apply_next(self, at: datetime) -> Transition:
        """Mark the next transition as applied and return it; ``IndexError`` at the end."""
        applied = self.sequence[self.position]
        self.position += 1
        self.entered_at = at
        self.reads = 0
        return applied

    def cancel(self) -> None:
        """Drop the remaining transitions; the state then changes by ``set_state`` only."""
        self.position = len(self.sequence)
