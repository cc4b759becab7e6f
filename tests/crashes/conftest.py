"""Where there is no ``kill -9``, nothing is to be collected."""

from __future__ import annotations

import sys

collect_ignore = ["test_checks.py", "test_kill.py"] if sys.platform == "win32" else []
