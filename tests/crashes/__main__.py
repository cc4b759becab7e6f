"""Run schedules: ``python tests/crashes [count [first seed]]``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

if __name__ == "__main__":
    from runs import main

    sys.exit(main(sys.argv[1:]))
