"""Scenarios: all that is decided before a simulation begins. `scenario_drawing` draws them from a seed.

Times are virtual, in seconds from the beginning.
"""

from __future__ import annotations

from typing import Final, Literal

import attrs

from upbit_async.sandbox import Knobs, Transitions

__all__ = [
    "LEASE",
    "LIST_LAG",
    "LONGEST_CALL",
    "LONGEST_DELAY",
    "QUIET_AT",
    "READ_TIMEOUT",
    "SETTLING_TIME",
    "Decision",
    "Interruption",
    "Moment",
    "Network",
    "Order",
    "Outage",
    "Rotation",
    "Scenario",
    "Stranger",
    "Window",
]

SETTLING_TIME: Final = 10.0
"""Time after the loss of an answer after which the workers consider the list complete."""
READ_TIMEOUT: Final = 4.0
LONGEST_CALL: Final = 10.0
LEASE: Final = 1.5 * LONGEST_CALL
LIST_LAG: Final = 4.0
"""Longest lag of the list while assumption L holds."""
LONGEST_DELAY: Final = 5.0
"""Longest time from the loss of an answer until its request arrives while assumption NET holds."""
QUIET_AT: Final = 3000.0
"""Time from which nothing is wrong any more."""

Moment = Literal["time", "write", "departure", "check", "arrival", "answer"]
"""Moment of an interruption: at a time; after the process's n-th write to the journal; after its n-th departure was
recorded; after the last check of a request, before its first byte; when its n-th payment has arrived; when its n-th
answer has arrived."""


@attrs.frozen(kw_only=True)
class Order:
    """One payment, and how its user requests it.

    Attributes:
        key: Key of the payout.
        currency: Currency.
        net_type: Network.
        amount: Amount.
        address: Destination, which no other payment has.
        at: Time of the request.
        deadline: Timeout of each `send`; None for a user who calls `enqueue`.
        not_after: Time after which it must not be sent; None for no limit.
    """

    key: str
    currency: str
    net_type: str
    amount: str
    address: str
    at: float
    deadline: float | None
    not_after: float | None = None


@attrs.frozen(kw_only=True)
class Interruption:
    """Crash or stop of a worker.

    Attributes:
        moment: Kind of the moment.
        count: Number of the write, departure, check, arrival or answer.
        steps: Number of steps of the process after that.
        seconds: Time after the start, for ``time``.
        length: Length of the stop; None for a crash.
        restart: Time until the worker starts again after a crash.
    """

    moment: Moment
    count: int
    steps: int
    seconds: float
    length: float | None
    restart: float


@attrs.frozen(kw_only=True)
class Window:
    """Time in which the workers run. Between windows the service is down.

    Attributes:
        start: Start.
        length: Length.
        is_gentle: Whether the workers end as at a shutdown; else they crash.
    """

    start: float
    length: float
    is_gentle: bool

    @property
    def end(self) -> float:
        """End of the window."""
        return self.start + self.length


@attrs.frozen(kw_only=True)
class Decision:
    """Decision of a person, made at a time by what the journal and the website show then."""

    at: float
    kind: Literal["resolve", "retry", "renew", "abandon", "force", "acknowledge", "pause", "resume"]


@attrs.frozen(kw_only=True)
class Stranger:
    """Withdrawal that somebody makes on the website."""

    at: float
    currency: str
    net_type: str
    amount: str


@attrs.frozen(kw_only=True)
class Outage:
    """Time in which the journal's engine does not work, and whether it commits what it reports as failed."""

    start: float
    length: float
    commits: bool


@attrs.frozen(kw_only=True)
class Rotation:
    """Replacement of the API key. The old one works for some time.

    Attributes:
        at: Time of the new key.
        overlap: Time for which the old key works.
        keeps: Whether the journal key of the old API key stays in `journal_keys`.
    """

    at: float
    overlap: float
    keeps: bool


@attrs.frozen(kw_only=True)
class Network:
    """Faults of the network and the exchange, by their probabilities.

    Attributes:
        payments: Probability of a fault of a payment.
        reads: Probability of a fault of another request.
        late: Probability that a payment is delayed.
        longest_delay: Longest delay of a payment whose sender does not wait for it any more.
        refused: Probability that a connection can't be opened.
    """

    payments: float
    reads: float
    late: float
    longest_delay: float
    refused: float


@attrs.frozen(kw_only=True)
class Scenario:
    """All that is decided before a simulation begins.

    Attributes:
        seed: Seed that it was drawn from.
        broken: Assumptions of ``docs/explanation/payouts.md`` that do not hold, by their names. N holds if one of L,
            NET, O and PAUSE does not.
        orders: The payments.
        windows: When the workers run.
        workers: Number of workers.
        interruptions: Interruptions by worker and life; later lives have none.
        decisions: Decisions of people.
        strangers: Withdrawals on the website.
        outages: Outages of the journal's engine.
        rotation: Replacement of the API key; None for none.
        network: Faults of the network.
        knobs: Behaviours of the exchange.
        transitions: State changes of withdrawals.
        slow_writes: Probability that a call of the journal takes some time.
        skews: Error of each worker's time of day.
        check: Whether a preflight comes before each payout.
        resends: Whether a ``not_sent`` payout is sent again without a decision.
        per_day: Limit of the amounts in USDT; None for none.
        follows: Whether a process follows the changes.
    """

    seed: int
    broken: frozenset[str]
    orders: tuple[Order, ...]
    windows: tuple[Window, ...]
    workers: int
    interruptions: tuple[tuple[Interruption, ...], ...]
    decisions: tuple[Decision, ...]
    strangers: tuple[Stranger, ...]
    outages: tuple[Outage, ...]
    rotation: Rotation | None
    network: Network
    knobs: Knobs
    transitions: Transitions
    slow_writes: float
    skews: tuple[float, ...]
    check: bool
    resends: bool
    per_day: str | None
    follows: bool
