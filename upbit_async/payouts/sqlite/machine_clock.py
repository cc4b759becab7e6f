"""Clock of this machine that can't be set, as journal time.

| system | clock | while the machine sleeps | epoch |
|---|---|---|---|
| Linux | ``CLOCK_BOOTTIME`` | counts | boot id and time namespace |
| macOS | ``CLOCK_MONOTONIC_RAW`` | counts | none |
| Windows | `time.monotonic` | counts | none |

A virtual machine's clocks may stand still while it is suspended. Leases and settling then take longer, never shorter.
A time namespace (``unshare --time``, some containers, CRIU) shifts the clock, so it is part of the epoch. Without an
epoch (macOS, Windows, a ``/proc`` that can't be read, as with systemd's ``ProcSubset=pid``) no reading can be compared
with one of another process. A full lease then counts from when a process first reads it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Final

from upbit_async.payouts.journal_time import JournalTime

__all__ = ["epoch", "now"]

_PROC: Final = Path("/proc")
_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n?")
_NAMESPACE: Final = re.compile(r"time:\[([0-9]+)\]")
_OFFSET: Final = re.compile(r"^boottime\s+(-?[0-9]+)\s+([0-9]+)$", re.MULTILINE)
_MOST_READ: Final = 256


def now() -> JournalTime:
    """Return the time of this machine.

    The epoch is read each time, in about 20 µs: a process can enter another time namespace, or be moved to another
    machine.
    """
    return JournalTime(_seconds(), epoch())


def epoch(proc: Path = _PROC) -> str:
    """Return the boot and the time namespace of this process; an empty text if they can't be read.

    The inode of a time namespace is given to another one after it ends. So the offset of the clock is part of the tag:
    namespaces of one boot with the same offset have the same time.

    Args:
        proc: The kernel's ``/proc``.
    """
    try:
        boot = _BOOT_ID.fullmatch(_read(proc / "sys/kernel/random/boot_id"))
        namespace = _namespace(proc)
    except (OSError, ValueError):
        return ""
    if boot is None or namespace is None:
        return ""
    return f"{boot[0].strip()}/{namespace}"


def _namespace(proc: Path) -> str | None:
    """Return the time namespace and its offset, or None if they can't be parsed."""
    try:
        inode = _NAMESPACE.fullmatch(os.readlink(proc / "self/ns/time"))  # noqa: PTH115 - the target is no path
    except FileNotFoundError:
        # A kernel without time namespaces shows the other kinds. It can't shift its clocks.
        return "none" if (proc / "self/ns").is_dir() else None
    offset = _OFFSET.search(_read(proc / "self/timens_offsets"))
    return f"{inode[1]}+{offset[1]}.{offset[2]}" if inode and offset else None


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, _MOST_READ).decode("ascii")
    finally:
        os.close(descriptor)


def _seconds() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    # Only on macOS does it count while the machine sleeps. CLOCK_MONOTONIC is adjusted with the time of day.
    if sys.platform == "darwin" and hasattr(time, "CLOCK_MONOTONIC_RAW"):
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic()
