"""``kill -9`` at any point of a payout: the first of the schedules that ``nox -s crashes`` runs."""

from __future__ import annotations

import pytest
from drawing import draw
from runs import HARMLESS, NAIVE, OURS, run

SEEDS = range(1, 26)
pytestmark = [pytest.mark.timeout(180), pytest.mark.thorough]  # real processes, in real time


def test_no_payout_is_doubled_forgotten_or_wrong() -> None:
    tally = run(OURS, SEEDS, at_once=len(SEEDS))
    assert [finding for finding in tally.findings if finding.what not in HARMLESS | {"unambiguous"}] == []
    assert tally.kills >= len(SEEDS)
    assert tally.stops


def test_these_schedules_break_each_assumption() -> None:
    schedules = [draw(seed) for seed in SEEDS]
    assert {schedule.broken for schedule in schedules} >= {"", "L", "PAUSE"}
    assert any(schedule.abandonments for schedule in schedules)
    assert any(any(schedule.skews) for schedule in schedules)


def test_a_payer_without_a_journal_pays_twice() -> None:
    assert run(NAIVE, SEEDS, at_once=len(SEEDS)).count("doubled") >= 10
