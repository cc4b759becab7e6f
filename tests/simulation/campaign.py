"""Runs many simulations in several processes, counts their findings, and prints them as a table."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Final
from unittest import mock

import attrs
from ledger_judge import HARMLESS, Verdict, judge
from scenario_drawing import draw_scenario
from world import simulate

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from trial import Trial

__all__ = ["Result", "Summary", "is_good", "main", "new_processes", "replay", "run_seeds", "run_seeds_here"]

_FEW: Final = 0.001
"""Largest share of payouts in review although their outcome is unambiguous."""
_COLLECTED_EVERY: Final = 20
"""Number of simulations between two runs of the garbage collector."""
_PART: Final = 10
"""Number of simulations that a process runs before it reports them."""
_COLUMNS: Final = (
    "doubled",
    "forgotten",
    "reported wrongly",
    "jammed",
    "unrecorded",
    "paused",
    "exceeded",
    "changes",
    "failure",
    "untrue",
    "review",
    "fee unknown",
    "unambiguous",
)


@attrs.frozen
class Result:
    """Result of one simulation.

    Attributes:
        seed: Seed of the scenario.
        broken: Assumptions that did not hold, by their names; empty if all did, or only N did not.
        payouts: Number of payouts. Likewise `crashes`, `stops` and `arrivals`.
        verdicts: Findings of the judge.
        log: Event log of a simulation with findings that are failures; else empty.
    """

    seed: int
    broken: str
    payouts: int
    crashes: int
    stops: int
    arrivals: int
    verdicts: tuple[Verdict, ...]
    log: str = attrs.field(repr=False)


@attrs.define
class Summary:
    """Sums over some simulations."""

    simulations: int = 0
    payouts: int = 0
    crashes: int = 0
    stops: int = 0
    arrivals: int = 0
    counts: Counter[str] = attrs.field(factory=Counter[str])

    def add(self, result: Result) -> None:
        """Add a result."""
        self.simulations += 1
        self.payouts += result.payouts
        self.crashes += result.crashes
        self.stops += result.stops
        self.arrivals += result.arrivals
        self.counts.update(each.what for each in result.verdicts)


def result_of(trial: Trial) -> Result:
    """Return the result of a simulation."""
    verdicts = tuple(judge(trial))
    has_failed = any(each.what not in HARMLESS for each in verdicts)
    return Result(
        seed=trial.scenario.seed,
        broken=", ".join(sorted(trial.broken)),
        payouts=len(trial.scenario.orders),
        crashes=trial.crashes,
        stops=trial.stops,
        arrivals=len(trial.arrivals),
        verdicts=verdicts,
        log=trial.log if has_failed else "",
    )


def run_seeds_here(seeds: Iterable[int]) -> list[Result]:
    """Run simulations in this process, one after the other."""
    results: list[Result] = []
    was_enabled = gc.isenabled()
    gc.disable()  # a collection in each simulation would take a tenth of the time
    try:
        for number, seed in enumerate(seeds):
            if number % _COLLECTED_EVERY == 0:
                gc.collect()
            results.append(result_of(simulate(draw_scenario(seed))))
    finally:
        if was_enabled:
            gc.enable()
    return results


def run_seeds(seeds: Sequence[int], *, processes: int | None = None) -> Iterator[Result]:
    """Run simulations in new processes, and yield their results in order.

    Args:
        seeds: The seeds.
        processes: Number of processes; None, the default, for one per processor.
    """
    with new_processes(processes or os.cpu_count() or 1) as pool:
        parts = [seeds[start : start + _PART] for start in range(0, len(seeds), _PART)]
        for part in pool.map(run_seeds_here, parts):
            yield from part


@contextlib.contextmanager
def new_processes(count: int, *, hash_seed: int = 0) -> Generator[ProcessPoolExecutor]:
    """Start processes with a fixed seed of Python's hashes, so that a set has the same order in every run."""
    context = multiprocessing.get_context("spawn")
    with (
        mock.patch.dict(os.environ, {"PYTHONHASHSEED": str(hash_seed)}),
        ProcessPoolExecutor(count, mp_context=context, initializer=_begin) as pool,
    ):
        yield pool


def _begin() -> None:
    """Ignore failures of clean-up code of crashed processes, which the garbage collector runs outside of any loop."""
    sys.unraisablehook = lambda _failure: None


def replay(seed: int, *, hash_seed: int = 0) -> str:
    """Return the event log of a simulation, run in a new process."""
    with new_processes(1, hash_seed=hash_seed) as pool:
        return pool.submit(_log_of, seed).result()


def _log_of(seed: int) -> str:
    return simulate(draw_scenario(seed)).log


def is_good(results: Iterable[Result]) -> bool:
    """Return whether nothing has failed, and at most 0.1 % of the payouts are in review without need."""
    summary = Summary()
    for result in results:
        summary.add(result)
    has_failed = any(summary.counts[what] for what in set(summary.counts) - HARMLESS)
    return not has_failed and summary.counts["unambiguous"] <= _FEW * summary.payouts


def main(arguments: Sequence[str]) -> int:
    """Run simulations, print their findings, and return whether `Payouts` keeps its promise: 0 or 1.

    Args:
        arguments: Number of simulations, and the first seed. A single simulation prints its event log.
    """
    numbers = [int(argument) for argument in arguments]
    count, first = (*numbers, *(10_000, 1)[len(numbers) :])
    start = time.monotonic()
    if count == 1:
        _say(replay(first))
    results: list[Result] = []
    for result in run_seeds(range(first, first + count)):
        results.append(result)
        _show_failures(result)
    _show_table(results)
    _say(f"{count} simulations in {time.monotonic() - start:.0f} s.")
    return 0 if is_good(results) else 1


def _show_failures(result: Result) -> None:
    failures = [each for each in result.verdicts if each.what not in HARMLESS or each.what == "unambiguous"]
    for each in failures:
        _say(f"{each.what}: seed {each.seed}, {each.key}: {each.detail}")
    if failures:
        _say(f"To repeat it: python tests/simulation 1 {result.seed}")
    if result.log:
        _say(result.log)


def _show_table(results: Iterable[Result]) -> None:
    parts: dict[str, Summary] = {}
    for result in results:
        for name in ("all", f"{result.broken or 'none'} false"):
            parts.setdefault(name, Summary()).add(result)
    head: tuple[str, ...] = ("", "simulations", "payouts", "crashes", "stops", "arrivals", *_COLUMNS)
    rows: list[tuple[str, ...]] = [head]
    for name, part in sorted(parts.items()):
        sums = (part.simulations, part.payouts, part.crashes, part.stops, part.arrivals)
        rows.append((name, *map(str, sums), *(str(part.counts[what]) for what in _COLUMNS)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
