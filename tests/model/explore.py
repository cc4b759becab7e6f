"""Explore the states of payouts.

``python tests/model/explore.py [short | long | table | mutations | trace ASSUMPTION...]``
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))

if __name__ == "__main__":
    from explorer.commands import main

    sys.exit(main(sys.argv[1:]))
