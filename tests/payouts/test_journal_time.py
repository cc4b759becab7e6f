"""Journal time, by which leases and settling count, and which readings can be compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.payouts.journal_time import JournalTime, Moment, lease_is_over
from upbit_async.payouts.sqlite import machine_clock
from upbit_async.payouts.sqlite.machine_clock import epoch, now

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="there is no boot id here")
BOOT = "757b3be1-94f3-490b-bc15-411f6410ec34"
OFFSETS = "monotonic           0         0\nboottime            0         0\n"
PRINTING = """
from upbit_async.payouts.sqlite.machine_clock import now
time = now()
print(time.seconds, time.epoch)
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A copy of the files of /proc that the epoch is read from."""
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "self/ns").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text(f"{BOOT}\n")
    (proc / "self/ns/time").symlink_to("time:[4026531834]")
    (proc / "self/timens_offsets").write_text(OFFSETS)
    return proc


def change_boot(proc: Path) -> None:
    (proc / "sys/kernel/random/boot_id").write_text(BOOT.replace("7", "8"))


def change_namespace(proc: Path) -> None:
    (proc / "self/ns/time").unlink()
    (proc / "self/ns/time").symlink_to("time:[4026532177]")


def change_offset(proc: Path) -> None:
    (proc / "self/timens_offsets").write_text(
        OFFSETS.replace("boottime            0", "boottime         1000")
    )


def has_no_namespaces(proc: Path) -> None:
    """A kernel before 5.6 or without them."""
    (proc / "self/ns/time").unlink()
    (proc / "self/timens_offsets").unlink()


# The real clock


def test_journal_time_advances() -> None:
    first = second = now()
    while second.seconds == first.seconds:
        second = now()
    assert second.seconds > first.seconds
    assert first.epoch == second.epoch


@LINUX
def test_journal_time_is_shared_by_processes_of_a_machine() -> None:
    before = now()
    ran = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True)
    seconds, tag = ran.stdout.split()
    after = now()
    assert tag == before.epoch == after.epoch != ""
    assert before.seconds <= float(seconds) <= after.seconds


@LINUX
def test_journal_time_includes_sleep_of_the_machine() -> None:
    assert abs(now().seconds - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        ({"CLOCK_BOOTTIME": 7, "CLOCK_MONOTONIC_RAW": 4}, 7),
        ({"CLOCK_MONOTONIC_RAW": 4}, 4),
        ({}, None),
    ],
)
def test_each_system_has_its_clock(
    monkeypatch: pytest.MonkeyPatch, clocks: dict[str, int], expected: int | None
) -> None:
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC_RAW"):
        monkeypatch.delattr(time, name, raising=False)
    for name, number in clocks.items():
        monkeypatch.setattr(time, name, number, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin" if expected == 4 else sys.platform)
    monkeypatch.setattr(time, "clock_gettime", float)
    monkeypatch.setattr(time, "monotonic", lambda: 0.5)
    assert now().seconds == (0.5 if expected is None else expected)


@LINUX
def test_time_namespace_changes_the_epoch() -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare")
    command = [unshare, "--time", "--boottime", "1000", "--fork", sys.executable, "-c", PRINTING]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.stderr.startswith("unshare:"):
        pytest.skip(f"time namespaces can't be made here: {ran.stderr}")
    assert ran.returncode == 0, ran.stderr
    seconds, tag = ran.stdout.split()
    here = now()
    assert float(seconds) > here.seconds + 900
    assert tag
    assert tag != here.epoch
    assert Moment.at(here).elapsed(JournalTime(float(seconds), tag)) is None


# Epochs


def test_epoch_contains_boot_and_namespace(proc: Path) -> None:
    tag = epoch(proc)
    assert BOOT in tag
    assert "4026531834" in tag
    assert tag.isprintable()
    assert epoch(proc) == tag


@pytest.mark.parametrize("change", [change_boot, change_namespace, change_offset, has_no_namespaces])
def test_boot_or_namespace_changes_the_epoch(proc: Path, change: Callable[[Path], None]) -> None:
    before = epoch(proc)
    change(proc)
    after = epoch(proc)
    assert after not in {"", before}


def test_kernel_without_time_namespaces_has_an_epoch_per_boot(proc: Path) -> None:
    has_no_namespaces(proc)
    before = epoch(proc)
    change_boot(proc)
    assert epoch(proc) not in {"", before}


@pytest.mark.parametrize(
    "missing",
    ["sys/kernel/random/boot_id", "self/timens_offsets", "self/ns", "sys", "self", "."],
)
def test_unreadable_file_leaves_the_epoch_empty(proc: Path, missing: str) -> None:
    target = proc / missing
    target.unlink() if target.is_file() else shutil.rmtree(target)
    assert epoch(proc) == ""


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xff\xfe", b"not a boot id", b"x" * 5000, f"{BOOT}\nx".encode()]
)
def test_invalid_boot_id_leaves_the_epoch_empty(proc: Path, content: bytes) -> None:
    (proc / "sys/kernel/random/boot_id").write_bytes(content)
    assert epoch(proc) == ""


@pytest.mark.parametrize("target", ["", "time", "time:[x]", "pid:[4026531834]", "/somewhere"])
def test_invalid_namespace_leaves_the_epoch_empty(proc: Path, target: str) -> None:
    (proc / "self/ns/time").unlink()
    if target:
        (proc / "self/ns/time").symlink_to(target)
    else:
        (proc / "self/ns/time").write_text("")
    assert epoch(proc) == ""


@pytest.mark.parametrize("content", [b"", b"boottime", b"monotonic 0 0\nboottime x 0\n", b"\xff"])
def test_invalid_offsets_leave_the_epoch_empty(proc: Path, content: bytes) -> None:
    (proc / "self/timens_offsets").write_bytes(content)
    assert epoch(proc) == ""


def test_system_without_proc_has_no_epoch(tmp_path: Path) -> None:
    assert epoch(tmp_path / "none") == ""


@pytest.mark.parametrize("moves", ["later", "backwards", "in a child"])
def test_epoch_is_read_again_where_it_may_have_changed(monkeypatch: pytest.MonkeyPatch, moves: str) -> None:
    tags = iter(["before", "after"])
    monkeypatch.setattr(machine_clock, "epoch", lambda: next(tags))
    monkeypatch.setattr(machine_clock, "_newest_epoch", None)
    clock, process = [1000.0], [10]
    monkeypatch.setattr(machine_clock, "_seconds", lambda: clock[0])
    monkeypatch.setattr(os, "getpid", lambda: process[0])
    assert now() == JournalTime(1000.0, "before")
    clock[0] += 0.09
    assert now() == JournalTime(1000.09, "before")
    clock[0] += {"later": 0.02, "backwards": -0.1, "in a child": 0.0}[moves]
    process[0] += moves == "in a child"
    assert now().epoch == "after"


# Differences

seconds = st.floats(-1e9, 1e9)
epochs = st.sampled_from(["", "a", "b"])


@given(seconds, seconds, epochs, epochs)
def test_only_times_of_one_epoch_are_compared(one: float, other: float, first: str, second: str) -> None:
    elapsed = Moment.at(JournalTime(one, first)).elapsed(JournalTime(other, second))
    if first == second != "":
        assert elapsed == other - one
    else:
        assert elapsed is None


def test_readings_without_an_epoch_end_no_lease_and_are_not_recorded_again() -> None:
    left_at = Moment.at(JournalTime(1000.0, ""))
    later = JournalTime(1e9, "")
    assert left_at.elapsed(later) is None
    assert left_at.seen(later) is left_at
    assert not lease_is_over(left_at, 90.0, later)
    assert not left_at.is_before_boot(later)


@pytest.mark.parametrize("left_epoch", ["", "/another process"])
def test_lease_counts_in_full_from_its_first_sight_in_a_process_without_an_epoch(left_epoch: str) -> None:
    left_at = Moment.at(JournalTime(1000.0, left_epoch))
    first_sight = JournalTime(5000.0, "").tagged("this process")
    left_at = left_at.seen(first_sight)
    assert not lease_is_over(left_at, 90.0, JournalTime(5089.0, "").tagged("this process"))
    assert lease_is_over(left_at, 90.0, JournalTime(5090.0, "").tagged("this process"))
    assert not lease_is_over(left_at, 90.0, JournalTime(5090.0, "").tagged("a third process"))


def test_known_epoch_is_not_replaced_by_that_of_a_process() -> None:
    assert JournalTime(1.0, "boot/time").tagged("this process").epoch == "boot/time"


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((float("nan"), "a"), ValueError),
        ((float("inf"), "a"), ValueError),
        ((-float("inf"), "a"), ValueError),
        (("1", "a"), TypeError),
        ((True, "a"), TypeError),
        ((None, "a"), TypeError),
        ((10**400, "a"), ValueError),
        ((1.0, None), TypeError),
        ((1.0, b"a"), TypeError),
    ],
)
def test_invalid_journal_time_is_refused(arguments: tuple[Any, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind, match="must be"):
        JournalTime(*arguments)


def test_whole_number_is_a_journal_time() -> None:
    assert JournalTime(7, "a") == JournalTime(7.0, "a")
