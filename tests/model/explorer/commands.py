"""Commands that print what explorations find."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from explorer.assumptions import HEAD, SETUPS, rows_of, violations_without
from explorer.explorations import LONG, SHORT
from explorer.mutations import MUTATIONS
from explorer.search import explore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from explorer.setup import Setup

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code, which is 1 if something was found that must not be."""
    commands: Mapping[str, Callable[[Sequence[str]], bool]] = {
        "table": _table,
        "trace": _trace,
        "mutations": _mutations,
        "short": lambda names: _explorations(SHORT, names),
        "long": lambda names: _explorations({**SHORT, **LONG}, names),
    }
    name, *rest = arguments or ["short"]
    if name not in commands:
        _print(f"the command must be one of {', '.join(commands)}, got {name!r}")
        return 2
    return 0 if commands[name](rest) else 1


def _table(_: Sequence[str]) -> bool:
    """Print the table of assumptions."""
    _print(HEAD)
    for assumptions in SETUPS:
        _print("\n".join(rows_of(assumptions, violations_without(assumptions))))
    return True


def _trace(assumptions: Sequence[str]) -> bool:
    """Print the shortest traces without some assumptions."""
    for violation in violations_without(tuple(assumptions)):
        _print(f"{violation}\n")
    return True


def _mutations(names: Sequence[str]) -> bool:
    """Print for each mutation how it was found."""
    are_all_found = True
    for name, mutation in MUTATIONS.items():
        if names and name not in names:
            continue
        found = mutation.found()
        are_all_found &= found is not None
        _print(f"{name}\n{found or 'not found'}\n")
    return are_all_found


def _explorations(setups: Mapping[str, Setup], names: Sequence[str]) -> bool:
    """Print what explorations find that must find nothing."""
    is_good = True
    for name, setup in setups.items():
        if names and name not in names:
            continue
        began_at = time.monotonic()
        found = explore(setup)
        seconds = time.monotonic() - began_at
        _print(f"{name}: {found.states:,} states, {found.steps:,} steps, {seconds:.0f} s")
        for violation in found.violations:
            is_good = False
            _print(str(violation))
    return is_good


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
