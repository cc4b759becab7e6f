"""``python -m upbit_async.cli`` is ``upbit-async``."""

from __future__ import annotations

import sys

from upbit_async.cli import main

if __name__ == "__main__":  # pragma: no branch
    sys.exit(main())
