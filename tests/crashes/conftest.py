"""No tests are collected on Windows, which has no ``kill -9``."""

from __future__ import annotations

import sys

collect_ignore = (
    ["test_checks.py", "test_kill.py", "test_operation_checks.py"] if sys.platform == "win32" else []
)
