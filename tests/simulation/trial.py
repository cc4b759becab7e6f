"""What has happened in one simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from scenario import Scenario
from shared_journal import Commit

from upbit_async.payouts import Payout, PayoutChange
from upbit_async.sandbox import LedgerEntry

__all__ = ["STRANGER", "Arrival", "Rest", "Trial"]

STRANGER: Final = "address of a withdrawal on the website"


@attrs.frozen
class Arrival:
    """Arrival of a payment at the exchange.

    Attributes:
        at: Virtual time.
        key: Key of the payout.
        is_paused: Whether payouts were paused.
    """

    at: float
    key: str
    is_paused: bool


@attrs.frozen(kw_only=True)
class Rest:
    """State after some time in which nothing was wrong, before people did what was left.

    Attributes:
        payouts: The payouts.
        accounted: Withdrawals that belonged to a payout, were acknowledged, or were reported.
        waiting: Keys of the payments that could not be requested, and wait for a decision.
        entries: Number of the ledger's entries.
    """

    payouts: Mapping[str, Payout]
    accounted: frozenset[str]
    waiting: frozenset[str]
    entries: int


@attrs.frozen(kw_only=True)
class Trial:
    """What has happened in one simulation.

    Attributes:
        scenario: The scenario.
        broken: Assumptions that did not hold: those of the scenario, and PAUSE if a stopped process has sent a request
            after its lease.
        rest: State at rest.
        commits: All changes of payouts in the journal.
        arrivals: All arrivals of payments.
        misjudged: How often a person said of a payout that it was not sent, although it was.
        renewed: How often a person gave a payout a new nonce.
        at_end: The payouts when people had done what was left.
        ledger: Ledger of the exchange.
        changes: All changes in the journal.
        received: Changes that a follower has received; None if there was none.
        crashes: Number of crashes.
        stops: Number of stops.
        failures: Exceptions that nothing caught.
        log: Event log.
    """

    scenario: Scenario
    broken: frozenset[str]
    rest: Rest
    commits: Sequence[Commit]
    arrivals: Sequence[Arrival]
    misjudged: Counter[str]
    renewed: Counter[str]
    at_end: Mapping[str, Payout]
    ledger: Sequence[LedgerEntry]
    changes: Sequence[PayoutChange]
    received: Sequence[PayoutChange] | None
    crashes: int
    stops: int
    failures: Sequence[str]
    log: str = attrs.field(repr=False)
