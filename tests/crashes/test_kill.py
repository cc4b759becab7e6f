"""``kill -9`` at any point of a payout: a few of the schedules that ``nox -s crashes`` runs."""

from __future__ import annotations

import pytest
from runs import CARELESS, HARMLESS, OURS, run
from schedules import draw

SEEDS = range(1, 26)
pytestmark = [pytest.mark.timeout(180), pytest.mark.thorough]  # real processes, in real time


def test_killed_payer_neither_pays_twice_nor_forgets() -> None:
    tally = run(OURS, SEEDS, at_once=len(SEEDS))
    assert [finding for finding in tally.findings if finding.what not in HARMLESS | {"plain"}] == []
    assert tally.kills >= len(SEEDS)
    assert tally.stops


def test_sampled_schedules_break_every_assumption() -> None:
    schedules = [draw(seed) for seed in SEEDS]
    assert {schedule.broken for schedule in schedules} >= {"", "L", "PAUSE"}
    assert any(schedule.abandonments for schedule in schedules)
    assert any(any(schedule.skews) for schedule in schedules)


def test_naive_client_is_caught_paying_twice() -> None:
    assert run(CARELESS, SEEDS, at_once=len(SEEDS)).count("doubled") >= 10
