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

import attrs

from upbit_async.payouts.journal_time import JournalTime

__all__ = ["epoch", "now"]

_PROC: Final = "/proc"
_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n?")
_NAMESPACE: Final = re.compile(r"time:\[([0-9]+)\]")
_OFFSET: Final = re.compile(r"^boottime\s+(-?[0-9]+)\s+([0-9]+)$", re.MULTILINE)
_MOST_READ: Final = 256
_EPOCH_LIFETIME: Final = 0.1
"""Time for which the epoch is not read again, in seconds: it takes 20 µs, and thousands may need it at once."""


@attrs.frozen
class _Epoch:
    """An epoch that was read.

    Attributes:
        tag: The epoch.
        process: The process that has read it.
        read_at: When it was read, by the machine's clock, in seconds.
    """

    tag: str
    process: int
    read_at: float


_newest_epoch: _Epoch | None = None


def now() -> JournalTime:
    """Return the time of this machine.

    The epoch is read again after `_EPOCH_LIFETIME`, and in a forked child: a process can enter another time namespace,
    or be moved to another machine.
    """
    global _newest_epoch  # noqa: PLW0603 - a cache
    seconds, process = _seconds(), os.getpid()
    known = _newest_epoch
    if known is None or known.process != process or not 0 <= seconds - known.read_at < _EPOCH_LIFETIME:
        _newest_epoch = known = _Epoch(epoch(), process, seconds)
    return JournalTime(seconds, known.tag)


def epoch(proc: str | os.PathLike[str] = _PROC) -> str:
    """Return the boot and the time namespace of this process; an empty text if they can't be read.

    The inode of a time namespace is given to another one after it ends. So the offset of the clock is part of the tag:
    namespaces of one boot with the same offset have the same time.

    Args:
        proc: The kernel's ``/proc``.
    """
    try:
        boot = _BOOT_ID.fullmatch(_read(f"{proc}/sys/kernel/random/boot_id"))
        namespace = _namespace(proc)
    except (OSError, ValueError):
        return ""
    if boot is None or namespace is None:
        return ""
    return f"{boot[0].strip()}/{namespace}"


def _namespace(proc: str | os.PathLike[str]) -> str | None:
    """Return the time namespace and its offset, or None if they can't be parsed."""
    try:
        inode = _NAMESPACE.fullmatch(os.readlink(f"{proc}/self/ns/time"))  # noqa: PTH115 - the target is no path
    except FileNotFoundError:
        # A kernel without time namespaces shows the other kinds. It can't shift its clocks.
        return "none" if Path(proc, "self/ns").is_dir() else None
    offset = _OFFSET.search(_read(f"{proc}/self/timens_offsets"))
    return f"{inode[1]}+{offset[1]}.{offset[2]}" if inode and offset else None


def _read(path: str) -> str:
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
