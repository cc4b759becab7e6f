"""``kill -9`` at any point of a payout: a few of the schedules that ``nox -s crashes`` runs by the thousand."""

from __future__ import annotations

import pytest
from runs import CARELESS, HARMLESS, OURS, run
from schedules import draw

SEEDS = range(1, 26)
pytestmark = [pytest.mark.timeout(180), pytest.mark.thorough]  # real processes, in real time


def test_nothing_is_paid_twice_or_forgotten_or_told_wrongly() -> None:
    tally = run(OURS, SEEDS, at_once=len(SEEDS))
    assert [finding for finding in tally.findings if finding.what not in HARMLESS | {"plain"}] == []
    assert tally.kills >= len(SEEDS)
    assert tally.stops


def test_the_few_schedules_break_each_assumption_that_is_broken_at_all() -> None:
    schedules = [draw(seed) for seed in SEEDS]
    assert {schedule.broken for schedule in schedules} >= {"", "L", "PAUSE"}
    assert any(schedule.abandonments for schedule in schedules)
    assert any(any(schedule.skews) for schedule in schedules)


def test_who_pays_without_a_journal_is_caught() -> None:
    assert run(CARELESS, SEEDS, at_once=len(SEEDS)).count("doubled") >= 10
