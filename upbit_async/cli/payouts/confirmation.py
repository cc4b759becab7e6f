"""Typed confirmation before a decision that can lead to money.

The question is on standard error, so that standard output has the result only. The event loop does not run meanwhile,
and the journal is closed: a person may take their time, and Ctrl-C works.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from upbit_async.cli.exits import CommandError, Exit
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from upbit_async.cli.payouts.options import DecisionOptions

__all__ = ["confirm", "require_terminal"]


def require_terminal(options: DecisionOptions) -> None:
    """Check that the confirmation can be asked for.

    Raises:
        CommandError: There is no terminal, and the decision is not confirmed by ``--yes``.
    """
    if not options.yes and not sys.stdin.isatty():
        raise CommandError("there is no terminal to confirm this at: pass --yes to confirm it", Exit.USAGE)


def confirm(options: DecisionOptions, word: str, purpose: str) -> None:
    """Ask for a word to be typed, unless the decision is confirmed by ``--yes``.

    Args:
        options: The options of the command.
        word: The word: the payout's key, or the withdrawal's id.
        purpose: What the confirmation is for, such as ``to retry it``.

    Raises:
        CommandError: Something else was typed, or nothing.
    """
    if options.yes:
        return
    wanted = escaped(word).strip()
    sys.stderr.write(f"\nType {wanted} {purpose}: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != wanted:
        raise CommandError("not confirmed, so nothing was changed")
