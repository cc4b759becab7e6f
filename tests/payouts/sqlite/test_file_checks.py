"""Which files and folders a journal accepts, and what it says about the others."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from payout_samples import INTENT, PLANNED

from upbit_async import errors
from upbit_async.payouts import SqliteJournal, transitions
from upbit_async.payouts.sqlite import file_checks
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upbit_async.payouts import Payout

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes mean something else here")
AS_ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root")
STRANGER = 54321


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "journals"
    folder.mkdir(0o700)
    return folder


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "payouts.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = opened(path)
    yield store
    with contextlib.suppress(errors.JournalError):
        store.close()


def opened(path: Path, **options: Any) -> Store:
    store = Store(str(path), 0.2, **options)
    store.bind("h", "sg")
    return store


def write(path: Path, **options: Any) -> None:
    """Make a journal that holds one payout, and close it."""
    store = opened(path, **options)
    store.add(PLANNED)
    store.close()


def refused(path: Path, **options: Any) -> str:
    """Return why a journal is not opened."""
    with pytest.raises(errors.JournalError) as caught:
        opened(path, **options)
    assert not caught.value.may_have_executed
    return str(caught.value)


def planned(key: str) -> Payout:
    return transitions.planned(key, INTENT)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def hold(path: Path, **options: Any) -> Store:
    """Return an open journal, whose -wal and -shm exist."""
    store = opened(path, **options)
    store.add(PLANNED)
    return store


# Modes


@pytest.mark.parametrize("loose", [0o666, 0o644, 0o640, 0o620, 0o604, 0o602, 0o610, 0o601])
def test_a_file_that_others_may_use_is_refused(path: Path, loose: int) -> None:
    write(path)
    path.chmod(loose)
    text = refused(path)
    assert f"its mode is {loose:04o}" in text
    assert f"chmod 600 {path}" in text
    path.chmod(0o600)
    opened(path).close()


@pytest.mark.parametrize("name", ["payouts.db-wal", "payouts.db-shm", "payouts.db-journal"])
def test_files_beside_it_that_others_may_use_are_refused(path: Path, name: str) -> None:
    write(path)
    beside = path.with_name(name)
    beside.touch()
    beside.chmod(0o666)
    text = refused(path)
    assert f"chmod 600 {beside}" in text


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o777])
@pytest.mark.parametrize(("options", "expected"), [({}, 0o600), ({"group_shared": True}, 0o660)])
def test_new_files_have_their_mode_whatever_the_umask(
    path: Path, umask: int, options: dict[str, Any], expected: int
) -> None:
    former = os.umask(umask)
    try:
        store = hold(path, **options)
        names = sorted(path.parent.iterdir())
        assert [each.name for each in names] == ["payouts.db", "payouts.db-shm", "payouts.db-wal"]
        assert {mode(each) for each in names} == {expected}
        store.close()
    finally:
        os.umask(former)


@pytest.mark.parametrize("loose", [0o660, 0o640, 0o600])
def test_a_file_may_be_shared_with_its_group(path: Path, folder: Path, loose: int) -> None:
    write(path, group_shared=True)
    assert mode(path) == 0o660
    path.chmod(loose)
    folder.chmod(0o2770)
    write(path, group_shared=True)


@pytest.mark.parametrize("loose", [0o666, 0o664, 0o662, 0o661])
def test_a_file_is_never_shared_with_everybody(path: Path, loose: int) -> None:
    write(path, group_shared=True)
    path.chmod(loose)
    assert f"chmod 660 {path}" in refused(path, group_shared=True)


def test_a_mode_that_is_loosened_during_use_is_noticed(store: Store, path: Path) -> None:
    store.add(PLANNED)
    path.chmod(0o666)
    with pytest.raises(errors.JournalError, match="its mode is 0666"):
        store.add(planned("another"))
    path.chmod(0o600)
    assert store.open_keys() == ["k"]


def test_a_file_system_without_modes_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ignored(descriptor: int, wanted: int) -> None:
        """Do what a FAT file system does."""

    monkeypatch.setattr(os, "fchmod", ignored)
    former = os.umask(0o777)
    try:
        assert "keeps no file modes" in refused(path)
    finally:
        os.umask(former)


# Owners


@AS_ROOT
@pytest.mark.parametrize("options", [{}, {"group_shared": True}])
@pytest.mark.parametrize("name", ["payouts.db", "payouts.db-wal", "payouts.db-shm"])
def test_root_too_owns_its_files(path: Path, name: str, options: dict[str, Any]) -> None:
    write(path, **options)
    foreign = path.with_name(name)
    foreign.touch(0o600)
    os.chown(foreign, STRANGER, -1)
    text = refused(path, **options)
    assert f"{foreign} belongs to user {STRANGER}, and this program runs as user 0" in text
    assert f"chown 0 {foreign}" in text


@AS_ROOT
def test_a_program_owns_its_files_when_it_has_changed_its_user(path: Path, folder: Path) -> None:
    write(path)
    for each in [*path.parents][:-1]:
        if each.stat().st_uid == 0:
            each.chmod(each.stat().st_mode | 0o055)
    script = f"""
        import os
        from upbit_async import errors
        from upbit_async.payouts.sqlite.store import Store
        os.setegid({STRANGER})
        os.seteuid({STRANGER})
        try:
            Store({str(path)!r}, 0.1).bind("h", "sg")
        except errors.JournalError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"belongs to user 0, and this program runs as user {STRANGER}" in ran.stdout


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path)
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    assert f"this program runs as user {STRANGER}" in refused(path)


@AS_ROOT
def test_a_file_that_is_given_away_during_use_is_noticed(store: Store, path: Path) -> None:
    os.chown(path, STRANGER, -1)
    with pytest.raises(errors.JournalError, match=f"belongs to user {STRANGER}"):
        store.add(PLANNED)


# Links


@pytest.mark.parametrize("name", ["payouts.db", "payouts.db-wal"])
def test_a_hard_link_is_refused(path: Path, name: str) -> None:
    write(path)
    target = path.with_name(name)
    target.touch(0o600)
    other = path.parent / "other"
    other.hardlink_to(target)
    text = refused(path)
    assert f"{target} has 2 names" in text
    assert "-samefile" in text
    assert f"{other} has 2 names" in refused(other)
    other.unlink()
    opened(path).close()


@pytest.mark.parametrize("name", ["payouts.db", "payouts.db-wal"])
def test_a_hard_link_that_is_made_during_use_is_noticed(path: Path, name: str) -> None:
    store = hold(path)
    other = path.parent / "other"
    other.hardlink_to(path.with_name(name))
    with pytest.raises(errors.JournalError, match="has 2 names"):
        store.get("k")
    other.unlink()
    assert store.get("k") == PLANNED
    store.close()


def test_a_link_in_a_folder_of_our_own_is_followed(path: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "kept").mkdir(0o700)
    (tmp_path / "way").symlink_to("journals/../journals/kept")
    (folder / "kept" / "payouts.db").symlink_to("./real.db")
    write(tmp_path / "way" / "payouts.db")
    assert mode(folder / "kept" / "real.db") == 0o600
    (tmp_path / "absolute").symlink_to(folder / "kept" / "real.db")
    store = opened(tmp_path / "absolute")
    assert store.open_keys() == ["k"]
    store.close()
    assert not path.exists()


@pytest.mark.parametrize("open_to", [0o1777, 0o777, 0o1770])
@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_a_folder_that_others_can_change_is_refused(
    folder: Path, path: Path, tmp_path: Path, open_to: int, what: str, exists: bool
) -> None:
    if exists:
        write(path)
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(open_to)
    link = public / "link"
    link.symlink_to(path if what == "file" else folder)
    text = refused(link if what == "file" else link / "payouts.db")
    if open_to & stat.S_ISVTX:
        assert f"{link} is a symbolic link in a folder that other users can change" in text
    else:
        assert f"{public} can be changed by other users" in text
    assert path.exists() is exists


def test_a_link_through_a_folder_that_others_can_change_is_refused(tmp_path: Path, path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    (public / "second").symlink_to(path)
    (tmp_path / "first").symlink_to(public / "second")
    assert f"{public / 'second'} is a symbolic link" in refused(tmp_path / "first")


def test_links_in_a_circle_are_refused(path: Path) -> None:
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)
    assert "too many symbolic links" in refused(path)


@pytest.mark.parametrize("name", ["payouts.db-wal", "payouts.db-shm", "payouts.db-journal"])
def test_a_link_beside_it_is_refused(path: Path, name: str, tmp_path: Path) -> None:
    write(path)
    path.with_name(name).symlink_to(tmp_path / "elsewhere")
    assert f"{name} is not a regular file (a symbolic link)" in refused(path)
    assert not (tmp_path / "elsewhere").exists()


# Kinds


def test_a_pipe_is_refused_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path, 0o600)
    assert f"{path} is not a regular file (a named pipe)" in refused(path)


@pytest.mark.parametrize(("device", "words"), [("/dev/null", "a device"), ("/dev", "a folder")])
def test_a_device_or_a_folder_is_refused(device: str, words: str) -> None:
    if not Path(device).exists():
        pytest.skip("there is none")
    assert f"{device} is not a regular file ({words})" in refused(Path(device))


def test_a_socket_is_refused(path: Path) -> None:
    import socket  # noqa: PLC0415 - this test alone needs it

    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):  # such a path must be short
        made.bind(path.name)
        path.chmod(0o600)
        assert f"{path} is not a regular file (a socket)" in refused(path)


# Folders


@pytest.mark.parametrize("loose", [0o777, 0o757, 0o703, 0o770, 0o720, 0o1777, 0o1770])
def test_a_folder_that_others_can_change_is_refused(path: Path, folder: Path, loose: int) -> None:
    write(path)
    folder.chmod(loose)
    text = refused(path)
    assert f"the folder {folder} can be changed by other users (its mode is {loose:04o})" in text
    advice = f"mkdir -m 700 {folder}/journal" if loose & stat.S_ISVTX else f"chmod go-w {folder}"
    assert advice in text
    folder.chmod(0o755)
    opened(path).close()


@pytest.mark.parametrize("loose", [0o777, 0o770])
def test_a_folder_further_up_that_others_can_change_is_refused(
    path: Path, tmp_path: Path, loose: int
) -> None:
    tmp_path.chmod(loose)
    assert f"the folder {tmp_path} can be changed by other users" in refused(path)
    assert not path.exists()


def test_a_folder_further_up_may_be_everybodys_if_entries_are_their_owners(
    path: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o1777)  # as /tmp is
    write(path)


def test_a_folder_may_be_shared_with_its_group_and_with_nobody_else(path: Path, folder: Path) -> None:
    folder.chmod(0o2770)
    assert "can be changed by other users" in refused(path)
    write(path, group_shared=True)
    folder.chmod(0o2777)
    text = refused(path, group_shared=True)
    assert f"chmod o-w {folder}" in text


@AS_ROOT
def test_a_folder_of_another_user_is_refused(path: Path, folder: Path) -> None:
    write(path)
    os.chown(folder, STRANGER, -1)
    text = refused(path)
    assert f"the folder {folder} belongs to user {STRANGER}" in text
    assert f"this program runs as user {os.geteuid()}" in text


def test_a_folder_that_is_missing_is_not_made(path: Path) -> None:
    missing = path.parent / "missing" / "payouts.db"
    assert "check that its folder exists" in refused(missing)
    assert not missing.parent.exists()


def test_a_file_in_place_of_a_folder_is_named(path: Path) -> None:
    write(path)
    assert "can't be opened" in refused(path / "payouts.db")


def test_a_relative_path_is_followed_from_the_present_folder(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    store = Store("payouts.db", 0.2)
    store.bind("h", "sg")
    store.close()
    assert path.exists()


def test_odd_names_are_quoted_for_the_shell(folder: Path) -> None:
    path = folder / "pay outs;\x1b[31m.db"
    write(path)
    path.chmod(0o644)
    text = refused(path)
    assert "\x1b" not in text
    assert "'" in text


def test_a_file_that_is_reached_by_a_bind_mount_is_the_same(path: Path, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounts need a permission")
    write(path)
    other = tmp_path / "other"
    other.mkdir(0o700)
    script = f"""
        mount --bind {path.parent} {other} && {sys.executable} -c '
        from upbit_async.payouts.sqlite.store import Store
        store = Store("{other}/payouts.db", 1)
        store.bind("h", "sg")
        print(store.open_keys())
        store.close()'
    """
    script = textwrap.dedent(script).replace("\n        ", "\n")
    ran = subprocess.run(
        [unshare, "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "permission denied" in ran.stderr.lower() or "not permitted" in ran.stderr.lower():
        pytest.skip("mounts need a permission")
    assert ran.stdout == "['k']\n", ran.stderr


# What it must not break


def test_checking_keeps_the_locks_of_this_process(path: Path) -> None:
    first, second = opened(path), opened(path)
    first.add(PLANNED)
    second.close()
    script = f"""
        from upbit_async.payouts.sqlite.store import Store
        store = Store({str(path)!r}, 1)
        store.bind("h", "sg")
        store.close()  # would remove the log, if the first one had lost its locks
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
    first.add(planned("another"))
    assert first.open_keys() == ["k", "another"]
    first.close()


def test_elsewhere_only_the_kind_of_file_is_looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_checks, "_HAS_MODES", False)
    write(path)
    path.chmod(0o666)
    write(path)
    path.unlink()
    path.mkdir()
    assert "is not a regular file (a folder)" in refused(path)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_group_shared_is_a_choice(path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match="group_shared must be True or False"):
        SqliteJournal(path, group_shared=value)


@pytest.fixture
def groups_folder(folder: Path) -> Path:
    folder.chmod(0o770)
    return folder


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_public_journal_shares_with_its_group_when_told_to(path: Path, groups_folder: Path) -> None:
    journal = SqliteJournal(path)
    with pytest.raises(errors.JournalError, match="can be changed by other users"):
        await journal.bind("h", "sg")
    journal = SqliteJournal(path, group_shared=True)
    await journal.bind("h", "sg")
    await journal.aclose()
    assert {mode(each) for each in (groups_folder, path)} == {0o770, 0o660}


def test_the_usual_temporary_folders_are_accepted() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "payouts.db")
