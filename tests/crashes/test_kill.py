"""``kill -9`` at any point of a payout: a few of the schedules that ``nox -s crashes`` runs by the thousand."""

from __future__ import annotations

import pytest
from runs import CARELESS, OURS, run

SEEDS = range(1, 26)
pytestmark = pytest.mark.timeout(180)  # real processes, in real time


def test_nothing_is_paid_twice_or_forgotten_or_told_wrongly() -> None:
    tally = run(OURS, SEEDS, at_once=len(SEEDS))
    bad = [
        finding for finding in tally.findings if finding.what not in {"person", "plain", "unread", "held up"}
    ]
    assert bad == []
    assert tally.kills >= len(SEEDS)


def test_who_pays_without_a_journal_is_caught() -> None:
    assert run(CARELESS, SEEDS, at_once=len(SEEDS)).count("doubled") >= 10
