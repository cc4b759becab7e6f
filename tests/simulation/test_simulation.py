"""Simulations of a whole service in virtual time: the first of those that ``nox -s simulation`` runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from campaign import Summary, is_good, replay, run_seeds
from determinism import CLOCK_READERS
from ledger_judge import HARMLESS
from scenario_drawing import draw_scenario

import upbit_async

_SEEDS: Final = range(101, 151)
_PACKAGE: Final = Path(upbit_async.__file__).parent
_WITH_ANOTHER_CLOCK: Final = {"payouts/payouts.py", "sandbox/clock.py"}
"""Modules that read the time of day by default, and are given another clock by a simulation."""
_UNUSED: Final = ("cli/", "testing/", "payouts/sqlite/")

pytestmark = pytest.mark.timeout(120)  # new processes, in real time


def test_no_payout_is_doubled_forgotten_or_reported_wrongly() -> None:
    results = list(run_seeds(_SEEDS))
    failed = [result for result in results if {each.what for each in result.verdicts} - HARMLESS]
    assert failed == [], "\n".join(result.log for result in failed)
    assert is_good(results)
    summary = Summary()
    for result in results:
        summary.add(result)
    assert summary.crashes >= len(_SEEDS)
    assert summary.arrivals >= summary.payouts
    assert summary.stops


def test_these_scenarios_break_each_assumption() -> None:
    broken = {name for seed in _SEEDS for name in draw_scenario(seed).broken}
    assert broken == {"L", "NET", "O", "PAUSE", "TRUTH"}


def test_a_seed_repeats_every_event() -> None:
    first, second = replay(11, hash_seed=1), replay(11, hash_seed=2)
    assert first == second
    assert len(first.splitlines()) > 50


def test_every_reader_of_the_time_of_day_is_known() -> None:
    reads = re.compile(r"^(?!\s+(before|assert|print|await|try|count)\b).*datetime\.now\(", re.MULTILINE)
    found = {
        path.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob("*.py")
        if reads.search(re.sub(r'"""(?s:.*?)"""', "", path.read_text(encoding="utf-8")))
    }
    found = {path for path in found if not path.startswith(_UNUSED)}
    known = {Path(str(module.__file__)).relative_to(_PACKAGE).as_posix() for module in CLOCK_READERS}
    assert found == known | _WITH_ANOTHER_CLOCK
