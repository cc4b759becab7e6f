"""Schedules: all that is decided before a run. `drawing` draws them from a seed."""

from __future__ import annotations

from typing import Literal

import attrs

from upbit_async.sandbox import Fault, Knobs, Transitions

__all__ = [
    "LEASE",
    "PAY",
    "SETTLE",
    "SKEW",
    "Abandonment",
    "Invoice",
    "Kill",
    "Moment",
    "Pause",
    "Retry",
    "Schedule",
    "Stop",
    "Style",
]

PAY = "/v1/withdraws/coin"
SETTLE = 0.5
"""Time after the loss of an answer after which the payer considers the list complete, in seconds. The list lags less,
unless the schedule breaks that assumption."""
LEASE = 1.5
"""Length of a payer's lease, in seconds: one and a half times the longest call."""
SKEW = 1000
"""Error of a process's time of day, if it is wrong, in seconds."""

Moment = Literal[
    "time",
    "before journal",
    "during journal",
    "after journal",
    "arrived",
    "arrived and lost",
    "done",
    "first byte",
]
"""Moment at which a payer is killed: at any time; before, during or after its n-th work on the journal (or its file);
when its n-th request has arrived, which is then carried out, or lost; after that was carried out and before its answer;
or, for stops only, between the last check of a payout and its first byte."""


@attrs.frozen(kw_only=True)
class Invoice:
    """One payment. Each has a different address, which Upbit's answers never show, but the sandbox's ledger does."""

    key: str
    currency: str
    net_type: str
    amount: str
    address: str


@attrs.frozen(kw_only=True)
class Kill:
    """Kill of one process.

    Attributes:
        moment: Kind of the moment.
        count: Number of the work on the journal, or of the request.
        method: Method of the requests that are counted; None for all.
        seconds: Delay, in seconds: for ``time`` after the start, for ``during journal`` after the work began.
        pause: Time until the next process starts, in seconds.
    """

    moment: Moment
    count: int = 1
    method: str | None = None
    seconds: float = 0.0
    pause: float = 0.0


@attrs.frozen(kw_only=True)
class Stop:
    """Stop of one process by SIGSTOP, until SIGCONT. A second payer starts meanwhile.

    Attributes:
        at: Moment at which it begins, described like a kill.
        seconds: Length, in seconds.
    """

    at: Kill
    seconds: float


@attrs.frozen(kw_only=True)
class Abandonment:
    """Operator's decision to abandon a payout, repeated until the payout allows it, or has ended.

    Attributes:
        key: The payout's key.
        seconds: Time of the decision after the payers' start, in seconds.
        force: Whether to abandon a payout of which a copy was just sent.
        waits: Whether the operator waits until a copy was sent.
    """

    key: str
    seconds: float
    force: bool
    waits: bool


@attrs.frozen(kw_only=True)
class Retry:
    """Operator's decision to send a payout again, repeated until the payout allows it, or has ended.

    Attributes:
        key: The payout's key.
        seconds: Time of the decision after the payers' start, in seconds.
    """

    key: str
    seconds: float


@attrs.frozen(kw_only=True)
class Pause:
    """Pause of all payouts by an operator.

    Attributes:
        seconds: Time of the decision after the payers' start, or after the pause before, in seconds.
        length: Length, in seconds.
    """

    seconds: float
    length: float


@attrs.frozen(kw_only=True)
class Style:
    """How the payer works.

    Attributes:
        runs: Whether the payer is a service: it enqueues its payments, and `Payouts.running` sends them. Otherwise it
            calls ``send``.
        life: Time after which such a service ends its work and starts again, in seconds; None for never.
        wait: Whether ``send`` waits for the end, or ``wait`` does.
        resends: Whether a ``not_sent`` payout is sent again without ``retry``.
        stagger: Time between the starts of two payments, in seconds.
        jobs: Whether each payment opens and closes the journal by itself, as a queue's job may.
    """

    runs: bool = False
    life: float | None = None
    wait: bool = True
    resends: bool = False
    stagger: float = 0.0
    jobs: bool = False


@attrs.frozen(kw_only=True)
class Schedule:
    """All that is decided before a run.

    Attributes:
        seed: Seed that it was drawn from.
        earlier: Payment before the faults begin; None for a journal without earlier payouts.
        invoices: The payments.
        style: How the payer works.
        kills: For each of the payers that work at once, the kills of its successive processes.
        faults: The exchange's faults, until the last kill.
        knobs: The exchange's behaviour where Upbit's documents are silent.
        transitions: How withdrawals progress.
        limits: Whether the exchange enforces rate limits.
        strangers: Times at which a person withdraws on the website, in seconds.
        later: Payments after all others, one in each currency, whose sending reconciles the account.
        abandonments: Decisions of an operator at the same time. Likewise `retries` and `pauses`.
        per_day: Limit of the amounts in USDT; None for none. The auditor has none.
        follower_kills: Times after which a process that follows the changes is killed, in seconds; None for no such
            process.
        stop: Stop of one payer; None for none.
        skews: Error of the time of day in each process, in seconds, in the order of their starts, repeated.
    """

    seed: int
    earlier: Invoice | None
    invoices: tuple[Invoice, ...]
    style: Style
    kills: tuple[tuple[Kill, ...], ...]
    faults: tuple[Fault, ...]
    knobs: Knobs
    transitions: Transitions
    limits: bool
    strangers: tuple[float, ...]
    later: tuple[Invoice, ...] = ()
    abandonments: tuple[Abandonment, ...] = ()
    retries: tuple[Retry, ...] = ()
    pauses: tuple[Pause, ...] = ()
    per_day: str | None = None
    follower_kills: tuple[float, ...] | None = None
    stop: Stop | None = None
    skews: tuple[float, ...] = (0.0,)

    @property
    def broken(self) -> str:
        """The assumptions of ``docs/explanation/payouts.md`` that do not hold, by their letters; empty if all do.

        **N** holds in schedules that break one of these, and may be false in others: the promise needs either.
        """
        lags = self.knobs.list_delay >= SETTLE
        # A process that is stopped for less than its lease continues before anyone settles its payouts.
        pauses = self.stop is not None and self.stop.seconds >= LEASE
        return ", ".join(name for name, is_false in (("L", lags), ("PAUSE", pauses)) if is_false)
