"""The journal that ``--journal`` names: its kind, and whether this user may use it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from upbit_async.cli.exits import CommandError, Exit
from upbit_async.payouts import SqliteJournal

if TYPE_CHECKING:
    from upbit_async.cli.payouts.options import JournalOptions
    from upbit_async.payouts import Journal

__all__ = ["journal_for"]

_ROOT = 0


def journal_for(options: JournalOptions, *, may_create: bool = False) -> Journal:
    """Return the journal that the options name, without opening it.

    Args:
        options: The options.
        may_create: Whether the journal may be missing, and is created then.

    Raises:
        CommandError: There is no journal, this user does not own it, or journals of this kind are not supported.
    """
    scheme, separator, _ = options.journal.partition("://")
    if separator:  # the rest may hold a password
        raise CommandError(
            f"--journal must be the path of a SQLite file, got a URL ({scheme}://…): this version has no other kind of "
            "journal",
            Exit.USAGE,
        )
    path = Path(options.journal)
    _check_file(path, may_create=may_create)
    return SqliteJournal(path, group_shared=options.group_shared)


def _check_file(path: Path, *, may_create: bool) -> None:
    """Check that the file exists and belongs to this user, before anything is opened or created.

    The library checks owners and modes again when it opens the file. It would create a missing one.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        if not may_create:
            raise CommandError(
                f"there is no journal {str(path)!r}: check --journal; only upbit-async payouts run creates one",
                Exit.USAGE,
            ) from None
        if path.parent.is_dir() and (owner := path.parent.stat().st_uid) != _ROOT:
            _check_owner(path, owner)
    except PermissionError:
        _check_owner(path, _owner_of_first_folder(path))
        raise
    else:
        if not found.st_size and not may_create:
            raise CommandError(f"the file {str(path)!r} is empty, so it is no journal", Exit.USAGE)
        _check_owner(path, found.st_uid)


def _owner_of_first_folder(path: Path) -> int:
    """Return the owner of the folder nearest to a path that this user can see."""
    for folder in path.absolute().parents:
        try:
            return folder.stat().st_uid
        except PermissionError:
            continue
    return _ROOT  # pragma: no cover - everybody can see /


def _check_owner(path: Path, owner: int) -> None:
    if sys.platform == "win32" or owner == os.geteuid():  # pragma: no cover - by platform
        return
    name = _user_name(owner)
    raise CommandError(
        f"the journal {str(path)!r} belongs to user {name}, and this command runs as {_user_name(os.geteuid())}; its "
        f"files must stay that user's: run it as sudo -u {name} upbit-async payouts …",
        Exit.USAGE,
    )


def _user_name(uid: int) -> str:
    """Return a user's name, or its number as sudo takes it."""
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"'#{uid}'"
