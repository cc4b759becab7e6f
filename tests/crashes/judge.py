"""What came of a schedule, by the exchange's own books, which know where each withdrawal went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
from careless import read_paid
from stories import is_plain

from upbit_async.payouts import Evidence, Payout, PayoutState
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schedules import Invoice
    from stage import Trial

    from upbit_async.sandbox import Entry

__all__ = ["Finding", "judge", "judge_careless"]

_TAKEN = {PayoutState.ACCEPTED, *(state for state in PayoutState if state.is_final)} - {PayoutState.DECLINED}
_ENDED_WITHOUT_PAY = {PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED}


@attrs.frozen
class Finding:
    """One thing that came of it.

    Attributes:
        what: Which kind: ``doubled``, ``forgotten``, ``wrong``, ``person``, ``plain``, ``unread``, ``held up``,
            ``failure``.
        seed: The schedule.
        key: The payment.
        detail: What there is to see.
    """

    what: str
    seed: int
    key: str
    detail: str


def judge(trial: Trial) -> list[Finding]:
    """Judge `Payouts`.

    - *doubled*: the books hold two withdrawals to the address of one key.
    - *forgotten*: a key that the journal lacks, or that is neither final nor with a person at the end; and a
      withdrawal to a key's address that no payout has, unless that key's payout is with a person.
    - *wrong*: a payout that is ``done`` with a withdrawal that the books do not show as settled, to that key's address;
      likewise the other ends; and one that is ``declined`` though the books hold a withdrawal of it.
    - *person*: a payout that needs a person at the end. *held up*: one that waits behind such a one of its like, and
      says so (`PayoutBlocked`); it is neither sent nor forgotten.
    - *plain*: one that needs a person although Upbit's list leaves only one possibility; see `is_plain`.
    - *unread*: the same, but before any answer has told on which side of an amount its fee is. Whoever can't rule
      strangers out must not guess that.
    """
    store = Store(str(trial.folder / "payouts.db"), 1.0)
    invoices = [*trial.schedule.invoices, *filter(None, [trial.schedule.earlier])]
    try:
        payouts = {invoice.key: store.get(invoice.key) for invoice in invoices}
    finally:
        store.close()
    created = [entry for entry in trial.ledger if entry.kind == "created"]
    findings = [*_failures(trial), *_doubled(trial, created)]
    for invoice in invoices:
        found = _judge_one(invoice, payouts[invoice.key], trial, payouts)
        findings += [Finding(what, trial.schedule.seed, invoice.key, detail) for what, detail in found]
    return findings


def judge_careless(trial: Trial) -> list[Finding]:
    """Judge a back end that keeps a file.

    - *doubled*: as in `judge`.
    - *forgotten*: an invoice that is not noted as paid at the end.
    - *wrong*: one that is noted as paid, and of which the books hold no withdrawal.
    """
    created = [entry for entry in trial.ledger if entry.kind == "created"]
    findings = [*_failures(trial), *_doubled(trial, created)]
    paid = set(read_paid(trial.folder))
    addresses = {entry.address for entry in created}
    for invoice in trial.schedule.invoices:
        if invoice.key not in paid:
            findings.append(Finding("forgotten", trial.schedule.seed, invoice.key, "not noted as paid"))
        elif invoice.address not in addresses:
            findings.append(Finding("wrong", trial.schedule.seed, invoice.key, "noted as paid, and is not"))
    return findings


def _failures(trial: Trial) -> list[Finding]:
    return [Finding("failure", trial.schedule.seed, "", failure) for failure in trial.failures]


def _doubled(trial: Trial, created: Sequence[Entry]) -> list[Finding]:
    counts = Counter(entry.address for entry in created)
    return [
        Finding("doubled", trial.schedule.seed, invoice.key, f"{counts[invoice.address]} withdrawals")
        for invoice in trial.schedule.invoices
        if counts[invoice.address] > 1
    ]


def _judge_one(
    invoice: Invoice, payout: Payout | None, trial: Trial, payouts: Mapping[str, Payout | None]
) -> list[tuple[str, str]]:
    if payout is None:
        return [("forgotten", "not in the journal")]
    mine = [entry for entry in trial.ledger if entry.address == invoice.address]
    created = [entry.uuid for entry in mine if entry.kind == "created"]
    story = f"{_story(payout)}; the books: {[(entry.kind, entry.uuid) for entry in mine]}"
    if payout.state is PayoutState.NEEDS_REVIEW:
        known = [each for each in payouts.values() if each is not None]
        rows = [entry for entry in trial.ledger if entry.kind == "created"]
        plain = is_plain(payout, known, rows, trial.schedule.knobs)
        kind = "plain" if _told_how_to_read(known, payout) else "unread"
        return [("person", story), *([(kind, story)] if plain else [])]
    if not payout.state.is_final:
        return [("held up" if _is_held_up(payout, payouts) and not created else "forgotten", story)]
    owned = {other.uuid for other in payouts.values() if other is not None}
    found: list[tuple[str, str]] = []
    if not set(created) <= owned:
        found.append(("forgotten", story))
    if payout.state is PayoutState.DECLINED:
        return [*found, *([("wrong", story)] if created else [])]
    kind = "released" if payout.state in _ENDED_WITHOUT_PAY else "settled"
    if payout.uuid not in {entry.uuid for entry in mine if entry.kind == kind}:
        found.append(("wrong", story))
    return found


def _is_held_up(payout: Payout, payouts: Mapping[str, Payout | None]) -> bool:
    return payout.state in {PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.NOT_SENT} and any(
        other is not None
        and other.key != payout.key
        and other.state is PayoutState.NEEDS_REVIEW
        and other.kind == payout.kind
        for other in payouts.values()
    )


def _told_how_to_read(payouts: Sequence[Payout], payout: Payout) -> bool:
    """Whether an answer had told how amounts are to be read when a payout went to a person."""
    asked_at = max(step.at for step in payout.history if step.state is PayoutState.NEEDS_REVIEW)
    return any(
        other.evidence is Evidence.ANSWER
        and other.record is not None
        and other.record.fee
        and min(step.at for step in other.history if step.state in _TAKEN) <= asked_at
        for other in payouts
        if other.uuid is not None and other.key != payout.key and other.state in _TAKEN
    )


def _story(payout: Payout) -> str:
    start = payout.history[0].at
    steps = (f"{(step.at - start).total_seconds():.2f} {step.state}: {step.note}" for step in payout.history)
    return f"{payout} is {payout.state}, {payout.uuid} by {payout.evidence} [{' | '.join(steps)}]"
