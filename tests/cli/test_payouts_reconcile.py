"""``upbit-async payouts reconcile`` shows what belongs to no payout, and what people must look at."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from command_journals import json_lines, payouts_command

from upbit_async.cli import Exit
from upbit_async.payouts import Payouts
from upbit_async.payouts.reconciliation import AccountReconciliation

KEYS = ["read_at", "unowned", "reviews", "is_complete", "problem"]
NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


def test_reconcile_shows_unowned_withdrawals_and_reviews(
    capsys: pytest.CaptureFixture[str], doubts: str
) -> None:
    assert payouts_command(doubts, "reconcile") == Exit.NEEDS_REVIEW
    out, err = capsys.readouterr()
    unowned, _, reviews = out.partition("Payouts that people must look at\n")
    assert "Withdrawals that belong to no payout\n" in unowned
    assert "DONE, 14 USDT with a fee of 1 on TRX" in unowned
    assert reviews.startswith("doubtful  needs_review  13 USDT")
    assert not err


def test_json_of_reconcile_is_stable(capsys: pytest.CaptureFixture[str], doubts: str) -> None:
    assert payouts_command(doubts, "reconcile", "--json", "--currency", "USDT") == Exit.NEEDS_REVIEW
    (record,) = json_lines(capsys)
    assert [*record] == KEYS
    assert record["reviews"] == ["doubtful"]
    assert "14" in {row["amount"] for row in record["unowned"]}
    assert (record["is_complete"], record["problem"]) == (True, "")


@pytest.mark.parametrize(
    ("result", "code", "text"),
    [
        ({"is_complete": True}, Exit.OK, "every withdrawal belongs to a payout or is acknowledged"),
        ({"is_complete": False, "problem": "a row can't be read"}, Exit.FAILED, "compared"),
    ],
)
def test_the_exit_code_says_how_it_ended(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    journal: str,
    result: dict[str, Any],
    code: Exit,
    text: str,
) -> None:
    async def reconcile(_: Payouts, currency: str | None) -> AccountReconciliation:
        assert currency is None
        return AccountReconciliation(read_at=NOON, unowned=(), reviews=(), **result)

    monkeypatch.setattr(Payouts, "reconcile", reconcile)
    assert payouts_command(journal, "reconcile") == code
    out, err = capsys.readouterr()
    assert text in out
    assert result.get("problem", "") in err
