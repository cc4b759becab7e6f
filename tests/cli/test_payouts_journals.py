"""``--journal``: which journals ``upbit-async payouts`` opens, and which it leaves alone."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_journals import payouts_command, write_journal
from environment import clear_environment

from upbit_async.cli import Exit, main
from upbit_async.cli.payouts.journals import journal_for
from upbit_async.cli.payouts.options import JournalOptions, actor_name
from upbit_async.payouts import SqliteJournal
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = [
    ("list",),
    ("show", "invoice-1"),
    ("retry", "invoice-1"),
    ("resolve", "invoice-1", "--uuid", "w-1"),
    ("resolve", "invoice-1", "--not-sent"),
    ("acknowledge", "w-1"),
    ("abandon", "invoice-1", "--force"),
    ("pause",),
    ("resume",),
    ("reconcile",),
    ("health",),
    ("export",),
]
"""Every command that needs an existing journal; ``run`` creates one."""
NOBODY = 65534

as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files to others"
)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_missing_journal_is_not_created(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    path = tmp_path / "payuots.db"
    assert payouts_command(str(path), *words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"upbit-async: there is no journal '{path}'")
    assert not list(tmp_path.iterdir())


def test_an_empty_file_is_not_made_a_journal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "payouts.db"
    path.touch(0o600)
    assert payouts_command(str(path), "list") == Exit.USAGE
    assert "is empty, so it is no journal" in capsys.readouterr().err
    assert path.stat().st_size == 0


@pytest.mark.parametrize("words", [*COMMANDS, ("run",)], ids=" ".join)
def test_a_url_is_no_journal_yet_and_its_password_is_not_shown(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert payouts_command("postgresql://payer:CANARY@db/payouts", *words) == Exit.USAGE
    err = capsys.readouterr().err
    assert "must be the path of a SQLite file, got a URL (postgresql://…)" in err
    assert "CANARY" not in err


@as_root
@pytest.mark.parametrize("words", [*COMMANDS, ("run",)], ids=" ".join)
def test_another_users_journal_is_not_opened(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    path = Path(write_journal(tmp_path / "payouts.db", []))
    os.chown(path, NOBODY, -1)
    before = sorted(tmp_path.iterdir())
    assert payouts_command(str(path), *words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert "belongs to user nobody, and this command runs as root" in err
    assert "sudo -u nobody upbit-async payouts …" in err
    assert sorted(tmp_path.iterdir()) == before
    assert path.stat().st_uid == NOBODY


@as_root
def test_run_creates_no_journal_in_another_users_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "payer"
    folder.mkdir(0o700)
    os.chown(folder, 1234567, -1)
    assert payouts_command(str(folder / "payouts.db"), "run") == Exit.USAGE
    assert "sudo -u '#1234567' upbit-async payouts …" in capsys.readouterr().err
    assert not list(folder.iterdir())


@pytest.fixture
def other_user(tmp_path: Path) -> Iterator[Path]:
    """A folder of root's, with this process as another user; root comes back at the end."""
    os.seteuid(NOBODY)
    yield tmp_path
    os.seteuid(0)


@as_root
def test_a_journal_in_a_folder_that_cannot_be_read_names_its_owner(
    capsys: pytest.CaptureFixture[str], other_user: Path
) -> None:
    assert payouts_command(str(other_user / "payouts.db"), "list") == Exit.USAGE
    assert "belongs to user root, and this command runs as nobody" in capsys.readouterr().err


def test_a_journal_of_a_group_is_opened_on_request(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = Path(write_journal(tmp_path / "payouts.db", []))
    path.chmod(0o660)
    assert payouts_command(str(path), "list") == Exit.FAILED
    assert "can be used by other users" in capsys.readouterr().err
    assert payouts_command(str(path), "list", "--group-shared") == Exit.OK


@pytest.mark.parametrize("may_create", [True, False])
def test_a_path_is_a_sqlite_journal(tmp_path: Path, may_create: bool) -> None:
    path = write_journal(tmp_path / "payouts.db", [])
    journal = journal_for(JournalOptions(journal=path, region=Region.SG), may_create=may_create)
    assert isinstance(journal, SqliteJournal)
    assert journal.path == path


def test_two_regions_are_a_usage_error(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "list", "--region", "id") == Exit.USAGE
    assert "--region" in capsys.readouterr().err


@pytest.mark.parametrize("region", [(), ("--region", "us")])
def test_a_region_is_required(
    capsys: pytest.CaptureFixture[str], journal: str, region: tuple[str, ...]
) -> None:

    assert main(["payouts", "list", "--journal", journal, *region]) == Exit.USAGE
    assert "--region" in capsys.readouterr().err


def test_the_actor_is_the_user_also_under_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert actor_name() == getpass.getuser()
    monkeypatch.setenv("SUDO_USER", "ann")
    assert actor_name() == "ann"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_an_actor_without_a_name_has_a_number(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nameless)
    assert actor_name() == f"uid {os.getuid()}"
