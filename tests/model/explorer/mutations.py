"""Mutations: deliberate breaks of the library, each of which the exploration must find.

A mutation replaces one function of the library while it explores. Its setup is one in which the unbroken library keeps
the property.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any, Final
from unittest import mock

import attrs

from explorer.properties import ASKED, LIMIT, ONCE, OWN, PAUSED, SERIAL, TRUE
from explorer.search import NO_REST, Violation, explore
from explorer.setup import Setup
from upbit_async.payouts import (
    AmountLimit,
    Evidence,
    Payout,
    PayoutState,
    decision,
    recording,
    settling,
    transitions,
    unowned,
)
from upbit_async.payouts import snapshot as snapshots
from upbit_async.payouts.decision import DeclareNotSent
from upbit_async.payouts.departure import departed_lately
from upbit_async.payouts.memory import journal as memory_journal
from upbit_async.payouts.memory.table import PayoutTable
from upbit_async.payouts.row_mac import RowAuthenticator
from upbit_async.payouts.send_attempt import SendAttempt
from upbit_async.payouts.snapshot import SnapshotReader
from upbit_async.payouts.unowned import UnownedCheck

__all__ = ["MUTATIONS", "Mutation"]


@attrs.frozen
class Mutation:
    """A deliberate break.

    Attributes:
        breaks: The property that it breaks.
        setup: Setup in which it is found, and in which the unbroken library keeps the property.
        patch: Returns a context manager that replaces one function.
    """

    breaks: str
    setup: Setup
    patch: Callable[[], AbstractContextManager[Any]]

    def found(self) -> Violation | None:
        """Return the shortest way on which the broken library violates the property; None if there is none."""
        with self.patch():
            exploration = explore(
                self.setup,
                until=lambda violation: violation.problem == self.breaks,
                checks_rest=self.breaks == NO_REST,
            )
        return next((each for each in exploration.violations if each.problem == self.breaks), None)


def _with_new_nonce(
    payout: Payout, lease: Any, now: Any, signing_record: Any = None, _real: Any = transitions.departing_again
) -> Payout:
    again: Payout = _real(payout, lease, now, signing_record)
    signing = attrs.evolve(again.required_request.signing, nonce=f"{payout.key}-another")
    return attrs.evolve(again, sent_request=attrs.evolve(again.required_request, signing=signing))


def _settling_from_departure(payout: Payout, now: Any, _real: Any = transitions.expired) -> Payout | None:
    over: Payout | None = _real(payout, now)
    if over is None or over.state is not PayoutState.UNKNOWN or payout.state is PayoutState.UNKNOWN:
        return over
    sent_request = attrs.evolve(over.required_request, lost_at=over.required_request.left_at)
    return attrs.evolve(over, sent_request=sent_request)


def _lost_is_unsent(payout: Payout, error: Any, *, lease_holder: str, now: Any) -> Payout | None:
    return transitions.reverted(payout, lease_holder=lease_holder, why=error, now=now)


def _crash_is_unsent(payout: Payout, now: Any, _real: Any = transitions.expired) -> Payout | None:
    over: Payout | None = _real(payout, now)
    if over is None or over.state is not PayoutState.UNKNOWN or payout.state is not PayoutState.SENDING:
        return over
    owner = payout.required_request.owner
    return transitions.reverted(payout, lease_holder=owner, why="the process has crashed", now=now)


async def _always_may_send(self: Any, _real: Any = SendAttempt.may_send) -> bool:
    await _real(self)
    self._may_have_left = True
    return True


async def _swapping_without_comparing(
    self: Any,
    old: Payout,
    new: Payout,
    conditions: Any,
    _real: Any = memory_journal.MemoryJournal.compare_and_swap,
) -> Any:
    known = await self.get(old.key)
    return await _real(self, attrs.evolve(old, revision=known.revision), new, conditions)


def _narrowly_not_sent(_payout: Payout, _unowned: Any, _owners: Any, _seen: Any, _convention: Any) -> Any:
    return DeclareNotSent()


def _owner_of_uuid_only(self: Any, changed: Payout, *, departs: bool) -> Payout | None:
    owner = None if changed.uuid is None else self.owners.get(changed.uuid)
    return self.payouts[owner] if owner not in {None, changed.key} else None


async def _retry_without_finding(
    repository: Any, payout: Payout, decision: Any, *, new_nonce: bool, _real: Any = recording.retry
) -> Any:
    return await _real(
        repository, attrs.evolve(payout, evidence=Evidence.MANUAL), decision, new_nonce=new_nonce
    )


def _only_accepted_counts(other: Payout, now: Any, _real: Any = departed_lately) -> bool:
    return other.state is PayoutState.ACCEPTED and _real(other, now)


async def _taking_baseline_within_limit(
    self: Any, payout: Payout, *, _real: Any = UnownedCheck.check_and_take_baseline, **options: Any
) -> Any:
    baseline = await _real(self, payout, **options)
    related = await self._repository.journal.related(payout.criteria.currency, baseline.uuids)
    sent = (each for each in related.payouts if each.key != payout.key and each.sent_request is not None)
    _PER_DAY.check_day(payout, sum((each.criteria.amount for each in sent), Decimal()))
    return baseline


@contextmanager
def _checking_limits_early() -> Generator[None]:
    with (
        mock.patch.object(UnownedCheck, "check_and_take_baseline", _taking_baseline_within_limit),
        mock.patch.object(memory_journal, "check_amounts", _always(None)),
    ):
        yield


def _newest_row(_self: Any, listing: Any) -> Any:
    return max((row.created_at for row in listing.rows), default=None)


def _over_everything(rows: Any, mark: Any, _accounted: Any, **times: Any) -> Any:
    return _real_new_mark(rows, mark, frozenset(row.uuid for row in rows), **times)


_real_new_mark = snapshots.new_mark
_PER_DAY: Final = AmountLimit("USDT", per_day="20")


def _always(value: object) -> Callable[..., object]:
    def same(*_: object, **__: object) -> object:
        return value

    return same


def _replacing(owner: Any, name: str, replacement: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: mock.patch.object(owner, name, replacement)


MUTATIONS: Final = {
    "a further copy gets another nonce": Mutation(
        ONCE,
        Setup(copies=2, decisions=1, false={"L"}),
        _replacing(transitions, "departing_again", _with_new_nonce),
    ),
    "settling begins at the departure": Mutation(
        TRUE, Setup(crashes=1), _replacing(transitions, "expired", _settling_from_departure)
    ),
    "settling takes no time": Mutation(
        TRUE, Setup(), _replacing(settling, "remaining_settling_time", _always(0.0))
    ),
    "a lost answer counts as an unsent request": Mutation(
        ONCE, Setup(copies=2), _replacing(transitions, "lost", _lost_is_unsent)
    ),
    "a crash counts as an unsent request": Mutation(
        ONCE, Setup(copies=2, crashes=1), _replacing(transitions, "expired", _crash_is_unsent)
    ),
    "the journal is not read before the first byte": Mutation(
        TRUE, Setup(processes=2, reads_at_once=True), _replacing(SendAttempt, "may_send", _always_may_send)
    ),
    "a baseline is used however old it is": Mutation(
        OWN, Setup(foreign=1), _replacing(SendAttempt, "_check_time", _always(None))
    ),
    "a lease never ends": Mutation(
        NO_REST, Setup(crashes=1), _replacing(transitions, "lease_is_over", _always(False))
    ),
    "a swap does not compare": Mutation(
        ONCE,
        Setup(copies=2, processes=2, reads_at_once=True),
        _replacing(memory_journal.MemoryJournal, "compare_and_swap", _swapping_without_comparing),
    ),
    "equal payouts are sent at once": Mutation(
        SERIAL,
        Setup(amounts=("13", "13"), processes=2, reads_at_once=True),
        _replacing(PayoutTable, "conflicting", _owner_of_uuid_only),
    ),
    "a payout that was not sent claims nothing": Mutation(
        OWN,
        Setup(amounts=("13", "13"), reads_at_once=True, false={"L"}),
        _replacing(decision, "may_turn_up", _always(False)),
    ),
    "a payout that no withdrawal fits exactly was not sent": Mutation(
        TRUE, Setup(shows_net=True), _replacing(decision, "_for_none", _narrowly_not_sent)
    ),
    "the mark reaches the newest withdrawal": Mutation(
        TRUE,
        Setup(amounts=("13", "20"), reconciles=True, reads_at_once=True),
        _replacing(SnapshotReader, "settled_until", _newest_row),
    ),
    "the mark passes what is not accounted for": Mutation(
        TRUE,
        Setup(amounts=("13", "20"), reads_at_once=True),
        _replacing(snapshots, "new_mark", _over_everything),
    ),
    "unowned withdrawals block nothing": Mutation(
        ONCE,
        Setup(copies=2, restores=1, restores_quietly=True, false={"D"}),
        _replacing(unowned, "could_be", _always(False)),
    ),
    "a new nonce needs no finding": Mutation(
        ONCE,
        Setup(copies=2, decisions=1, false={"L"}),
        _replacing(recording, "retry", _retry_without_finding),
    ),
    "a finding about one payout acknowledges the candidate of another": Mutation(
        TRUE,
        Setup(amounts=("13", "13"), decisions=1, decides=("resolve_as_not_sent",), reads_at_once=True),
        _replacing(recording, "_open_candidates", _always(())),
    ),
    "the MAC is not compared": Mutation(
        ASKED, Setup(tampers=1), _replacing(RowAuthenticator, "verifies", _always(True))
    ),
    "a payout on its way does not count for the limit": Mutation(
        LIMIT,
        Setup(amounts=("13", "14"), processes=2, per_day="20", reads_at_once=True),
        _replacing(memory_journal, "departed_lately", _only_accepted_counts),
    ),
    "the limit is checked before the transaction": Mutation(
        LIMIT,
        Setup(amounts=("13", "14"), processes=2, per_day="20", reads_at_once=True),
        _checking_limits_early,
    ),
    "the pause is not checked in the transaction": Mutation(
        PAUSED, Setup(pauses=1), _replacing(memory_journal, "is_departure", _always(False))
    ),
}
"""All mutations, by what they break in the code."""
