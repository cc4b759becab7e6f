"""Files and folders that a journal accepts, and the errors about others."""

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
from journal_files import hold, mode, opened, refused, write
from payout_samples import INTENT, PLANNED

from upbit_async import errors
from upbit_async.payouts import SqliteJournal, queueing
from upbit_async.payouts.sqlite import file_checks
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upbit_async.payouts import Payout

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes mean something else here")
AS_ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root")
OTHER_USER = 54321


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = opened(path)
    yield store
    with contextlib.suppress(errors.JournalError):
        store.close()


def planned(key: str) -> Payout:
    return queueing.planned(key, INTENT)


# Modes


@pytest.mark.parametrize("loose", [0o666, 0o644, 0o640, 0o620, 0o604, 0o602, 0o610, 0o601])
def test_file_accessible_to_others_is_refused(path: Path, loose: int) -> None:
    write(path)
    path.chmod(loose)
    text = refused(path)
    assert f"its mode is {loose:04o}" in text
    assert f"chmod 600 {path}" in text
    path.chmod(0o600)
    opened(path).close()


@pytest.mark.parametrize("name", ["payouts.db-wal", "payouts.db-shm", "payouts.db-journal"])
def test_companion_file_accessible_to_others_is_refused(path: Path, name: str) -> None:
    write(path)
    companion = path.with_name(name)
    companion.touch()
    companion.chmod(0o666)
    text = refused(path)
    assert f"chmod 600 {companion}" in text


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o777])
@pytest.mark.parametrize(("options", "expected"), [({}, 0o600), ({"group_shared": True}, 0o660)])
def test_new_files_have_their_mode_with_any_umask(
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
def test_file_can_be_shared_with_its_group(path: Path, folder: Path, loose: int) -> None:
    write(path, group_shared=True)
    assert mode(path) == 0o660
    path.chmod(loose)
    folder.chmod(0o2770)
    write(path, group_shared=True)


@pytest.mark.parametrize("loose", [0o666, 0o664, 0o662, 0o661])
def test_file_shared_with_everyone_is_refused(path: Path, loose: int) -> None:
    write(path, group_shared=True)
    path.chmod(loose)
    assert f"chmod 660 {path}" in refused(path, group_shared=True)


def test_mode_loosened_during_use_is_an_error(store: Store, path: Path) -> None:
    store.add(PLANNED)
    path.chmod(0o666)
    with pytest.raises(errors.JournalError, match="its mode is 0666"):
        store.add(planned("another"))
    path.chmod(0o600)
    assert store.open_keys() == ["k"]


def test_file_system_without_modes_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_file_of_another_user_is_refused_for_root(path: Path, name: str, options: dict[str, Any]) -> None:
    write(path, **options)
    foreign = path.with_name(name)
    foreign.touch(0o600)
    os.chown(foreign, OTHER_USER, -1)
    text = refused(path, **options)
    assert f"{foreign} belongs to user {OTHER_USER}, and this program runs as user 0" in text
    assert f"chown 0 {foreign}" in text


@AS_ROOT
def test_changed_user_id_of_the_process_is_respected(path: Path, folder: Path) -> None:
    write(path)
    for each in [*path.parents][:-1]:
        if each.stat().st_uid == 0:
            each.chmod(each.stat().st_mode | 0o055)
    script = f"""
        import os
        from upbit_async import errors
        from upbit_async.payouts.sqlite.store import Store
        os.setegid({OTHER_USER})
        os.seteuid({OTHER_USER})
        try:
            Store({str(path)!r}, 0.1).bind("h", "sg")
        except errors.JournalError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"belongs to user 0, and this program runs as user {OTHER_USER}" in ran.stdout


def test_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    assert f"this program runs as user {OTHER_USER}" in refused(path)


@AS_ROOT
def test_owner_changed_during_use_is_an_error(store: Store, path: Path) -> None:
    os.chown(path, OTHER_USER, -1)
    with pytest.raises(errors.JournalError, match=f"belongs to user {OTHER_USER}"):
        store.add(PLANNED)


# Links


# Kinds


def test_pipe_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path, 0o600)
    assert f"{path} is not a regular file (a named pipe)" in refused(path)


@pytest.mark.parametrize(("device", "words"), [("/dev/null", "a device"), ("/dev", "a folder")])
def test_device_or_folder_is_refused(device: str, words: str) -> None:
    if not Path(device).exists():
        pytest.skip("there is none")
    assert f"{device} is not a regular file ({words})" in refused(Path(device))


def test_socket_is_refused(path: Path) -> None:
    import socket  # noqa: PLC0415 - this test alone needs it

    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):  # such a path must be short
        made.bind(path.name)
        path.chmod(0o600)
        assert f"{path} is not a regular file (a socket)" in refused(path)


# Folders


@pytest.mark.parametrize("loose", [0o777, 0o757, 0o703, 0o770, 0o720, 0o1777, 0o1770])
def test_writable_folder_is_refused(path: Path, folder: Path, loose: int) -> None:
    write(path)
    folder.chmod(loose)
    text = refused(path)
    assert f"the folder {folder} can be changed by other users (its mode is {loose:04o})" in text
    advice = f"mkdir -m 700 {folder}/journal" if loose & stat.S_ISVTX else f"chmod go-w {folder}"
    assert advice in text
    folder.chmod(0o755)
    opened(path).close()


@pytest.mark.parametrize("loose", [0o777, 0o770])
def test_writable_parent_folder_is_refused(path: Path, tmp_path: Path, loose: int) -> None:
    tmp_path.chmod(loose)
    assert f"the folder {tmp_path} can be changed by other users" in refused(path)
    assert not path.exists()


def test_sticky_parent_folder_is_accepted(path: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)  # as /tmp is
    write(path)


def test_folder_can_be_shared_with_its_group_only(path: Path, folder: Path) -> None:
    folder.chmod(0o2770)
    assert "can be changed by other users" in refused(path)
    write(path, group_shared=True)
    folder.chmod(0o2777)
    text = refused(path, group_shared=True)
    assert f"chmod o-w {folder}" in text


@AS_ROOT
def test_folder_of_another_user_is_refused(path: Path, folder: Path) -> None:
    write(path)
    os.chown(folder, OTHER_USER, -1)
    text = refused(path)
    assert f"the folder {folder} belongs to user {OTHER_USER}" in text
    assert f"this program runs as user {os.geteuid()}" in text


def test_missing_folder_is_not_created(path: Path) -> None:
    missing = path.parent / "missing" / "payouts.db"
    assert "check that its folder exists" in refused(missing)
    assert not missing.parent.exists()


def test_file_in_place_of_a_folder_is_named(path: Path) -> None:
    write(path)
    assert "can't be opened" in refused(path / "payouts.db")


def test_relative_path_is_resolved_from_the_working_folder(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    store = Store("payouts.db", 0.2)
    store.bind("h", "sg")
    store.close()
    assert path.exists()


def test_unusual_names_are_quoted_for_the_shell(folder: Path) -> None:
    path = folder / "pay outs;\x1b[31m.db"
    write(path)
    path.chmod(0o644)
    text = refused(path)
    assert "\x1b" not in text
    assert "'" in text


def test_bind_mount_reaches_the_same_file(path: Path, tmp_path: Path) -> None:
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


# Side effects


def test_checks_keep_the_locks_of_this_process(path: Path) -> None:
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


def test_without_file_modes_only_the_kind_of_file_is_checked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_checks, "_HAS_MODES", False)
    write(path)
    path.chmod(0o666)
    write(path)
    path.unlink()
    path.mkdir()
    assert "is not a regular file (a folder)" in refused(path)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_group_shared_must_be_a_bool(path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match="group_shared must be True or False"):
        SqliteJournal(path, group_shared=value)


@pytest.fixture
def groups_folder(folder: Path) -> Path:
    folder.chmod(0o770)
    return folder


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_journal_shares_with_its_group_on_request(path: Path, groups_folder: Path) -> None:
    journal = SqliteJournal(path)
    with pytest.raises(errors.JournalError, match="can be changed by other users"):
        await journal.bind("h", "sg")
    journal = SqliteJournal(path, group_shared=True)
    await journal.bind("h", "sg")
    await journal.aclose()
    assert {mode(each) for each in (groups_folder, path)} == {0o770, 0o660}


def test_default_temporary_folder_is_accepted() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "payouts.db")
