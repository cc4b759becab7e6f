"""The checks of pauses, limits and changes find each kind of problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from drawing import draw
from harness import Trial
from journals import InlineJournal
from operation_checks import check_operation
from operators import CHANGES, JAMMED, PAUSED
from records import record
from schedules import Invoice
from service import ENQUEUED

from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from upbit_async.payouts import PayoutChange

INVOICES = tuple(
    Invoice(key=key, currency="USDT", net_type="TRX", amount=amount, address=f"address of {key}")
    for key, amount in (("first", "13"), ("second", "14"))
)
SCHEDULE = attrs.evolve(draw(1), invoices=INVOICES, earlier=None, per_day=None, follower_kills=None)


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncGenerator[Trial]:
    """Result of a schedule in which both invoices were paid."""
    async with Sandbox("sg") as sandbox:
        sandbox.account.fund("USDT", 1_000)
        payouts = Payouts(sandbox.client(), InlineJournal(tmp_path / "payouts.db"), check=False)
        async with payouts:
            for invoice in INVOICES:
                sandbox.account.allow_address("USDT", "TRX", invoice.address)
                members = {name: value for name, value in attrs.asdict(invoice).items() if name != "key"}
                assert (await payouts.send(invoice.key, **members)).state is PayoutState.DONE
        ledger = tuple(sandbox.ledger)
        yield Trial(schedule=SCHEDULE, folder=tmp_path, ledger=ledger, before_audit=len(ledger))


def _found(trial: Trial, **schedule: Any) -> list[tuple[str, str]]:
    trial.schedule = attrs.evolve(SCHEDULE, **schedule)
    return [(finding.what, finding.key) for finding in check_operation(trial)]


async def test_schedule_without_operators_has_no_finding(trial: Trial) -> None:
    assert _found(trial) == []


async def _changes(trial: Trial) -> Sequence[PayoutChange]:
    journal = InlineJournal(trial.folder / "payouts.db")
    changes = await journal.changes(0, 100)
    await journal.aclose()
    return changes


async def _departures(trial: Trial) -> list[int]:
    """Return the positions of the departures."""
    return [each.position for each in await _changes(trial) if each.state is PayoutState.SENDING]


async def test_departure_in_a_pause_is_found_by_its_position(trial: Trial) -> None:
    first, _ = await _departures(trial)
    record(trial.folder, PAUSED, first=first - 1, last=first, begun=0.0, ended=0.0)
    assert _found(trial) == [("paused", "first")]


async def test_pause_between_two_departures_is_no_finding(trial: Trial) -> None:
    first, second = await _departures(trial)
    record(trial.folder, PAUSED, first=first, last=second - 1, begun=0.0, ended=0.0)
    assert _found(trial) == []


async def test_arrival_in_a_pause_is_found_by_its_time(trial: Trial) -> None:
    at = trial.ledger[0].at.timestamp()
    record(trial.folder, PAUSED, first=0, last=0, begun=at - 1, ended=at + 1)
    assert ("paused", "first") in _found(trial)


async def test_arrival_of_a_copy_that_departed_before_the_pause_is_no_finding(trial: Trial) -> None:
    at = trial.ledger[0].at.timestamp()
    first, _ = await _departures(trial)
    record(trial.folder, PAUSED, first=first, last=first, begun=at - 0.001, ended=at + 0.001)
    assert _found(trial) == []


async def test_limit_that_is_exceeded_is_found(trial: Trial) -> None:
    assert _found(trial, per_day="26") == [("exceeded", "")]
    assert _found(trial, per_day="27") == []


async def test_payouts_of_the_audit_do_not_count_for_a_limit(trial: Trial) -> None:
    trial.before_audit = 1
    assert _found(trial, per_day="13") == []


async def test_missed_repeated_and_reordered_changes_are_found(trial: Trial) -> None:
    lines = [
        {"position": each.position, "key": each.key, "previous": each.previous, "state": each.state}
        for each in await _changes(trial)
    ]
    for name, received in {
        "all": lines,
        "missed": lines[1:],
        "repeated": [lines[0], *lines],
        "reordered": [lines[1], lines[0], *lines[2:]],
    }.items():
        (trial.folder / CHANGES).unlink(missing_ok=True)
        for line in received:
            record(trial.folder, CHANGES, **line)
        assert bool(_found(trial, follower_kills=())) == (name != "all"), name
    assert _found(trial) == []


async def test_jammed_and_lost_payouts_are_found(trial: Trial) -> None:
    record(trial.folder, ENQUEUED, key="first")
    assert _found(trial) == []
    record(trial.folder, ENQUEUED, key="lost")
    record(trial.folder, JAMMED, key="second")
    assert _found(trial) == [("jammed", "second"), ("jammed", "lost")]
