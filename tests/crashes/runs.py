"""Many schedules at once, and a tally of their outcomes."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import attrs
import backend
import naive_client
import operators
from checks import Finding, judge, judge_careless
from fork_server import prepare
from harness import Cast, Trial, perform
from schedules import draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


__all__ = ["CARELESS", "HARMLESS", "OURS", "SDK", "Payer", "Tally", "main", "run"]

_AT_ONCE: Final = 12
_APART: Final = 0.1
_FEW: Final = 0.01
_COUNTED: Final = (
    "doubled",
    "forgotten",
    "wrong",
    "untrue",
    "person",
    "plain",
    "unread",
    "held up",
    "abandoned",
    "left",
)
HARMLESS: Final = frozenset({"person", "unread", "held up", "untrue", "abandoned", "left"})
_HEAD: Final = (
    "",
    "schedules",
    "payouts",
    "kills",
    "pauses",
    "doubled",
    "forgotten",
    "reported wrongly",
    "not_sent untrue",
    "to a person",
    "of these plain",
    "plain but for the fee's side",
    "held up",
    "abandoned",
    "after a copy had left",
    "seconds",
)


@attrs.frozen
class Payer:
    """Who pays.

    Attributes:
        name: For people.
        cast: What its processes do.
        judge: Judges it.
        alone: Whether only one process works at a time, because nothing else is promised.
    """

    name: str
    cast: Cast
    judge: Callable[[Trial], list[Finding]]
    alone: bool = False


OURS: Final = Payer(
    "Payouts", Cast(payer=backend.pay, operator=operators.abandon, auditor=operators.audit), judge
)
CARELESS: Final = Payer(
    "create in a loop", Cast(payer=naive_client.pay_by_create), judge_careless, alone=True
)
SDK: Final = Payer("upbit-sdk in a loop", Cast(payer=naive_client.pay_by_sdk), judge_careless, alone=True)


@attrs.define
class Tally:
    """What came of some schedules."""

    schedules: int = 0
    payouts: int = 0
    kills: int = 0
    stops: int = 0
    lag: float = 0.0
    seconds: float = 0.0
    findings: list[Finding] = attrs.field(factory=list[Finding])

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.schedules + other.schedules,
            self.payouts + other.payouts,
            self.kills + other.kills,
            self.stops + other.stops,
            max(self.lag, other.lag),
            self.seconds + other.seconds,
            self.findings + other.findings,
        )

    def count(self, what: str) -> int:
        """Count findings of one kind."""
        return Counter(finding.what for finding in self.findings)[what]


def run(payer: Payer, seeds: Iterable[int], *, at_once: int = _AT_ONCE) -> Tally:
    """Run schedules, several at once, with the exchanges in this process."""
    prepare()
    return anyio.run(_run, payer, list(seeds), at_once)


async def _run(payer: Payer, seeds: Sequence[int], at_once: int) -> Tally:
    start = time.monotonic()
    tallies: list[Tally] = []
    places = anyio.CapacityLimiter(at_once)

    async def one(seed: int) -> None:
        async with places:
            tallies.append(await _try(payer, seed))

    async with anyio.create_task_group() as tasks:
        for seed in seeds:
            await anyio.sleep(_APART)  # or all of them start processes in the same moment
            tasks.start_soon(one, seed)
    tally = sum(tallies, Tally())
    tally.seconds = time.monotonic() - start
    return tally


async def _try(payer: Payer, seed: int) -> Tally:
    schedule = draw(seed)
    if payer.alone:
        schedule = attrs.evolve(schedule, kills=schedule.kills[:1], stop=None, abandonments=(), later=())
    folder = Path(tempfile.mkdtemp(prefix=f"crash-{seed}-"))
    trial = await perform(schedule, payer.cast, folder)
    findings = payer.judge(trial)
    if not (findings and os.environ.get("KEEP_CRASHES")):
        shutil.rmtree(folder)
    return Tally(1, len(schedule.invoices), trial.kills, trial.stops, trial.lag, 0.0, findings)


def main(arguments: Sequence[str]) -> int:
    """Run schedules with all payers, print what came of it, and say whether `Payouts` keeps its promise.

    With ``KEEP_CRASHES`` in the environment, the journal and the log of whatever has findings stay in the folder for
    temporary files.

    Args:
        arguments: How many schedules, and the first seed.
    """
    numbers = [int(argument) for argument in arguments]
    count, first = (*numbers, *(1000, 1)[len(numbers) :])
    payers = [OURS, CARELESS]
    if importlib.util.find_spec("upbit") is None:
        _say(f"{SDK.name}: not installed, skipped")
    else:
        payers.append(SDK)
    seeds = range(first, first + count)
    parts: dict[str, Tally] = {}
    for broken, some in sorted(_by_broken_assumptions(seeds).items()):
        parts[broken] = _spread(OURS, some)
        for finding in parts[broken].findings:
            if finding.what not in HARMLESS:
                _say(f"{finding.what}: seed {finding.seed}, {finding.key}: {finding.detail}")
        _show([_HEAD, _row(OURS, f"{broken or 'none'} false", parts[broken])])
    ours = sum(parts.values(), Tally())
    tallies = {payer: ours if payer is OURS else _spread(payer, seeds) for payer in payers}
    rows = [_row(payer, payer.name, tally) for payer, tally in tallies.items()]
    of_these = [_row(OURS, f"  {broken or 'none'} false", tally) for broken, tally in parts.items()]
    _show([_HEAD, rows[0], *of_these, *rows[1:]])
    _say(f"The machine stood still for {max(tally.lag for tally in tallies.values()):.2f} s at most.")
    if not tallies[CARELESS].count("doubled"):
        _say(f"{CARELESS.name} was not caught, so nothing follows from these figures.")
        return 1
    return 0 if is_good(ours) else 1


def is_good(tally: Tally) -> bool:
    """Whether nothing is doubled, forgotten or wrong, and at most one in a hundred goes to a person without need."""
    return not any(map(tally.count, ("doubled", "forgotten", "wrong", "failure"))) and (
        tally.count("plain") <= _FEW * tally.payouts
    )


def _spread(payer: Payer, seeds: Sequence[int]) -> Tally:
    """Run schedules in as many processes as there are processors."""
    workers = os.cpu_count() or 1
    start = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [list(seeds[number::workers]) for number in range(workers)]
        tally = sum(pool.map(run, [payer] * workers, parts), Tally())
    tally.seconds = time.monotonic() - start
    return tally


def _by_broken_assumptions(seeds: Iterable[int]) -> dict[str, list[int]]:
    """Return the seeds by which assumptions their schedules break."""
    parts: dict[str, list[int]] = {}
    for seed in seeds:
        parts.setdefault(draw(seed).broken, []).append(seed)
    return parts


def _row(payer: Payer, name: str, tally: Tally) -> tuple[str, ...]:
    counts = [str(tally.count(what)) for what in _COUNTED]
    if payer.alone:
        counts[3:] = ["-"] * len(counts[3:])
    sums = (tally.schedules, tally.payouts, tally.kills, tally.stops)
    return name, *map(str, sums), *counts, f"{tally.seconds:.0f}"


def _show(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
