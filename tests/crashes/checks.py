"""Checks the outcome of a schedule against the exchange's ledger, which shows each withdrawal's destination."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import attrs
from ambiguity import is_unambiguous
from findings import Finding
from harness import STRANGER
from naive_client import read_paid
from operation_checks import check_operation
from operators import BLOCKED
from records import read
from schedules import SKEW

from upbit_async.errors import PayoutBlocked
from upbit_async.payouts import Evidence, Payout, PayoutState
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import Trial
    from schedules import Invoice

    from upbit_async.sandbox import LedgerEntry

__all__ = ["check", "check_naive"]

_IDENTIFIED = {PayoutState.ACCEPTED, *(state for state in PayoutState if state.is_final)} - {
    PayoutState.DECLINED
}
_ENDED_WITHOUT_PAY = {PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED}


def check(trial: Trial) -> list[Finding]:
    """Return the findings about `Payouts`.

    - *doubled*: the ledger has two withdrawals to the address of one key.
    - *forgotten*: a key that the journal lacks, or that is neither final nor in review at the end. A payout that is
      open and not listed as open. A withdrawal that no payout has, that is no open payout's candidate, and that is not
      recorded as unowned, unless its key's payout is in review.
    - *wrong*: a payout that is ``done`` with a withdrawal that the ledger does not show as settled to that key's
      address; likewise the other final states. A payout that is ``declined`` although the ledger has a withdrawal of
      it. A payout that was called ``not_sent``, or abandoned, after the ledger had a withdrawal of it.
    - *untrue*: the last of these, where the schedule breaks the assumptions that ``not_sent`` rests on.
    - *abandoned*: a payout that was abandoned. It is neither paid nor forgotten. *sent*: one of these of which a copy
      was sent.
    - *review*: a payout that needs review at the end. *held up*: a payout that waits for an equal one in review, or
      for a withdrawal that may be it, and says so (`PayoutBlocked`). It is neither sent nor forgotten.
    - *unambiguous*: a payout that needs review although Upbit's list leaves only one possibility; see
      `is_unambiguous`. Not counted where the schedule breaks assumptions: there the list was wrong.
    - *fee unknown*: the same, but before any answer has shown whether amounts include the fee. A client that can't
      exclude withdrawals made elsewhere must not guess that.
    """
    journal = _read(trial)
    created = [entry for entry in trial.ledger if entry.kind == "created"]
    findings = [*_failures(trial), *_doubled(trial, created)]
    for invoice in _all_invoices(trial):
        found = _check_one(invoice, journal, trial)
        findings += [Finding(what, trial.schedule.seed, invoice.key, detail) for what, detail in found]
    return [*findings, *_strangers(trial, journal), *check_operation(trial)]


@attrs.frozen
class _Block:
    """What blocks a payment: another payout, or withdrawals that no payout owns."""

    by_key: str | None
    uuids: Collection[str]


@attrs.frozen
class _JournalContent:
    """Content of the journal at the end.

    Attributes:
        payouts: The payouts by key, with corrected times in their histories.
        blocked: What blocks the payments that the auditor could not send, by key.
        listed: The keys that the journal lists as open.
        unowned: The withdrawals that the journal has stored as unowned.
    """

    payouts: Mapping[str, Payout | None]
    blocked: Mapping[str, _Block]
    listed: Collection[str]
    unowned: Collection[str]

    @property
    def accounted(self) -> set[str]:
        """The withdrawals that belong to a payout, or are reported."""
        known = [each for each in self.payouts.values() if each is not None]
        owned = {each.uuid for each in known if each.uuid is not None}
        reported = {uuid for each in known if each.is_open for uuid in each.candidates}
        return owned | reported | {*self.unowned}


def _read(trial: Trial) -> _JournalContent:
    store = Store(str(trial.folder / "payouts.db"), 1.0)
    start = min((entry.at for entry in trial.ledger), default=dt.datetime.now(dt.UTC))
    try:
        payouts = {invoice.key: store.get(invoice.key) for invoice in _all_invoices(trial)}
        unowned = {row.uuid for currency in ("USDT", "BTC") for row in store.related(currency, ()).unowned}
        listed = frozenset(store.open_keys())
    finally:
        store.close()
    corrected = {key: None if each is None else _corrected(each, start) for key, each in payouts.items()}
    blocked = {each["key"]: _Block(each["by_key"], each["uuids"]) for each in read(trial.folder, BLOCKED)}
    return _JournalContent(corrected, blocked, listed, unowned)


def _corrected(payout: Payout, start: dt.datetime) -> Payout:
    """Return a payout with the true times in its history: the processes' clocks were wrong by multiples of `SKEW`."""
    skew = dt.timedelta(seconds=SKEW)
    steps = [
        attrs.evolve(step, at=step.at - round((step.at - start) / skew) * skew) for step in payout.history
    ]
    return attrs.evolve(payout, history=tuple(steps))


def _all_invoices(trial: Trial) -> list[Invoice]:
    schedule = trial.schedule
    return [*schedule.invoices, *schedule.later, *filter(None, [schedule.earlier])]


def check_naive(trial: Trial) -> list[Finding]:
    """Return the findings about a back end that keeps a list of paid invoices in a file.

    - *doubled*: as in `check`.
    - *forgotten*: an invoice that is not recorded as paid at the end.
    - *wrong*: an invoice that is recorded as paid, and of which the ledger has no withdrawal.
    """
    created = [entry for entry in trial.ledger if entry.kind == "created"]
    findings = [*_failures(trial), *_doubled(trial, created)]
    paid = set(read_paid(trial.folder))
    addresses = {entry.address for entry in created}
    for invoice in trial.schedule.invoices:
        if invoice.key not in paid:
            findings.append(Finding("forgotten", trial.schedule.seed, invoice.key, "not recorded as paid"))
        elif invoice.address not in addresses:
            findings.append(
                Finding("wrong", trial.schedule.seed, invoice.key, "recorded as paid, and is not")
            )
    return findings


def _failures(trial: Trial) -> list[Finding]:
    return [Finding("failure", trial.schedule.seed, "", failure) for failure in trial.failures]


def _doubled(trial: Trial, created: Sequence[LedgerEntry]) -> list[Finding]:
    counts = Counter(entry.address for entry in created)
    return [
        Finding("doubled", trial.schedule.seed, invoice.key, f"{counts[invoice.address]} withdrawals")
        for invoice in trial.schedule.invoices
        if counts[invoice.address] > 1
    ]


def _strangers(trial: Trial, journal: _JournalContent) -> list[Finding]:
    """Return the withdrawals made elsewhere that the journal does not report.

    If the list lags for longer than the mark trails, the mark may have passed a withdrawal before it was listed.
    """
    if "L" in trial.schedule.broken.split(", "):
        return []
    return [
        Finding(
            "forgotten",
            trial.schedule.seed,
            "",
            f"withdrawal {entry.uuid} of no payout is not recorded as unowned",
        )
        for entry in trial.ledger
        if entry.kind == "created" and entry.address == STRANGER and entry.uuid not in journal.accounted
    ]


def _check_one(invoice: Invoice, journal: _JournalContent, trial: Trial) -> list[tuple[str, str]]:
    payout = journal.payouts[invoice.key]
    if payout is None:
        block = journal.blocked.get(invoice.key)
        is_held_up = block is not None and _holds(block, journal)
        return [("held up" if is_held_up else "forgotten", f"not in the journal, {block}")]
    mine = [entry for entry in trial.ledger if entry.address == invoice.address]
    created = {entry.uuid for entry in mine if entry.kind == "created"}
    broken = trial.schedule.broken
    detail = f"{_history(payout)}; the ledger: {[(entry.kind, entry.uuid) for entry in mine]}"
    detail += f"; {broken or 'nothing'} is false, the machine stalled for {trial.lag:.2f} s"
    found: list[str] = []
    if payout.is_open and payout.key not in journal.listed:
        found.append("forgotten")
    if _was_denied(payout, mine):
        found.append("untrue" if broken else "wrong")
    if payout.state is PayoutState.NEEDS_REVIEW:
        found.append("review")
        if not broken and _is_unambiguous(payout, journal, trial):
            known = _known(journal, trial)
            found.append("unambiguous" if _was_fee_known(known, payout) else "fee unknown")
    elif not payout.state.is_final:
        found.append("held up" if _is_held_up(payout, journal) and not created else "forgotten")
    elif not created <= journal.accounted:
        found.append("forgotten")
    found += _check_end(payout, mine)
    return [(what, detail) for what in found]


def _check_end(payout: Payout, mine: Sequence[LedgerEntry]) -> list[str]:
    """Return the findings about a payout in a final state that the ledger contradicts."""
    if payout.state is PayoutState.ABANDONED:
        return ["abandoned", *([] if payout.sent_request is None else ["sent"])]
    if payout.state is PayoutState.DECLINED:
        return ["wrong"] if mine else []
    if not payout.state.is_final:
        return []
    kind = "released" if payout.state in _ENDED_WITHOUT_PAY else "settled"
    return [] if payout.uuid in {entry.uuid for entry in mine if entry.kind == kind} else ["wrong"]


def _was_denied(payout: Payout, mine: Sequence[LedgerEntry]) -> bool:
    """Return whether it was called not sent, or abandoned, after the ledger had a withdrawal of it."""
    created = [entry.at for entry in mine if entry.kind == "created"]
    denied = [
        step.at for step in payout.history if step.state in {PayoutState.NOT_SENT, PayoutState.ABANDONED}
    ]
    return bool(created and denied) and min(created) < max(denied)


def _is_unambiguous(payout: Payout, journal: _JournalContent, trial: Trial) -> bool:
    rows = [entry for entry in trial.ledger if entry.kind == "created"]
    return is_unambiguous(payout, _known(journal, trial), rows, trial.schedule.knobs)


def _known(journal: _JournalContent, trial: Trial) -> list[Payout]:
    """Return the payouts, without those that were made after all others had ended."""
    late = {invoice.key for invoice in trial.schedule.later}
    return [each for key, each in journal.payouts.items() if each is not None and key not in late]


def _is_held_up(payout: Payout, journal: _JournalContent) -> bool:
    """Return whether a payout waits for a decision: for the review of an equal one, or about a withdrawal."""
    if not (payout.state.may_be_sent or payout.state is PayoutState.NOT_SENT):
        return False
    if isinstance(payout.error, PayoutBlocked):
        return _holds(_Block(payout.error.by_key, payout.error.uuids), journal)
    return any(
        other is not None
        and other.key != payout.key
        and other.state is PayoutState.NEEDS_REVIEW
        and other.criteria == payout.criteria
        for other in journal.payouts.values()
    )


def _holds(block: _Block, journal: _JournalContent) -> bool:
    """Return whether a block is still true at the end."""
    if block.by_key is not None:
        other = journal.payouts.get(block.by_key)
        return other is not None and other.state is PayoutState.NEEDS_REVIEW
    return not any(
        other is not None and other.is_withdrawal(uuid)
        for uuid in block.uuids
        for other in journal.payouts.values()
    )


def _was_fee_known(payouts: Sequence[Payout], payout: Payout) -> bool:
    """Return whether an answer had shown the fee's side when a payout was put into review."""
    reviewed_at = max(step.at for step in payout.history if step.state is PayoutState.NEEDS_REVIEW)
    return any(
        other.evidence is Evidence.ANSWER
        and other.record is not None
        and other.record.fee
        and min(step.at for step in other.history if step.state in _IDENTIFIED) <= reviewed_at
        for other in payouts
        if other.uuid is not None and other.key != payout.key and other.state in _IDENTIFIED
    )


def _history(payout: Payout) -> str:
    start = payout.history[0].at
    steps = (f"{(step.at - start).total_seconds():.2f} {step.state}: {step.note}" for step in payout.history)
    return f"{payout} is {payout.state}, {payout.uuid} by {payout.evidence} [{' | '.join(steps)}]"
