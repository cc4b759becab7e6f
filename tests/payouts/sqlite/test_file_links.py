"""Hard and symbolic links to a journal: which are followed, and which are refused."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from journal_files import hold, mode, opened, refused, write
from payout_samples import PLANNED

from upbit_async import errors

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes mean something else here")


@pytest.mark.parametrize("name", ["payouts.db", "payouts.db-wal"])
def test_hard_link_is_refused(path: Path, name: str) -> None:
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
def test_hard_link_made_during_use_is_an_error(path: Path, name: str) -> None:
    store = hold(path)
    other = path.parent / "other"
    other.hardlink_to(path.with_name(name))
    with pytest.raises(errors.JournalError, match="has 2 names"):
        store.get("k")
    other.unlink()
    assert store.get("k") == PLANNED
    store.close()


def test_link_in_an_own_folder_is_followed(path: Path, folder: Path, tmp_path: Path) -> None:
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
def test_link_in_a_writable_folder_is_refused(
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


def test_link_through_a_writable_folder_is_refused(tmp_path: Path, path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    (public / "second").symlink_to(path)
    (tmp_path / "first").symlink_to(public / "second")
    assert f"{public / 'second'} is a symbolic link" in refused(tmp_path / "first")


def test_circular_links_are_refused(path: Path) -> None:
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)
    assert "too many symbolic links" in refused(path)


@pytest.mark.parametrize("name", ["payouts.db-wal", "payouts.db-shm", "payouts.db-journal"])
def test_companion_file_that_is_a_link_is_refused(path: Path, name: str, tmp_path: Path) -> None:
    write(path)
    path.with_name(name).symlink_to(tmp_path / "elsewhere")
    assert f"{name} is not a regular file (a symbolic link)" in refused(path)
    assert not (tmp_path / "elsewhere").exists()
