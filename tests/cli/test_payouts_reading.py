"""``upbit-async payouts list``, ``show``, ``health`` and ``export`` need the journal only."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import re
import shlex
import sqlite3
from pathlib import Path
from typing import Any

import attrs
import pytest
from command_journals import SAMPLES, json_lines, payouts_command, write_journal
from payout_samples import EVERY, IN_DOUBT, PLANNED, WHEN, planned

from upbit_async import errors
from upbit_async.cli import Exit
from upbit_async.cli.app import run
from upbit_async.cli.payouts import text
from upbit_async.cli.payouts.advice import STATES, advice_for
from upbit_async.cli.payouts.options import JournalOptions
from upbit_async.cli.show import Show, console_for
from upbit_async.payouts import Payout, PayoutState, SqliteJournal
from upbit_async.region import Region

OPTIONS = JournalOptions(journal="payouts.db", region=Region.SG)
FULL_ADDRESS = "TCANARYADDRESS"

PAYOUT_KEYS = [
    "key", "state", "is_open", "is_final", "is_compacted", "reason", "currency", "net_type", "amount",
    "address", "secondary_address", "transaction_type", "uuid", "withdrawal", "evidence", "error",
    "candidates", "copies", "sent_at", "not_after", "created_at", "updated_at", "history",
]  # fmt: skip
SHOW_KEYS = [*PAYOUT_KEYS, "candidate_records", "meaning", "advice", "commands"]
WITHDRAWAL_KEYS = [
    "uuid", "currency", "state", "amount", "type", "net_type", "txid", "created_at", "done_at", "fee",
    "transaction_type", "is_cancelable",
]  # fmt: skip
HISTORY_KEYS = ["at", "state", "note", "actor"]
CHANGE_KEYS = ["position", "key", "previous", "state", "at", "reason", "actor"]
HEALTH_KEYS = [
    "journal_ok", "paused", "pause", "counts", "unreadable", "open_abandoned", "oldest_queued",
    "oldest_unknown", "oldest_needs_review", "runner_seen_at", "reconciled_at",
]  # fmt: skip


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


# -- list ------------------------------------------------------------------------------------------


def test_list_has_a_line_for_each_payout(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "list") == Exit.OK
    out, err = capsys.readouterr()
    assert sorted(line.split()[0] for line in out.splitlines()) == sorted(PayoutState)
    assert len({line.index("2026-01-01 00:00") for line in out.splitlines()}) == 1
    assert not err


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        (("--state", "needs_review"), ["needs_review"]),
        (("--state", "done", "--state", "unknown"), ["done", "unknown"]),
        (("--currency", "BTC"), []),
        (("--uuid", "W-5"), ["done"]),
        (("--since", "2026-01-01T00:00:01"), []),
        (("--until", "2026-01-01"), []),
        (("--since", "2026-01-01", "--until", "2026-01-02", "--state", "queued"), ["queued"]),
    ],
)
def test_list_filters(
    capsys: pytest.CaptureFixture[str], journal: str, filters: tuple[str, ...], keys: list[str]
) -> None:
    assert payouts_command(journal, "list", "--json", *filters) == Exit.OK
    assert sorted(record["key"] for record in json_lines(capsys)) == keys


def test_list_without_a_match_says_so(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "list", "--currency", "BTC") == Exit.OK
    assert capsys.readouterr() == ("no payouts\n", "")


def test_list_says_that_there_may_be_more(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "list", "--limit", "2") == Exit.OK
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == "upbit-async: these are the newest 2; --limit shows more\n"


@pytest.mark.parametrize("wrong", [("--state", "lost"), ("--limit", "0"), ("--since", "yesterday")])
def test_list_with_a_wrong_filter_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], journal: str, wrong: tuple[str, str]
) -> None:
    assert payouts_command(journal, "list", *wrong) == Exit.USAGE
    assert wrong[0] in capsys.readouterr().err


def test_a_terminal_gets_rows_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    terminal, pipe = Terminal(), io.StringIO()
    long = attrs.evolve(IN_DOUBT, key="a long reason")
    for stream in (terminal, pipe):
        text.show_rows([long], Show(console_for(stream)))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).rstrip("\n")
    assert len(shown) == 70
    assert shown.endswith("…")
    assert long.reason in pipe.getvalue()


# -- show ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(PayoutState))
def test_show_explains_each_state(
    capsys: pytest.CaptureFixture[str], journal: str, state: PayoutState
) -> None:
    assert payouts_command(journal, "show", state.value) == Exit.OK
    out, err = capsys.readouterr()
    words = " ".join(out.split())
    for part in (STATES[state].meaning, STATES[state].action, STATES[state].never):
        assert part[1:] in words
    assert f"Payout {state.value}\n" in out
    assert "on TRX to TCAN…RESS" in out
    assert FULL_ADDRESS not in out
    assert not err


def test_show_has_the_history_with_its_actors(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "show", "abandoned") == Exit.OK
    history = capsys.readouterr().out.partition("\nHistory\n")[2]
    assert "unknown\n" in history
    assert re.search(r"2026-01-01 00:00:00 UTC  abandoned  by Ann\n    manual decision: abandoned", history)


def test_show_of_an_unknown_key_fails(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "show", "invoice-1") == Exit.FAILED
    assert capsys.readouterr() == ("", "upbit-async: there is no payout 'invoice-1' in this journal\n")


def test_candidates_without_keys_say_how_to_read_them(
    capsys: pytest.CaptureFixture[str], journal: str
) -> None:
    assert payouts_command(journal, "show", "needs_review") == Exit.OK
    assert "w-8\n    not known here: set the API keys" in capsys.readouterr().out


@pytest.mark.parametrize("full", [True, False])
def test_full_addresses_are_shown_on_request_only(
    capsys: pytest.CaptureFixture[str], journal: str, full: bool
) -> None:
    flags = ["--full-addresses"] if full else []
    for command in (["list", "--json"], ["show", "done"], ["show", "done", "--json"], ["export"]):
        assert payouts_command(journal, *command, *flags) == Exit.OK
        out = capsys.readouterr().out
        assert (FULL_ADDRESS in out) is full or command[0] == "list"


def test_a_compacted_payout_is_shown(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    asyncio.run(_compact(journal, dt.datetime(2027, 1, 1, tzinfo=dt.UTC)))
    assert payouts_command(journal, "show", "done") == Exit.OK
    assert "not known any more: it was compacted" in capsys.readouterr().out
    assert payouts_command(journal, "show", "done", "--json") == Exit.OK
    (record,) = json_lines(capsys)
    assert (record["is_compacted"], record["amount"], record["uuid"]) == (True, None, "w-5")


async def _compact(path: str, before: dt.datetime) -> None:
    journal = SqliteJournal(path)
    await journal.bind(Region.SG.host, "sg")
    assert await journal.compact(before, before) > 0
    await journal.aclose()


# -- advice ----------------------------------------------------------------------------------------


def blocked(error: errors.PayoutBlocked) -> Payout:
    return attrs.evolve(PLANNED, state=PayoutState.QUEUED, error=error)


ARRIVED = attrs.evolve(
    SAMPLES["not sent"], sent_request=attrs.evolve(SAMPLES["not sent"].required_request, arrived=True)
)
ADVISED = [
    *SAMPLES.values(),
    blocked(errors.PayoutBlocked("unowned", uuids=("w-1", "w-2"))),
    blocked(errors.PayoutBlocked("another", by_key="other")),
    blocked(errors.PayoutBlocked("another", by_key="--other")),
    attrs.evolve(IN_DOUBT, key="-minus"),
    attrs.evolve(IN_DOUBT, state=PayoutState.ABANDONED),
    ARRIVED,
    attrs.evolve(ARRIVED, evidence=SAMPLES["said by a person"].evidence),
]


@pytest.mark.parametrize("payout", ADVISED, ids=lambda payout: f"{payout.key} {payout.state}")
def test_advised_commands_are_valid(payout: Payout, capsys: pytest.CaptureFixture[str]) -> None:
    """They get as far as the journal, which is missing."""
    for line in advice_for(payout, OPTIONS).commands:
        program, *words = shlex.split(line)
        assert program == "upbit-async"
        assert run(words) == Exit.USAGE
        assert "there is no journal 'payouts.db'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("payout", "commands"),
    [
        (SAMPLES["done"], []),
        (SAMPLES["unknown"], []),
        (SAMPLES["not sent"], ["retry", "abandon"]),
        (SAMPLES["declined"], ["retry"]),
        (SAMPLES["planned"], ["abandon"]),
        (IN_DOUBT, ["resolve --uuid w-8", "resolve --not-sent"]),
        (attrs.evolve(IN_DOUBT, state=PayoutState.ABANDONED), ["resolve --uuid w-8", "acknowledge"]),
        (blocked(errors.PayoutBlocked("one", uuids=("w-1",))), ["acknowledge", "resolve --uuid w-1"]),
        (blocked(errors.PayoutBlocked("other", by_key="other")), ["show"]),
        (ARRIVED, ["resolve --uuid UUID", "resolve --not-sent", "retry --new-nonce"]),
        (
            attrs.evolve(ARRIVED, evidence=SAMPLES["said by a person"].evidence),
            ["retry --new-nonce", "abandon"],
        ),
    ],
)
def test_advice_names_what_the_state_allows(payout: Payout, commands: list[str]) -> None:
    lines = [shlex.split(line)[2:] for line in advice_for(payout, OPTIONS).commands]
    assert [" ".join([line[0], *line[2 : line.index("--journal")]]) for line in lines] == commands
    assert all(
        line[line.index("--journal") :] == ["--journal", "payouts.db", "--region", "sg"] for line in lines
    )


def test_advice_keeps_the_options_of_the_journal() -> None:
    shared = attrs.evolve(OPTIONS, group_shared=True, journal="my payouts.db")
    (line,) = advice_for(SAMPLES["planned"], shared).commands
    assert line == "upbit-async payouts abandon k --journal 'my payouts.db' --region sg --group-shared"


def test_the_words_are_those_of_the_reference() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "payout-states.md"
    table = (
        page.read_text(encoding="utf-8").partition("\n## What each state means\n")[2].partition("\n## ")[0]
    )
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    assert [(state.strip("`"), *words) for state, *words in cells] == [
        (state.value, words.meaning, words.action, words.never) for state, words in STATES.items()
    ]
    assert list(STATES) == list(PayoutState)


# -- JSON ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("list",), ("export",)])
def test_json_of_payouts_is_stable(
    capsys: pytest.CaptureFixture[str], journal: str, command: tuple[str, ...]
) -> None:
    assert payouts_command(journal, *command, "--json") == Exit.OK
    records = json_lines(capsys)
    assert len(records) == len(PayoutState)
    assert all([*record] == PAYOUT_KEYS for record in records)
    assert all([*entry] == HISTORY_KEYS for record in records for entry in record["history"])
    (done,) = (record for record in records if record["key"] == "done")
    assert [*done["withdrawal"]] == WITHDRAWAL_KEYS
    assert (done["amount"], done["currency"], done["evidence"]) == ("5.5", "USDT", "answer")
    assert done["created_at"] == WHEN.utc.isoformat()


def test_json_of_show_is_stable(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "show", "needs_review", "--json") == Exit.OK
    (record,) = json_lines(capsys)
    assert [*record] == SHOW_KEYS
    assert record["candidates"] == ["w-8"]
    assert record["candidate_records"] == []
    assert record["meaning"] == STATES[PayoutState.NEEDS_REVIEW].meaning


def test_json_of_an_error_has_its_type(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    payout = blocked(errors.PayoutBlocked("unowned", uuids=("w-1",)))
    path = write_journal(tmp_path / "payouts.db", [payout])
    assert payouts_command(path, "list", "--json") == Exit.OK
    (record,) = json_lines(capsys)
    assert record["error"] == {"type": "PayoutBlocked", "message": "unowned"}
    assert record["candidates"] == ["w-1"]


def test_the_runbook_has_all_members() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "operate-payouts.md"
    section = page.read_text(encoding="utf-8").partition("\n## The commands in scripts\n")[2]
    rows = [line.split(" | ")[1] for line in section.splitlines() if line.startswith("| `")]
    members = [re.findall(r"`([a-z_]+)`", re.sub(r"\([^)]*\)", "", row)) for row in rows]
    assert members[0] == PAYOUT_KEYS
    assert members[1] == SHOW_KEYS[len(PAYOUT_KEYS) :]
    assert members[2:4] == [CHANGE_KEYS, HEALTH_KEYS]
    assert (
        re.findall(r"`([a-z_]+)`", section.partition("A withdrawal has ")[2].partition(".")[0])
        == WITHDRAWAL_KEYS
    )


# -- health ----------------------------------------------------------------------------------------


def test_health_shows_all_of_it(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "health") == Exit.NEEDS_REVIEW
    out = capsys.readouterr().out
    assert "journal    can be read" in out
    assert "paused     no" in out
    assert "runner     never seen" in out
    for state in PayoutState:
        assert re.search(rf"^  {state.value} +1", out, re.MULTILINE)


def test_json_of_health_is_stable(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "health", "--json") == Exit.NEEDS_REVIEW
    (record,) = json_lines(capsys)
    assert [*record] == HEALTH_KEYS
    assert record["counts"] == dict.fromkeys(PayoutState, 1)
    assert record["oldest_queued"] == WHEN.utc.isoformat()


def test_health_without_reviews_is_ok(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_journal(tmp_path / "payouts.db", [PLANNED])
    assert payouts_command(path, "health") == Exit.OK


def test_health_says_who_has_paused_since_when_and_why(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_journal(tmp_path / "payouts.db", [PLANNED])
    assert payouts_command(path, "pause", "--note", "audit", "--actor", "Ann") == Exit.OK
    capsys.readouterr()
    assert payouts_command(path, "health") == Exit.OK
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "paused" in line]
    assert re.search(r"! paused +since 20\d\d-.* UTC \(.*\) by Ann: audit; nothing is sent until", line)
    assert payouts_command(path, "health", "--json") == Exit.OK
    (record,) = json_lines(capsys)
    assert record["paused"] is True
    assert (record["pause"]["actor"], record["pause"]["note"]) == ("Ann", "audit")
    assert dt.datetime.fromisoformat(record["pause"]["since"]).utcoffset() == dt.timedelta(0)


def test_health_counts_abandoned_payouts_that_may_have_been_paid(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    unsent = EVERY["given up unsent"]
    assert unsent is not None
    request = attrs.evolve(unsent.required_request, candidates=("w-1",))
    path = write_journal(tmp_path / "payouts.db", [attrs.evolve(unsent, sent_request=request)])
    assert payouts_command(path, "health") == Exit.NEEDS_REVIEW
    assert "! abandoned  1 may have been paid all the same" in capsys.readouterr().out
    assert payouts_command(path, "health", "--json") == Exit.NEEDS_REVIEW
    assert json_lines(capsys)[0]["open_abandoned"] == 1


def test_damaged_rows_are_counted_and_named_and_hide_no_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_journal(tmp_path / "payouts.db", [PLANNED, planned("another", amount="14")])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE payouts SET state = 'odd' WHERE key = 'k'")
    connection.commit()
    connection.close()
    assert payouts_command(path, "health") == Exit.NEEDS_REVIEW
    assert "! damaged    1 with a state that can't be read" in capsys.readouterr().out
    assert payouts_command(path, "list") == Exit.OK
    out, err = capsys.readouterr()
    assert "another" in out
    assert "payout 'k' can't be read" in err
    assert payouts_command(path, "show", "k") == Exit.FAILED
    assert "payout 'k' can't be read" in capsys.readouterr().err


def test_health_of_a_journal_that_cannot_be_read_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_journal(tmp_path / "payouts.db", [], host="another.example")
    for flags in ([], ["--json"]):
        assert payouts_command(path, "health", *flags) == Exit.FAILED
        out, err = capsys.readouterr()
        assert "belongs to another.example" in err
        assert "can't be read" in out or json.loads(out)["journal_ok"] is False


# -- export ----------------------------------------------------------------------------------------


def test_changes_are_exported_after_a_position(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    assert payouts_command(journal, "export", "--changes-after", "0") == Exit.OK
    every = json_lines(capsys)
    assert all([*record] == CHANGE_KEYS for record in every)
    assert {record["key"] for record in every} == set(PayoutState)
    assert payouts_command(journal, "export", "--changes-after", str(every[-3]["position"])) == Exit.OK
    assert json_lines(capsys) == every[-2:]
    assert payouts_command(journal, "export", "--changes-after", "1000000") == Exit.OK
    assert json_lines(capsys) == []


def test_compacted_changes_are_an_error(capsys: pytest.CaptureFixture[str], journal: str) -> None:
    asyncio.run(_compact(journal, dt.datetime(2027, 1, 1, tzinfo=dt.UTC)))
    assert payouts_command(journal, "export", "--changes-after", "0") == Exit.FAILED
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("upbit-async: ChangesCompacted: ")


# -- text from outside -----------------------------------------------------------------------------


@pytest.mark.parametrize("hostile", ["\x1b[31mred", "\u202ereversed", "two\nlines", "\x7f\x9b31m"])
def test_text_of_a_journal_cannot_control_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, hostile: str
) -> None:
    note = attrs.evolve(IN_DOUBT.history[-1], note=hostile, actor=hostile)
    intent = attrs.evolve(PLANNED.intent, members={**PLANNED.intent.members, "secondary_address": hostile})
    payout = attrs.evolve(IN_DOUBT, key=hostile, history=(note,), intent=intent)
    path = write_journal(tmp_path / "payouts.db", [payout])
    for command in (
        ["list"],
        ["show", hostile],
        ["health"],
        ["export"],
        ["show", hostile, "--json"],
        ["list", "--json"],
    ):
        assert payouts_command(path, *command) in {Exit.OK, Exit.NEEDS_REVIEW}
        out, err = capsys.readouterr()
        assert all(character.isprintable() for character in (out + err).replace("\n", ""))
        assert hostile not in out + err
    assert payouts_command(path, "show", hostile * 2) == Exit.FAILED
    assert all(character.isprintable() for character in capsys.readouterr().err[:-1])


def test_an_error_never_shows_the_keys(
    capsys: pytest.CaptureFixture[str], journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries: dict[str, Any] = {"UPBIT_ACCESS_KEY": "CANARYACCESS1", "UPBIT_SECRET_KEY": "CANARYSECRET1"}
    for name, value in canaries.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("UPBIT_BASE_URL", "http://127.0.0.1:9")
    assert payouts_command(journal, "show", "needs_review") == Exit.FAILED  # it belongs to another host
    out, err = capsys.readouterr()
    assert "CANARY" not in out + err.replace("TCANARY", "")
    assert "belongs to" in err
