"""Decisions of ``upbit-async payouts``: what is shown, what must be typed, and what is recorded."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_journals import json_lines, payouts_command, states_in, write_journal
from payout_samples import IN_DOUBT

from upbit_async.cli import Exit
from upbit_async.cli.payouts.confirmation import confirm
from upbit_async.cli.payouts.options import DecisionOptions
from upbit_async.escaping import escaped
from upbit_async.payouts import SqliteJournal
from upbit_async.region import Region
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.payouts import Payout

BEFORE = {"paid": "done", "unsent": "not_sent", "doubtful": "needs_review", "blocked": "queued"}
"""The payouts of the journal."""


class Keyboard:
    """A terminal at which a line is typed, and before that something may happen."""

    def __init__(self, line: str, before: Callable[[], None]) -> None:
        self._line = line
        self._before = before

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        self._before()
        return self._line


def type_in(monkeypatch: pytest.MonkeyPatch, line: str, before: Callable[[], None] = lambda: None) -> None:
    """Let each question be answered with a line."""
    monkeypatch.setattr(sys, "stdin", Keyboard(line, before))


def payout_in(path: str, key: str) -> Payout:
    async def read() -> Payout | None:
        journal = SqliteJournal(path)
        try:
            return await journal.get(key)
        finally:
            await journal.aclose()

    payout = asyncio.run(read())
    assert payout is not None
    return payout


def website_uuid(sandbox: Sandbox, amount: int) -> str:
    """Return the newest withdrawal of an amount."""
    return [entry.uuid for entry in sandbox.ledger.created if entry.amount == amount][-1]


# -- the confirmation ------------------------------------------------------------------------------

ASKING = {
    "retry": ("retry", "unsent"),
    "retry with a new nonce": ("retry", "unsent", "--new-nonce"),
    "resolve": ("resolve", "doubtful", "--not-sent"),
    "abandon": ("abandon", "unsent", "--force"),
    "resume": ("resume",),
}
"""Decisions that can lead to money, except for acknowledge, which needs an id."""


@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_without_a_terminal_nothing_is_asked_or_changed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    doubts: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{words[1:2]}\n"))
    assert payouts_command(doubts, *words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err == "upbit-async: there is no terminal to confirm this at: pass --yes to confirm it\n"
    assert states_in(Path(doubts)) == BEFORE


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "UNSENT\n", "unsent2\n"])
@pytest.mark.parametrize("words", [("retry", "unsent"), ("abandon", "unsent", "--force")])
def test_anything_else_typed_changes_nothing(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    doubts: str,
    words: tuple[str, ...],
    typed: str,
) -> None:
    type_in(monkeypatch, typed)
    assert payouts_command(doubts, *words) == Exit.FAILED
    out, err = capsys.readouterr()
    assert not out
    assert err.endswith("upbit-async: not confirmed, so nothing was changed\n")
    assert states_in(Path(doubts)) == BEFORE


@pytest.mark.parametrize("word", ["two words", " spaces ", "a\u202eb", "\x1b[31m", "ключ"])
def test_a_key_is_typed_as_it_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    options = DecisionOptions(journal="payouts.db", region=Region.SG)
    type_in(monkeypatch, f"{escaped(word)}\n")
    confirm(options, word, "to retry it")
    assert capsys.readouterr().err == f"\nType {escaped(word).strip()} to retry it: "


def test_ctrl_c_at_the_question_changes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    type_in(monkeypatch, "unsent\n", interrupt)
    assert payouts_command(doubts, "retry", "unsent") == Exit.INTERRUPTED
    assert capsys.readouterr().err.endswith("upbit-async: interrupted\n")
    assert states_in(Path(doubts)) == BEFORE


def test_a_payout_that_changed_meanwhile_is_left_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    def abandon() -> None:
        assert payouts_command(doubts, "abandon", "unsent", "--force", "--yes", "--actor", "bob") == Exit.OK
        capsys.readouterr()

    type_in(monkeypatch, "unsent\n", abandon)
    assert payouts_command(doubts, "retry", "unsent") == Exit.FAILED
    out, err = capsys.readouterr()
    assert not out
    assert "has become abandoned meanwhile, so nothing was recorded" in err
    assert payout_in(doubts, "unsent").history[-1].actor == "bob"


# -- retry -----------------------------------------------------------------------------------------


def test_retry_shows_the_payout_and_records_who_decided(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    type_in(monkeypatch, "unsent\n")
    assert payouts_command(doubts, "retry", "unsent", "--note", "network is back") == Exit.OK
    out, err = capsys.readouterr()
    summary = " ".join(err.split())
    assert "Payout unsent payment 12 USDT on TRX to TFak…keFa state not_sent" in summary
    assert "The same request is sent again, by run, with the same nonce." in summary
    assert summary.endswith("Type unsent to retry it:")
    assert "state        queued" in out
    entry = payout_in(doubts, "unsent").history[-1]
    assert (entry.state, entry.actor) == ("queued", "ann")
    assert entry.note == "manual decision: to be sent again (network is back)"


def test_retry_with_a_new_nonce_needs_a_finding_and_warns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    assert payouts_command(doubts, "retry", "unsent", "--new-nonce", "--yes") == Exit.FAILED
    out, err = capsys.readouterr()
    assert not out
    assert "upbit-async: payout 'unsent' " in err
    assert "can't be sent again yet" in err
    assert payouts_command(doubts, "resolve", "unsent", "--not-sent", "--yes") == Exit.OK
    type_in(monkeypatch, "unsent\n")
    assert payouts_command(doubts, "retry", "unsent", "--new-nonce") == Exit.OK
    assert "THE PAYMENT IS MADE TWICE" in " ".join(capsys.readouterr().err.split())
    assert payout_in(doubts, "unsent").required_request.needs_new_nonce


@pytest.mark.parametrize("words", [("retry", "paid"), ("retry", "doubtful"), ("abandon", "paid", "--force")])
def test_an_impossible_decision_is_refused_before_the_question(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str, words: tuple[str, ...]
) -> None:
    type_in(monkeypatch, f"{words[1]}\n")
    assert payouts_command(doubts, *words) == Exit.FAILED
    err = capsys.readouterr().err
    assert f"upbit-async: payout '{words[1]}' " in err
    assert "Type " not in err
    assert states_in(Path(doubts)) == BEFORE


# -- resolve ---------------------------------------------------------------------------------------


def test_resolve_shows_the_withdrawal_beside_the_payout(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, doubts: str
) -> None:
    uuid = payout_in(doubts, "doubtful").candidates[0]
    assert payouts_command(doubts, "resolve", "doubtful", "--uuid", uuid, "--note", "by its txid") == Exit.OK
    out, err = capsys.readouterr()
    compared = err.partition("Is this the payout?")[2]
    assert [line.split()[0] for line in compared.strip().splitlines()] == [
        "payout", "id", "amount", "network", "time", "state", "destination", "txid",
    ]  # fmt: skip
    assert uuid in compared
    assert str(sandbox.withdrawals[uuid].txid) in compared
    assert "state        done" in out
    payout = payout_in(doubts, "doubtful")
    assert (payout.uuid, payout.evidence, payout.history[-1].actor) == (uuid, "manual", "ann")


def test_resolve_as_not_sent_shows_the_candidates_and_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    candidates = payout_in(doubts, "doubtful").candidates
    type_in(monkeypatch, "doubtful\n")
    assert payouts_command(doubts, "resolve", "doubtful", "--not-sent", "--json") == Exit.OK
    out, err = capsys.readouterr()
    assert len(candidates) == 2
    assert all(f"{uuid}\n    DONE, 13 USDT with a fee of 1 on TRX" in err for uuid in candidates)
    assert err.endswith("Type doubtful to record that it was not sent: ")
    assert out.startswith('{"key": "doubtful", "state": "not_sent"')
    assert states_in(Path(doubts)) == BEFORE | {"doubtful": "not_sent"}


@pytest.mark.parametrize("flags", [(), ("--uuid", "w-1", "--not-sent")])
def test_resolve_takes_one_outcome(
    capsys: pytest.CaptureFixture[str], doubts: str, flags: tuple[str, ...]
) -> None:
    assert payouts_command(doubts, "resolve", "doubtful", *flags) == Exit.USAGE
    assert capsys.readouterr().err == "upbit-async: resolve takes either --uuid or --not-sent\n"


def test_resolve_of_a_certain_outcome_is_refused(capsys: pytest.CaptureFixture[str], doubts: str) -> None:
    assert payouts_command(doubts, "resolve", "paid", "--not-sent", "--yes") == Exit.FAILED
    assert "there is nothing to resolve" in capsys.readouterr().err


def test_resolve_with_another_withdrawal_is_refused(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, doubts: str
) -> None:
    uuid = website_uuid(sandbox, 14)
    assert payouts_command(doubts, "resolve", "doubtful", "--uuid", uuid) == Exit.FAILED
    assert f"can't be withdrawal {uuid}" in capsys.readouterr().err
    assert states_in(Path(doubts)) == BEFORE


# -- abandon ---------------------------------------------------------------------------------------


def test_abandon_of_an_unsent_payout_asks_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert payouts_command(doubts, "abandon", "blocked", "--actor", "bob") == Exit.OK
    capsys.readouterr()
    assert payout_in(doubts, "blocked").history[-1].actor == "bob"
    assert states_in(Path(doubts)) == BEFORE | {"blocked": "abandoned"}


def test_abandon_of_a_recent_copy_needs_force_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    assert payouts_command(doubts, "abandon", "unsent") == Exit.FAILED
    assert "can't be abandoned yet" in capsys.readouterr().err
    type_in(monkeypatch, "unsent\n")
    assert payouts_command(doubts, "abandon", "unsent", "--force") == Exit.OK
    summary = " ".join(capsys.readouterr().err.split())
    assert "it may still be carried out although Upbit's list does not show it" in summary
    assert "IF YOU PAY IN ANOTHER WAY NOW, THE PAYMENT MAY BE MADE TWICE" in summary
    assert states_in(Path(doubts)) == BEFORE | {"unsent": "abandoned"}


# -- acknowledge -----------------------------------------------------------------------------------


def test_acknowledge_shows_what_it_unblocks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, doubts: str
) -> None:
    uuid = website_uuid(sandbox, 14)
    type_in(monkeypatch, f"{uuid}\n")
    assert payouts_command(doubts, "acknowledge", uuid, "--note", "Bob's") == Exit.OK
    out, err = capsys.readouterr()
    assert f"{uuid}\n    DONE, 14 USDT with a fee of 1 on TRX" in err
    assert "Payouts that it blocks, or that it may be\nblocked  queued" in err
    assert "THAT PAYMENT MAY BE MADE TWICE" in " ".join(err.split())
    assert out == f"Withdrawal {uuid} is no payout.\n"


def test_json_of_acknowledge_is_stable(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, doubts: str
) -> None:
    uuid = website_uuid(sandbox, 14)
    assert payouts_command(doubts, "acknowledge", uuid, "--yes", "--json", "--note", "Bob's") == Exit.OK
    assert json_lines(capsys) == [{"uuid": uuid, "payouts": ["blocked"], "note": "Bob's", "actor": "ann"}]


@pytest.mark.parametrize("typed", ["", "yes\n", "blocked\n"])
def test_acknowledge_needs_the_id_to_be_typed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    doubts: str,
    typed: str,
) -> None:
    uuid = website_uuid(sandbox, 14)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{uuid}\n"))
    assert payouts_command(doubts, "acknowledge", uuid) == Exit.USAGE
    type_in(monkeypatch, typed)
    assert payouts_command(doubts, "acknowledge", uuid) == Exit.FAILED
    assert capsys.readouterr().err.endswith("not confirmed, so nothing was changed\n")
    assert payout_in(doubts, "blocked").candidates == (uuid,)


def test_a_payouts_own_withdrawal_is_refused_before_the_question(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    uuid = payout_in(doubts, "paid").uuid
    assert uuid is not None
    type_in(monkeypatch, f"{uuid}\n")
    assert payouts_command(doubts, "acknowledge", uuid) == Exit.FAILED
    expected = f"upbit-async: withdrawal {uuid} belongs to payout 'paid', so it can't be acknowledged\n"
    assert capsys.readouterr().err == expected


# -- pause and resume ------------------------------------------------------------------------------


def test_pause_asks_nothing_and_resume_shows_what_waits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, doubts: str
) -> None:
    assert payouts_command(doubts, "pause") == Exit.OK
    assert capsys.readouterr() == ("Nothing more is sent until resume.\n", "")
    payouts_command(doubts, "health")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "paused  " in line]
    assert line.endswith("by ann; nothing is sent until upbit-async payouts resume")
    type_in(monkeypatch, "resume\n")
    assert payouts_command(doubts, "resume") == Exit.OK
    out, err = capsys.readouterr()
    assert out == "Payouts are sent again.\n"
    assert "USDT         1 of 14 in total" in err
    assert err.endswith("Type resume to let them be sent: ")


def test_resume_without_pause_says_so(capsys: pytest.CaptureFixture[str], doubts: str) -> None:
    assert payouts_command(doubts, "resume", "--yes") == Exit.FAILED
    assert "payouts are not paused" in capsys.readouterr().err


def test_json_of_pause_and_resume_is_stable(capsys: pytest.CaptureFixture[str], doubts: str) -> None:
    assert payouts_command(doubts, "pause", "--json", "--note", "an address was stolen") == Exit.OK
    assert json_lines(capsys) == [{"paused": True, "note": "an address was stolen", "actor": "ann"}]
    assert payouts_command(doubts, "resume", "--json", "--yes", "--actor", "bob") == Exit.OK
    assert json_lines(capsys) == [{"paused": False, "note": "", "actor": "bob"}]


# -- what needs API keys ---------------------------------------------------------------------------


@pytest.fixture
def without_keys(monkeypatch: pytest.MonkeyPatch, doubts: str) -> str:
    """The path of the journal; there are no API keys."""
    for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY"):
        monkeypatch.delenv(name)
    return doubts


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "doubtful"),
        ("health",),
        ("export",),
        ("pause",),
        ("abandon", "blocked"),
        ("resolve", "doubtful", "--not-sent", "--yes"),
    ],
    ids=" ".join,
)
def test_what_reads_the_journal_only_needs_no_keys(without_keys: str, words: tuple[str, ...]) -> None:
    assert payouts_command(without_keys, *words) in {Exit.OK, Exit.NEEDS_REVIEW}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("acknowledge", "w-1", "--yes"), "set UPBIT_SG_ACCESS_KEY and UPBIT_SG_SECRET_KEY"),
        (("run",), "set UPBIT_SG_ACCESS_KEY and UPBIT_SG_SECRET_KEY"),
        (("retry", "unsent", "--yes"), "there are no keys to derive another from"),
    ],
)
def test_what_needs_keys_says_so(
    capsys: pytest.CaptureFixture[str], without_keys: str, words: tuple[str, ...], error: str
) -> None:
    assert payouts_command(without_keys, *words) == Exit.FAILED
    assert error in capsys.readouterr().err


def test_candidates_are_shown_with_their_records(capsys: pytest.CaptureFixture[str], doubts: str) -> None:
    uuids = payout_in(doubts, "doubtful").candidates
    assert payouts_command(doubts, "show", "doubtful", "--json") == Exit.OK
    (record,) = json_lines(capsys)
    assert [row["uuid"] for row in record["candidate_records"]] == [*uuids]


def test_stored_candidates_are_shown_without_keys(
    capsys: pytest.CaptureFixture[str], without_keys: str
) -> None:
    assert payouts_command(without_keys, "show", "blocked") == Exit.OK
    assert "\n    DONE, 14 USDT" in capsys.readouterr().out


def test_show_works_during_an_outage(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, doubts: str, tmp_path: Path
) -> None:
    host = os.environ["UPBIT_BASE_URL"].removeprefix("http://")
    without_records = write_journal(tmp_path / "other.db", [IN_DOUBT], host=host)
    sandbox.faults.add(Fault.reset_before("GET", "/v1/withdraws", times=None))
    try:
        assert payouts_command(doubts, "show", "blocked") == Exit.OK
        assert "\n    DONE, 14 USDT" in capsys.readouterr().out
        assert payouts_command(without_records, "show", "k") == Exit.OK
        assert "w-8\n    it can't be read: " in capsys.readouterr().out
    finally:
        sandbox.faults.clear()
