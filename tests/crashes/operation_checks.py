"""Checks of what operators and followers rely on: pauses, limits, changes, and that nothing stays queued for ever."""

from __future__ import annotations

import contextlib
import sqlite3
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from findings import Finding
from operators import CHANGES, JAMMED, PAUSED
from records import read
from service import ENQUEUED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness import Trial

__all__ = ["check_operation"]

_LIMITED = "USDT"


def check_operation(trial: Trial) -> list[Finding]:
    """Return the findings about the operation of `Payouts`.

    - *jammed*: a payout that was enqueued, and that a service without faults did not send, although it waits for no
      decision. A key for which `enqueue` has returned, and that the journal lacks.
    - *paused*: a copy that departed between the return of `pause` and the call of `resume`: by the positions of the
      journal, or by the exchange's ledger.
    - *exceeded*: payouts in the ledger that exceed a limit.
    - *changes*: changes that a follower has missed, received twice or received in another order than they were made.
    """
    history = _history(trial)
    found = [*_jams(trial, history), *_departures_in_pauses(trial, history)]
    found += [*_exceeded(trial), *_missed_changes(trial, history)]
    return [Finding(what, trial.schedule.seed, key, detail) for what, key, detail in found]


def _history(trial: Trial) -> list[dict[str, Any]]:
    """Return the changes of all payouts, as they are in the journal's file."""
    columns = "position", "key", "previous", "state"
    with contextlib.closing(sqlite3.connect(trial.folder / "payouts.db")) as connection:
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM history ORDER BY position")  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in rows]


def _jams(trial: Trial, history: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for each in read(trial.folder, JAMMED):
        yield "jammed", each["key"], "waits for no decision"
    for key in {each["key"] for each in read(trial.folder, ENQUEUED)} - {each["key"] for each in history}:
        yield "jammed", key, "is not in the journal, although enqueue has returned"


def _departures_in_pauses(trial: Trial, history: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    departures = [each for each in history if each["state"] == "sending"]
    keys = {invoice.address: invoice.key for invoice in trial.schedule.invoices}
    for pause in read(trial.folder, PAUSED):
        for each in departures:
            if pause["first"] < each["position"] <= pause["last"]:
                yield "paused", each["key"], f"departed at {each['position']}, within {pause}"
        for entry in trial.ledger:
            key = keys.get(entry.address)
            is_within = pause["begun"] <= entry.at.timestamp() <= pause["ended"]
            if entry.kind != "created" or key is None or not is_within:
                continue
            if not any(each["key"] == key and each["position"] <= pause["first"] for each in departures):
                yield "paused", key, f"arrived at {entry.at}, within {pause}"


def _exceeded(trial: Trial) -> Iterator[tuple[str, str, str]]:
    """Yield a limit that the payouts before the audit exceed: the schedule is shorter than a day."""
    if trial.schedule.per_day is None:
        return
    invoices = (*trial.schedule.invoices, *filter(None, [trial.schedule.earlier]))
    addresses = {invoice.address for invoice in invoices}
    created = [
        entry
        for entry in trial.ledger[: trial.before_audit]
        if entry.kind == "created" and entry.currency == _LIMITED and entry.address in addresses
    ]
    total = sum((entry.amount for entry in created), Decimal())
    if total > Decimal(trial.schedule.per_day):
        yield "exceeded", "", f"{total} of {trial.schedule.per_day}"


def _missed_changes(trial: Trial, history: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    if trial.schedule.follower_kills is None:
        return
    received = read(trial.folder, CHANGES)
    if received != history:
        yield "changes", "", f"received {received}, and made were {history}"
    for key in {each["key"] for each in history}:
        states = [None, *(each["state"] for each in received if each["key"] == key)]
        previous = [each["previous"] for each in received if each["key"] == key]
        if any(before != said for (before, _), said in zip(pairwise(states), previous, strict=True)):
            yield "changes", key, f"{states} do not follow from {previous}"
