"""Entry point of ``python -m upbit_async.cli``, the same command as ``upbit-async``."""

from __future__ import annotations

import sys

from upbit_async.cli import main

if __name__ == "__main__":  # pragma: no branch
    sys.exit(main())
