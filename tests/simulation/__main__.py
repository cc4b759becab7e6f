"""Run simulations: ``python tests/simulation [count [first seed]]``."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS / "support"), str(_TESTS / "crashes")]

if __name__ == "__main__":
    from campaign import main

    sys.exit(main(sys.argv[1:]))
