"""Runs many schedules at once, and counts their findings."""

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
import service
from checks import check, check_naive
from drawing import draw
from findings import Finding
from fork_server import prepare
from harness import Cast, Trial, perform

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


__all__ = ["HARMLESS", "NAIVE", "OURS", "SDK", "Payer", "Tally", "main", "run"]

_AT_ONCE: Final = 12
_START_INTERVAL: Final = 0.1
_FEW: Final = 0.001
_COUNTED: Final = (
    "doubled",
    "forgotten",
    "wrong",
    "jammed",
    "paused",
    "exceeded",
    "changes",
    "untrue",
    "review",
    "unambiguous",
    "fee unknown",
    "held up",
    "abandoned",
    "sent",
)
_BAD: Final = ("doubled", "forgotten", "wrong", "jammed", "paused", "exceeded", "changes", "failure")
HARMLESS: Final = frozenset({"review", "fee unknown", "held up", "untrue", "abandoned", "sent"})
_HEAD: Final = (
    "",
    "schedules",
    "payouts",
    "kills",
    "stops",
    "doubled",
    "forgotten",
    "reported wrongly",
    "jammed",
    "departed in a pause",
    "limit exceeded",
    "changes missed",
    "not_sent untrue",
    "to review",
    "of these unambiguous",
    "unambiguous but for the fee",
    "held up",
    "abandoned",
    "after a copy was sent",
    "seconds",
)


@attrs.frozen
class Payer:
    """Payer under test.

    Attributes:
        name: Name, for people.
        cast: Programs of its processes.
        check: Function that returns its findings.
        alone: Whether only one process works at a time, because it promises no more.
    """

    name: str
    cast: Cast
    check: Callable[[Trial], list[Finding]]
    alone: bool = False


OURS: Final = Payer(
    "Payouts",
    Cast(
        payer=backend.pay,
        service=service.serve,
        operator=operators.operate,
        follower=(operators.follow, operators.follow_to_the_end),
        auditor=operators.audit,
    ),
    check,
)
NAIVE: Final = Payer("create in a loop", Cast(payer=naive_client.pay_by_create), check_naive, alone=True)
SDK: Final = Payer("upbit-sdk in a loop", Cast(payer=naive_client.pay_by_sdk), check_naive, alone=True)


@attrs.define
class Tally:
    """Sums over some schedules."""

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
        """Return the number of findings of one kind."""
        return Counter(finding.what for finding in self.findings)[what]


def run(payer: Payer, seeds: Iterable[int], *, at_once: int = _AT_ONCE) -> Tally:
    """Run schedules, several at once, with the exchanges in this process."""
    prepare()
    return anyio.run(_run, payer, list(seeds), at_once)


async def _run(payer: Payer, seeds: Sequence[int], at_once: int) -> Tally:
    start = time.monotonic()
    tallies: list[Tally] = []
    limiter = anyio.CapacityLimiter(at_once)

    async def one(seed: int) -> None:
        async with limiter:
            tallies.append(await _try(payer, seed))

    async with anyio.create_task_group() as tasks:
        for seed in seeds:
            await anyio.sleep(_START_INTERVAL)  # or all of them would start processes at the same moment
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
    findings = payer.check(trial)
    if not (findings and os.environ.get("KEEP_CRASHES")):
        shutil.rmtree(folder)
    return Tally(1, len(schedule.invoices), trial.kills, trial.stops, trial.lag, 0.0, findings)


def main(arguments: Sequence[str]) -> int:
    """Run schedules with all payers, print their findings, and return whether `Payouts` keeps its promise: 0 or 1.

    With ``KEEP_CRASHES`` in the environment, the files of schedules with findings stay in the folder for temporary
    files.

    Args:
        arguments: Number of schedules, and the first seed.
    """
    numbers = [int(argument) for argument in arguments]
    count, first = (*numbers, *(1000, 1)[len(numbers) :])
    payers = [OURS, NAIVE]
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
    _say(f"The machine stalled for {max(tally.lag for tally in tallies.values()):.2f} s at most.")
    if not tallies[NAIVE].count("doubled"):
        _say(f"{NAIVE.name} paid nothing twice, so these figures prove nothing.")
        return 1
    return 0 if is_good(ours) else 1


def is_good(tally: Tally) -> bool:
    """Return whether nothing is doubled, forgotten or wrong, and at most 0.1 % is in review or held up without need."""
    return not any(map(tally.count, _BAD)) and (tally.count("unambiguous") <= _FEW * tally.payouts)


def _spread(payer: Payer, seeds: Sequence[int]) -> Tally:
    """Run schedules in one process for each processor."""
    workers = os.cpu_count() or 1
    start = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [list(seeds[number::workers]) for number in range(workers)]
        tally = sum(pool.map(run, [payer] * workers, parts), Tally())
    tally.seconds = time.monotonic() - start
    return tally


def _by_broken_assumptions(seeds: Iterable[int]) -> dict[str, list[int]]:
    """Return the seeds, grouped by the assumptions that their schedules break."""
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
