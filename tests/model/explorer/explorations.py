"""Explorations that must find no violation: those of the tests, and longer ones.

Each visits all states within its bounds, while all assumptions hold.
"""

from __future__ import annotations

from typing import Final

from explorer.setup import Setup

__all__ = ["LONG", "SHORT"]

SHORT: Final = {
    "one key, two copies, two crashes": Setup(copies=2, crashes=2, decisions=1),
    "one key, two processes": Setup(copies=2, crashes=2, processes=2, reads_at_once=True),
    "two equal keys": Setup(amounts=("13", "13"), crashes=1, reads_at_once=True),
    "refusals": Setup(copies=2, crashes=1, refusals=2, reads_at_once=True),
    "withdrawals outside the library": Setup(copies=2, foreign=1, decisions=1, reads_at_once=True),
    "a quiet restore of the journal": Setup(
        copies=2, restores=1, restores_quietly=True, false={"D"}, reads_at_once=True
    ),
    "a limit": Setup(amounts=("13", "14"), per_day="20", crashes=1, reads_at_once=True),
    "a pause": Setup(crashes=1, processes=2, pauses=1, reads_at_once=True),
    "a time of day that is wrong by 1,000 s": Setup(amounts=("13", "13"), skew=-1000.0, reads_at_once=True),
    "withdrawals that end": Setup(crashes=1, ends=2, foreign=1, reads_at_once=True),
    "the machine is restarted": Setup(copies=2, crashes=1, restarts=1, reads_at_once=True),
    "someone changes the journal": Setup(copies=2, tampers=1, reads_at_once=True),
}
"""Explorations of the tests."""

LONG: Final = {
    "one key, two copies, two processes, a pause": Setup(
        copies=2, crashes=1, processes=2, pauses=1, reads_at_once=True
    ),
    "two equal keys, one decision": Setup(amounts=("13", "13"), decisions=1, reads_at_once=True),
    "withdrawals that end, and decisions": Setup(
        copies=2, crashes=1, ends=2, foreign=1, decisions=1, reads_at_once=True
    ),
    "two restarts of the machine": Setup(
        copies=2, crashes=1, restarts=2, decisions=1, processes=2, reads_at_once=True
    ),
    "one key, two copies, two crashes, three decisions": Setup(copies=2, crashes=2, decisions=3),
    "one key, two processes, call by call": Setup(copies=2, crashes=2, processes=2),
    "one key, two processes, decisions": Setup(
        copies=2, crashes=2, decisions=2, processes=2, reads_at_once=True
    ),
    "two equal keys, two copies, two crashes": Setup(
        amounts=("13", "13"), copies=2, crashes=2, decisions=1, reads_at_once=True
    ),
    "two equal keys, two processes": Setup(amounts=("13", "13"), crashes=1, processes=2, reads_at_once=True),
    "two keys that differ by the fee": Setup(
        amounts=("13", "14"), crashes=1, shows_net=True, reads_at_once=True
    ),
    "two keys, reconciliation": Setup(amounts=("13", "20"), crashes=1, reconciles=True, reads_at_once=True),
    "withdrawals outside the library, and crashes": Setup(
        copies=2, crashes=1, foreign=2, decisions=1, reads_at_once=True
    ),
    "two keys, a time of day that is 8 days ahead": Setup(
        amounts=("13", "20"), crashes=1, skew=8 * 86_400.0, reads_at_once=True
    ),
    "two keys, two processes, a limit": Setup(
        amounts=("13", "14"), processes=2, per_day="20", reads_at_once=True
    ),
    "one key behind older withdrawals": Setup(
        copies=2, crashes=1, decisions=1, older=2, foreign_amount="7", page_size=2, reads_at_once=True
    ),
}
"""Longer explorations, which `nox -s explore` runs."""
