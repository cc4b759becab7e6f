"""Skips the crash tests on systems without ``kill -9``."""

from __future__ import annotations

import sys

collect_ignore = ["test_checks.py", "test_kill.py"] if sys.platform == "win32" else []
