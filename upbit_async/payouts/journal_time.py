"""Journal time: the clock that leases and settling use, shared by all processes of one machine.

The time of day is no measure: it can be wrong, differ between processes, and be set while a lease runs. Journal time
only goes forward, continues while the machine sleeps, and can't be set. It starts at each boot, so a reading says
which boot it belongs to; two readings are compared only if both say the same.

| system | clock | while the machine sleeps | epoch |
|---|---|---|---|
| Linux | ``CLOCK_BOOTTIME`` | counts | boot id and time namespace |
| macOS | ``CLOCK_MONOTONIC_RAW`` | counts | none |
| Windows | `time.monotonic` | counts | none |

A virtual machine's clocks may stand still while it is suspended. Leases and settling then take longer, never shorter.
A time namespace (``unshare --time``, some containers, CRIU) shifts the clock, so it is part of the epoch. Without an
epoch (macOS, Windows, a ``/proc`` that can't be read, as with systemd's ``ProcSubset=pid``) no reading can be compared
with a stored one: a full lease then counts from when a process first sees it.
"""

from __future__ import annotations

import math
import os
import re
import sys
import time
from pathlib import Path
from typing import Final, Protocol

import attrs

__all__ = ["JournalClock", "JournalTime", "epoch", "now", "seconds_between"]

_PROC: Final = Path("/proc")
_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n?")
_NAMESPACE: Final = re.compile(r"time:\[([0-9]+)\]")
_OFFSET: Final = re.compile(r"^boottime\s+(-?[0-9]+)\s+([0-9]+)$", re.MULTILINE)
_MOST_READ: Final = 256


def _check_seconds(_: object, __: object, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"seconds must be a number, got {type(value).__name__}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("seconds must be finite")


def _check_epoch(_: object, __: object, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"epoch must be text, got {type(value).__name__}")


@attrs.frozen
class JournalTime:
    """A reading of a journal's clock.

    Attributes:
        seconds: The reading, in seconds from an arbitrary point.
        epoch: What the reading can be compared within, such as one boot of one machine; empty if that is unknown.

    Raises:
        TypeError: The seconds are no number, or the epoch is no text.
        ValueError: The seconds are not finite.
    """

    seconds: float = attrs.field(validator=_check_seconds)
    epoch: str = attrs.field(validator=_check_epoch)


class JournalClock(Protocol):
    """What tells the journal's time: `now`, or a test's own."""

    def __call__(self) -> JournalTime:
        """Return the present time."""
        ...


def now() -> JournalTime:
    """Return the present time of this machine.

    The epoch is read each time, in about 20 µs: a process can enter another time namespace, or be moved to another
    machine.
    """
    return JournalTime(_seconds(), epoch())


def seconds_between(earlier: JournalTime, later: JournalTime) -> float | None:
    """Return the time from one reading to another, in seconds, or None if they can't be compared.

    It is negative if `later` is the earlier one. Within one epoch that is a matter of two processes that write in
    turn, or of a row that was changed.
    """
    if not earlier.epoch or earlier.epoch != later.epoch:
        return None
    return later.seconds - earlier.seconds


def epoch(proc: Path = _PROC) -> str:
    """Return which boot and which time namespace this process lives in, or an empty text if that can't be read.

    The inode of a time namespace is given to another one after it ends. So the offset of the clock is part of the tag:
    namespaces of one boot with the same offset have the same time.

    Args:
        proc: Where the kernel shows it.
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
    """Return the time namespace and its offset, or None if they can't be understood."""
    try:
        inode = _NAMESPACE.fullmatch(os.readlink(proc / "self/ns/time"))  # noqa: PTH115 - the target is no path
    except FileNotFoundError:
        # A kernel without time namespaces shows the other kinds, and no clock of it can be shifted.
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
    # Only there does it count on while the machine sleeps; CLOCK_MONOTONIC is adjusted with the time of day.
    if sys.platform == "darwin" and hasattr(time, "CLOCK_MONOTONIC_RAW"):
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic()
