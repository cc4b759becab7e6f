"""Explore the states of payouts: ``python tests/model [table | mutations | short | long | trace ASSUMPTION...]``."""

from __future__ import annotations

import sys

from explorer.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
