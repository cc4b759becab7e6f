"""Judge of a simulation: compares what the service says with the exchange's ledger, which shows each destination."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import attrs
from ambiguity import is_unambiguous
from determinism import START, time_of_day
from rest import is_at_rest
from trial import STRANGER

from upbit_async.payouts import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from scenario import Order
    from shared_journal import Commit
    from trial import Trial

    from upbit_async.sandbox import LedgerEntry

__all__ = ["HARMLESS", "Verdict", "judge"]

HARMLESS: Final = frozenset({"review", "fee unknown", "untrue", "unambiguous"})
"""Findings that are counted, and are no failures."""

_ENDED: Final = {
    PayoutState.DONE: "settled",
    PayoutState.FAILED: "released",
    PayoutState.CANCELLED: "released",
    PayoutState.REJECTED: "released",
}
_DENIALS: Final = frozenset({PayoutState.NOT_SENT, PayoutState.DECLINED, PayoutState.ABANDONED})
_IDENTIFIED: Final = frozenset({PayoutState.ACCEPTED, *_ENDED})
_LIMITED: Final = "USDT"


@attrs.frozen
class Verdict:
    """One finding about a simulation.

    Attributes:
        what: Kind of the finding; see `judge`.
        seed: Seed of the scenario.
        key: Key of the payment; empty if it concerns none.
        detail: Facts, as text for people.
    """

    what: str
    seed: int
    key: str
    detail: str


def judge(trial: Trial) -> list[Verdict]:
    """Return the findings about a simulation.

    - *doubled*: more withdrawals for a key than one, and one for each new nonce that a person's false finding allowed.
    - *forgotten*: a payout that is not at rest although nothing was wrong for some time. A withdrawal that belongs to
      no payout and is not reported.
    - *reported wrongly*: ``not_sent``, ``declined`` or ``abandoned`` without candidates, although the ledger had the
      withdrawal, or got it by a copy that had departed before. An ended payout with a withdrawal that is not its own.
    - *untrue*: the former of these, if an assumption that ``not_sent`` rests on does not hold.
    - *unrecorded*: a payment that arrived without a departure in the journal.
    - *paused*: a departure between the return of `pause` and the call of `resume`.
    - *exceeded*: payouts in the ledger that exceed a limit.
    - *changes*: changes that a follower has missed, or received twice or in another order.
    - *jammed*: a payout that is not final when people have done for long what the library advises.
    - *failure*: an exception that nothing caught.
    - *review*: a payout that needs review. *unambiguous*: one of these, although list and journal leave one outcome.
      *fee unknown*: likewise, but no answer had shown whether amounts include the fee.

    Args:
        trial: What has happened.
    """
    seed = trial.scenario.seed
    found: list[Verdict] = [Verdict("failure", seed, "", each) for each in trial.failures]
    for order in trial.scenario.orders:
        mine = [entry for entry in trial.ledger if entry.address == order.address]
        checks = (_doubled, _forgotten, _reported_wrongly, _unrecorded, _jammed, _reviews)
        found += [
            Verdict(what, seed, order.key, detail)
            for check in checks
            for what, detail in check(trial, order, mine)
        ]
    for what, detail in (*_strangers(trial), *_paused(trial), *_exceeded(trial), *_changes(trial)):
        found.append(Verdict(what, seed, "", detail))
    return found


def _created(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    return [entry for entry in entries if entry.kind == "created"]


def _doubled(trial: Trial, order: Order, mine: Sequence[LedgerEntry]) -> Iterator[tuple[str, str]]:
    made = len(_created(mine))
    allowed = 1 + min(trial.misjudged[order.key], trial.renewed[order.key])
    if made > allowed:
        yield "doubled", f"{made} withdrawals"


def _forgotten(trial: Trial, order: Order, mine: Sequence[LedgerEntry]) -> Iterator[tuple[str, str]]:
    payout = trial.rest.payouts.get(order.key)
    if payout is None or payout.state is PayoutState.PLANNED:
        if order.key not in trial.rest.waiting:
            yield "forgotten", "its user has requested it in vain"
    elif not is_at_rest(payout, trial.rest.payouts):
        yield "forgotten", f"it is {payout.state}: {payout.reason}"
    made = {entry.uuid for entry in _created(mine) if entry in trial.ledger[: trial.rest.entries]}
    is_in_review = payout is not None and payout.state is PayoutState.NEEDS_REVIEW
    if not is_in_review and not made <= trial.rest.accounted:
        yield (
            "forgotten",
            f"withdrawals {made - trial.rest.accounted} belong to no payout and are not reported",
        )


def _strangers(trial: Trial) -> Iterator[tuple[str, str]]:
    """Yield withdrawals on the website that are not reported. The mark may have passed those of a list that lags."""
    if trial.broken & {"L", "O"}:
        return
    for entry in _created(trial.ledger[: trial.rest.entries]):
        if entry.address == STRANGER and entry.uuid not in trial.rest.accounted:
            yield "forgotten", f"withdrawal {entry.uuid} on the website is not reported"


def _reported_wrongly(trial: Trial, order: Order, mine: Sequence[LedgerEntry]) -> Iterator[tuple[str, str]]:
    created = [_seconds(entry.at) for entry in _created(mine)]
    commits = [each for each in trial.commits if each.after.key == order.key]
    departures = [each.at for each in commits if each.departs]
    for commit in commits:
        if _denies(commit) and any(_contradicts(at, commit.at, departures) for at in created):
            is_certain = not trial.broken or commit.after.state is PayoutState.DECLINED
            yield (
                "reported wrongly" if is_certain else "untrue",
                f"{commit.after.state} at {commit.at:.3f}: {commit.after.reason}; created at {created}",
            )
    for payout in (trial.rest.payouts.get(order.key), trial.at_end.get(order.key)):
        if payout is not None and payout.state in _ENDED and not _is_true(payout, trial, mine):
            yield "reported wrongly", f"it is {payout.state} with {payout.uuid} by {payout.evidence}"


def _denies(commit: Commit) -> bool:
    after, before = commit.after, commit.before
    if after.state not in _DENIALS or (before is not None and before.state is after.state):
        return False
    return after.state is not PayoutState.ABANDONED or not after.candidates


def _contradicts(created: float, denied: float, departures: Sequence[float]) -> bool:
    """Return whether a withdrawal existed when it was denied, or was made later by a copy that had left before."""
    return created <= denied or not any(denied <= departure <= created for departure in departures)


def _is_true(payout: Payout, trial: Trial, mine: Sequence[LedgerEntry]) -> bool:
    if "TRUTH" in trial.broken:
        return True
    if payout.uuid in {entry.uuid for entry in mine if entry.kind == _ENDED[payout.state]}:
        return True
    # Nothing that Upbit shows tells an equal withdrawal on the website apart; the documentation says so.
    strangers = {entry.uuid: _seconds(entry.at) for entry in trial.ledger if entry.address == STRANGER}
    made_at = strangers.get(payout.uuid or "")
    return payout.evidence is Evidence.MATCH and made_at is not None and made_at <= _judged_at(payout, trial)


def _judged_at(payout: Payout, trial: Trial) -> float:
    """Return when the outcome of a payout's last copy was first judged: no later withdrawal can be its own."""
    commits = [each for each in trial.commits if each.after.key == payout.key]
    departed = max(number for number, each in enumerate(commits) if each.departs)
    return next(each.at for each in commits[departed:] if not each.after.state.is_under_way)


def _unrecorded(trial: Trial, order: Order, mine: Sequence[LedgerEntry]) -> Iterator[tuple[str, str]]:
    del mine
    arrivals = sum(each.key == order.key for each in trial.arrivals)
    departures = sum(each.departs and each.after.key == order.key for each in trial.commits)
    if arrivals > departures:
        yield "unrecorded", f"{arrivals} requests arrived, and {departures} departed"


def _jammed(trial: Trial, order: Order, mine: Sequence[LedgerEntry]) -> Iterator[tuple[str, str]]:
    del mine
    payout = trial.at_end.get(order.key)
    if payout is None or payout.is_open:
        yield "jammed", "not in the journal" if payout is None else f"it is {payout.state}: {payout.reason}"


def _paused(trial: Trial) -> Iterator[tuple[str, str]]:
    for commit in trial.commits:
        if commit.departs and commit.is_paused:
            yield "paused", f"{commit.after.key} departed at {commit.at:.3f}"


def _exceeded(trial: Trial) -> Iterator[tuple[str, str]]:
    limit = trial.scenario.per_day
    if limit is None or "TRUTH" in trial.broken:
        return
    addresses = {order.address for order in trial.scenario.orders if order.currency == _LIMITED}
    entries = _created(trial.ledger[: trial.rest.entries])
    total = sum((entry.amount for entry in entries if entry.address in addresses), Decimal())
    if total > Decimal(limit):
        yield "exceeded", f"{total} of {limit}"


def _changes(trial: Trial) -> Iterator[tuple[str, str]]:
    if trial.received is None:
        return
    if list(trial.received) != list(trial.changes):
        yield "changes", f"received {trial.received}, and made were {trial.changes}"
    for key in {each.key for each in trial.changes}:
        own = [each for each in trial.received if each.key == key]
        if any(before.state is not after.previous for before, after in pairwise(own)):
            yield "changes", f"{key}: {own} do not follow from each other"


# -- reviews ---------------------------------------------------------------------------------------


def _reviews(trial: Trial, order: Order, mine: Sequence[LedgerEntry]) -> Iterator[tuple[str, str]]:
    del mine
    payout = trial.rest.payouts.get(order.key)
    if payout is None or payout.state is not PayoutState.NEEDS_REVIEW:
        return
    yield "review", payout.reason
    scenario = trial.scenario
    if trial.broken or scenario.strangers or scenario.rotation is not None:
        return
    payouts = {each.key: _with_true_times(each, trial) for each in trial.rest.payouts.values()}
    rows = _created(trial.ledger[: trial.rest.entries])
    if is_unambiguous(payouts[order.key], list(payouts.values()), rows, scenario.knobs):
        what = "unambiguous" if _was_fee_known(payouts, payouts[order.key]) else "fee unknown"
        yield what, payout.reason


def _with_true_times(payout: Payout, trial: Trial) -> Payout:
    """Return a payout with the true times in its history: the workers' clocks may be wrong."""
    times: list[dt.datetime] = []
    for commit in trial.commits:
        if commit.after.key == payout.key:
            times += [time_of_day(commit.at)] * (len(commit.after.history) - len(times))
    steps = [attrs.evolve(step, at=at) for step, at in zip(payout.history, times, strict=False)]
    return attrs.evolve(payout, history=tuple(steps))


def _was_fee_known(payouts: Mapping[str, Payout], payout: Payout) -> bool:
    """Return whether an answer had shown the fee's side when a payout was put into review."""
    reviewed_at = max(step.at for step in payout.history if step.state is PayoutState.NEEDS_REVIEW)
    return any(
        other.evidence is Evidence.ANSWER
        and other.record is not None
        and other.record.fee
        and min(step.at for step in other.history if step.state in _IDENTIFIED) <= reviewed_at
        for other in payouts.values()
        if other.uuid is not None and other.key != payout.key and other.state in _IDENTIFIED
    )


def _seconds(at: dt.datetime) -> float:
    return (at - START).total_seconds()
