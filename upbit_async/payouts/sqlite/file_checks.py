"""File checks: only the journal's own user (and root) may be able to read, change or replace its files.

Anyone who can write to a journal can have anything paid. So its files must belong to the user that the program runs as,
with mode 0600 and one name each. Every folder on the path to them must belong to that user or to root, and be writable
by nobody else. The path is walked from ``/``, link by link. No other user can change a folder that passes, so its
content is the same at the check and at the use, without a race between them.

A folder with the sticky bit, such as ``/tmp``, may be further up: only an owner can rename its entries. It may not hold
the journal, because anyone could add a ``-wal`` file there, which SQLite would replay. And it may not hold a symbolic
link on the path.

Nothing here opens a file that exists: closing it would drop all locks that this process has on it.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from pathlib import Path
from typing import Final

import attrs

from upbit_async.errors import JournalError

__all__ = ["FileChecks", "escaped"]

_HAS_MODES: Final = hasattr(os, "geteuid")
"""Whether files have POSIX owners and modes. Access control lists are never read."""

_ROOT: Final = 0
_MOST_LINKS: Final = 40
_KINDS: Final = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@attrs.frozen
class FileChecks:
    """Checks of owners and modes, for a journal's files and folders.

    Attributes:
        group_shared: Whether to trust the group of a file or folder as well as its owner: files of mode 0660 and
            folders that their group can write to are accepted, and new files get mode 0660. The default is False.
    """

    group_shared: bool = False

    def resolve(self, path: str) -> Path:
        """Return the real path, after a check of every folder and symbolic link on it.

        Args:
            path: Path of the journal. The file may be missing, its folder may not.

        Raises:
            JournalError: Another user could replace the file.
            OSError: A folder is missing or can't be searched.
        """
        if not _HAS_MODES:
            return Path(os.path.realpath(path))
        folder, rest, links = Path("/"), _names(os.path.abspath(path)), 0  # noqa: PTH100 - resolves no links
        self._check_folder(folder, folder.lstat(), path)
        while rest:
            name = rest.pop()
            if name == "..":
                folder = folder.parent
                continue
            here = folder / name
            try:
                found = here.lstat()
            except FileNotFoundError:
                if rest:
                    raise
                return self._in_private_folder(here, path)
            if stat.S_ISLNK(found.st_mode):
                links += 1
                self._check_link(here, path, links)
                target = os.readlink(here)  # noqa: PTH115 - a Path would drop a final slash
                folder = Path("/") if target.startswith("/") else folder
                rest += _names(target)
            elif rest:
                if stat.S_ISDIR(found.st_mode):
                    self._check_folder(here, found, path)
                folder = here  # if it is not a folder, the next step fails
            else:
                return self._in_private_folder(here, path)
        return folder

    def create(self, path: Path) -> None:
        """Create an empty file with the required mode, whatever the umask.

        Raises:
            JournalError: The file system keeps no modes.
            FileExistsError: It exists.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, self._mode)
        try:
            if _HAS_MODES:
                self._set_mode(descriptor, path)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(descriptor)

    def _set_mode(self, descriptor: int, path: Path) -> None:
        os.fchmod(descriptor, self._mode)
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != self._mode:
            raise JournalError(
                f"the file system of {_shown(path)} keeps no file modes, so other users can't be kept out of the "
                "journal: move the journal to another file system"
            )

    def check(self, path: Path) -> None:
        """Check a file of the journal, unless it is missing.

        Raises:
            JournalError: Other users can use it, or it is no regular file.
        """
        try:
            found = path.lstat()
        except FileNotFoundError:
            return
        self.check_status(path, found)

    def check_status(self, path: Path, found: os.stat_result) -> None:
        """Check the status of a file of the journal.

        Raises:
            JournalError: Other users can use it, or it is no regular file.
        """
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "of an unknown kind")
            raise JournalError(
                f"the journal file {_shown(path)} is not a regular file ({kind}): give the path of a file, or remove it"
            )
        if not _HAS_MODES:
            return
        user = os.geteuid()
        if found.st_uid != user:
            raise JournalError(
                f"the journal file {_shown(path)} belongs to user {found.st_uid}, and this program runs as user "
                f"{user}: run it as the journal's user, or, if nobody has tampered with the file, run "
                f"chown {user} {_shown(path)}"
            )
        if found.st_mode & (0o007 if self.group_shared else 0o077):
            raise JournalError(
                f"the journal file {_shown(path)} can be used by other users (its mode is {_mode(found)}): make sure "
                f"that nobody has changed it, then run chmod {self._mode:o} {_shown(path)}"
            )
        if found.st_nlink != 1:
            raise JournalError(
                f"the journal file {_shown(path)} has {found.st_nlink} names (hard links), and a process that opens it "
                "under another name uses another log and other locks: find the names with "
                f"find … -samefile {_shown(path)}, and remove all but this one"
            )

    @property
    def _mode(self) -> int:
        return 0o660 if self.group_shared else 0o600

    @property
    def _untrusted_write_bits(self) -> int:
        """Mode bits that let users write who are not trusted."""
        return 0o002 if self.group_shared else 0o022

    def _check_folder(
        self, folder: Path, found: os.stat_result, path: str, *, holds_it: bool = False
    ) -> None:
        user = os.geteuid()
        if found.st_uid not in {_ROOT, user}:
            raise JournalError(
                f"the folder {_shown(folder)} belongs to user {found.st_uid}, who can replace the journal "
                f"{_shown(path)}, and this program runs as user {user}: keep the journal in folders that belong to "
                "that user or to root"
            )
        sticky = bool(found.st_mode & stat.S_ISVTX)
        if not found.st_mode & self._untrusted_write_bits or (sticky and not holds_it):
            return
        raise JournalError(
            f"the folder {_shown(folder)} can be changed by other users (its mode is {_mode(found)}), who could "
            f"replace the journal {_shown(path)} or add a log to it: {self._advice(folder, found, path)}"
        )

    def _advice(self, folder: Path, found: os.stat_result, path: str) -> str:
        if found.st_mode & stat.S_ISVTX:
            own = folder / "journal"
            return f"keep it in its own folder, as mkdir -m 700 {_shown(own)} creates it"
        command = f"run chmod {'o' if self.group_shared else 'go'}-w {_shown(folder)}"
        if found.st_mode & 0o002:
            return command
        return f"{command}, or, if everyone in its group is to be trusted, SqliteJournal({path!r}, group_shared=True)"

    def _check_link(self, link: Path, path: str, links: int) -> None:
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, "too many symbolic links", path)
        if link.parent.lstat().st_mode & self._untrusted_write_bits:
            raise JournalError(
                f"{_shown(link)} is a symbolic link in a folder that other users can change, and the journal "
                f"{_shown(path)} is reached by it: give the journal's real path, in its own folder"
            )

    def _in_private_folder(self, real: Path, path: str) -> Path:
        self._check_folder(real.parent, real.parent.lstat(), path, holds_it=True)
        return real


def escaped(text: str) -> str:
    """Return a text on one line without control characters: SQLite's messages may quote the file's content."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _names(path: str) -> list[str]:
    """Return the parts of a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _shown(path: str | Path) -> str:
    """Return a path quoted as one word of a shell command, on one line."""
    text = str(path)
    return shlex.quote(text) if text.isprintable() else repr(text)
