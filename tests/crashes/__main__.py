"""Run schedules: ``python tests/crashes [count [first seed]]``."""

from __future__ import annotations

import sys

from runs import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
