"""Checks of a schedule's outcome against the exchange's ledger."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import attrs
from ambiguity import is_plain
from harness import STRANGER
from naive_client import read_paid
from schedules import SKEW

from upbit_async.errors import PayoutBlocked
from upbit_async.payouts import Evidence, Payout, PayoutState
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import Trial
    from schedules import Invoice

    from upbit_async.sandbox import LedgerEntry

__all__ = ["Finding", "judge", "judge_careless"]

_TAKEN = {PayoutState.ACCEPTED, *(state for state in PayoutState if state.is_final)} - {PayoutState.DECLINED}
_ENDED_WITHOUT_PAY = {PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED}


@attrs.frozen
class Finding:
    """One thing that came of it.

    Attributes:
        what: Which kind: ``doubled``, ``forgotten``, ``wrong``, ``person``, ``plain``, ``unread``, ``held up``,
            ``untrue``, ``abandoned``, ``left``, ``failure``.
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
    - *forgotten*: a key that the journal lacks, or that is neither final nor with a person at the end; one that is open
      and not listed as open; and a withdrawal that no payout has, is no open payout's candidate, and is not noted as
      unowned either, unless its key's payout is with a person.
    - *wrong*: a payout that is ``done`` with a withdrawal that the books do not show as settled, to that key's address;
      likewise the other ends; one that is ``declined`` though the books hold a withdrawal of it; and one that was
      called ``not_sent``, or given up, after the books had a withdrawal of it.
    - *untrue*: the last of these, where the schedule breaks the assumptions that ``not_sent`` rests on.
    - *abandoned*: one that was given up. It is neither paid nor forgotten. *left*: one of these of which a copy had
      left.
    - *person*: a payout that needs a person at the end. *held up*: one that waits behind such a one of its like, or
      behind a withdrawal that may be it, and says so (`PayoutBlocked`); it is neither sent nor forgotten.
    - *plain*: one that needs a person although Upbit's list leaves only one possibility; see `is_plain`. Not counted
      where the schedule breaks assumptions: there a person is needed because the list was wrong.
    - *unread*: the same, but before any answer has told on which side of an amount its fee is. Whoever can't rule
      strangers out must not guess that.
    """
    books = _read(trial)
    created = [entry for entry in trial.ledger if entry.kind == "created"]
    findings = [*_failures(trial), *_doubled(trial, created)]
    for invoice in _all_invoices(trial):
        found = _judge_one(invoice, books, trial)
        findings += [Finding(what, trial.schedule.seed, invoice.key, detail) for what, detail in found]
    return [*findings, *_strangers(trial, books)]


@attrs.frozen
class _Books:
    """What the journal says at the end.

    Attributes:
        payouts: By key; the times in their histories are put right.
        listed: The keys that it lists as open.
        unowned: The withdrawals that it knows to belong to no payout.
    """

    payouts: Mapping[str, Payout | None]
    listed: Collection[str]
    unowned: Collection[str]

    @property
    def accounted(self) -> set[str]:
        """The withdrawals that belong to somebody, or are reported."""
        known = [each for each in self.payouts.values() if each is not None]
        owned = {each.uuid for each in known if each.uuid is not None}
        reported = {uuid for each in known if each.is_open for uuid in each.candidates}
        return owned | reported | {*self.unowned}


def _read(trial: Trial) -> _Books:
    store = Store(str(trial.folder / "payouts.db"), 1.0)
    start = min((entry.at for entry in trial.ledger), default=dt.datetime.now(dt.UTC))
    try:
        payouts = {invoice.key: store.get(invoice.key) for invoice in _all_invoices(trial)}
        unowned = {row.uuid for currency in ("USDT", "BTC") for row in store.related(currency, ()).unowned}
        listed = frozenset(store.open_keys())
    finally:
        store.close()
    put_right = {key: None if each is None else _put_right(each, start) for key, each in payouts.items()}
    return _Books(put_right, listed, unowned)


def _put_right(payout: Payout, start: dt.datetime) -> Payout:
    """Return a payout with the true times in its history; processes had clocks that were wrong by whole skews."""
    skew = dt.timedelta(seconds=SKEW)
    steps = [
        attrs.evolve(step, at=step.at - round((step.at - start) / skew) * skew) for step in payout.history
    ]
    return attrs.evolve(payout, history=tuple(steps))


def _all_invoices(trial: Trial) -> list[Invoice]:
    schedule = trial.schedule
    return [*schedule.invoices, *schedule.later, *filter(None, [schedule.earlier])]


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


def _doubled(trial: Trial, created: Sequence[LedgerEntry]) -> list[Finding]:
    counts = Counter(entry.address for entry in created)
    return [
        Finding("doubled", trial.schedule.seed, invoice.key, f"{counts[invoice.address]} withdrawals")
        for invoice in trial.schedule.invoices
        if counts[invoice.address] > 1
    ]


def _strangers(trial: Trial, books: _Books) -> list[Finding]:
    """Return the withdrawals of people that nobody would learn of.

    If the list lags for longer than the mark trails, the mark may have passed one before it was listed.
    """
    if "L" in trial.schedule.broken.split(", "):
        return []
    return [
        Finding(
            "forgotten", trial.schedule.seed, "", f"withdrawal {entry.uuid} of nobody is not noted as unowned"
        )
        for entry in trial.ledger
        if entry.kind == "created" and entry.address == STRANGER and entry.uuid not in books.accounted
    ]


def _judge_one(invoice: Invoice, books: _Books, trial: Trial) -> list[tuple[str, str]]:
    payout = books.payouts[invoice.key]
    if payout is None:
        return [("forgotten", "not in the journal")]
    mine = [entry for entry in trial.ledger if entry.address == invoice.address]
    created = {entry.uuid for entry in mine if entry.kind == "created"}
    broken = trial.schedule.broken
    told = f"{_story(payout)}; the books: {[(entry.kind, entry.uuid) for entry in mine]}"
    told += f"; {broken or 'nothing'} is false, the machine stood still for {trial.lag:.2f} s"
    found: list[str] = []
    if payout.is_open and payout.key not in books.listed:
        found.append("forgotten")
    if _was_denied(payout, mine):
        found.append("untrue" if broken else "wrong")
    if payout.state is PayoutState.NEEDS_REVIEW:
        found.append("person")
        if not broken and _is_plain(payout, books, trial):
            found.append("plain" if _told_how_to_read(_known(books, trial), payout) else "unread")
    elif not payout.state.is_final:
        found.append("held up" if _is_held_up(payout, books.payouts) and not created else "forgotten")
    elif not created <= books.accounted:
        found.append("forgotten")
    found += _judge_end(payout, mine)
    return [(what, told) for what in found]


def _judge_end(payout: Payout, mine: Sequence[LedgerEntry]) -> list[str]:
    """Judge whether a payout that has ended has ended so by the books."""
    if payout.state is PayoutState.ABANDONED:
        return ["abandoned", *([] if payout.sent_request is None else ["left"])]
    if payout.state is PayoutState.DECLINED:
        return ["wrong"] if mine else []
    if not payout.state.is_final:
        return []
    kind = "released" if payout.state in _ENDED_WITHOUT_PAY else "settled"
    return [] if payout.uuid in {entry.uuid for entry in mine if entry.kind == kind} else ["wrong"]


def _was_denied(payout: Payout, mine: Sequence[LedgerEntry]) -> bool:
    """Whether it was called not sent, or given up, although the books had a withdrawal of it."""
    created = [entry.at for entry in mine if entry.kind == "created"]
    denied = [
        step.at for step in payout.history if step.state in {PayoutState.NOT_SENT, PayoutState.ABANDONED}
    ]
    return bool(created and denied) and min(created) < max(denied)


def _is_plain(payout: Payout, books: _Books, trial: Trial) -> bool:
    rows = [entry for entry in trial.ledger if entry.kind == "created"]
    return is_plain(payout, _known(books, trial), rows, trial.schedule.knobs)


def _known(books: _Books, trial: Trial) -> list[Payout]:
    """Return the payouts, without those that were made when all others had been judged."""
    late = {invoice.key for invoice in trial.schedule.later}
    return [each for key, each in books.payouts.items() if each is not None and key not in late]


def _is_held_up(payout: Payout, payouts: Mapping[str, Payout | None]) -> bool:
    if not (payout.state.may_leave or payout.state is PayoutState.NOT_SENT):
        return False
    return isinstance(payout.error, PayoutBlocked) or any(
        other is not None
        and other.key != payout.key
        and other.state is PayoutState.NEEDS_REVIEW
        and other.criteria == payout.criteria
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
