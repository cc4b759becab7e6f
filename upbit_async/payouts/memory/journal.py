"""`MemoryJournal`: a journal in the memory of one process, for tests and simulations."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections import Counter
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import attrs

from upbit_async.errors import JournalError
from upbit_async.payouts.compacted import can_be_compacted
from upbit_async.payouts.departure import (
    UNCONDITIONAL,
    DepartureConditions,
    DeparturePaused,
    StaleBaseline,
    check_amounts,
    departed_lately,
    departure_time,
    is_departure,
    makes_baseline_stale,
)
from upbit_async.payouts.health import PayoutsHealth
from upbit_async.payouts.journal import (
    RECENT_ANSWERS,
    ConflictingPayout,
    Related,
    StaleRevision,
    given_up,
)
from upbit_async.payouts.journal_time import JournalTime, Now
from upbit_async.payouts.manual import ManualDecision
from upbit_async.payouts.memory.claims import Claims
from upbit_async.payouts.memory.table import PayoutTable
from upbit_async.payouts.memory.withdrawals import UnownedWithdrawals
from upbit_async.payouts.pause import Pause
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from anyio.lowlevel import EventLoopToken

    from upbit_async.models import Withdrawal
    from upbit_async.payouts.changes import PayoutChange
    from upbit_async.payouts.payout_query import PayoutQuery

__all__ = ["MemoryJournal"]


class MemoryJournal:
    """Journal in memory. It forgets everything with its process, so it must never journal real money.

    It behaves like every journal otherwise: what a method has returned from stays, several `Payouts` can share it, and
    it can be used from several threads and event loops. Its clock is the event loop's, so it works in virtual time.

    Example:
        .. code-block:: python

            from upbit_async.payouts import MemoryJournal

            address = "TFakeTronWithdrawAddressFakeFakeFa"
            async with Payouts(sandbox.client(), journal=MemoryJournal()) as payouts:
                payout = await payouts.send(
                    "invoice-42", currency="USDT", net_type="TRX", amount="13", address=address
                )
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._binding: tuple[str, str] | None = None
        self._table = PayoutTable()
        self._claims = Claims()
        self._runner_seen_at: dt.datetime | None = None
        self._reconciled_at: dt.datetime | None = None
        self._pause: Pause | None = None
        self._unowned = UnownedWithdrawals(lambda uuid: uuid.casefold() in self._table.owners)
        self._epochs: dict[EventLoopToken, str] = {}

    async def bind(self, host: str, region: str) -> None:
        """Bind the journal to one host and region; see `Journal.bind`."""
        await _checkpoint()
        with self._lock:
            if self._binding is None:
                self._binding = host, region
            if self._binding != (host, region):
                known_host, known_region = self._binding
                raise JournalError(
                    f"this journal belongs to {known_host} ({known_region}), and the client talks to {host} "
                    f"({region}): give each host and region its own journal"
                )

    async def now(self) -> JournalTime:
        """Return the event loop's time; see `Journal.now`. Readings of two event loops can't be compared."""
        await _checkpoint()
        return self._now()

    # -- payouts -----------------------------------------------------------------------------------

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key exists; see `Journal.add`."""
        await _checkpoint()
        with self._lock:
            known = self._table.payouts.get(payout.key)
            if known is not None:
                return known
            added = payout if payout.revision >= 0 else attrs.evolve(payout, revision=0)
            self._table.store(added, added.history)
            return added

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None; see `Journal.get`."""
        await _checkpoint()
        return self._table.payouts.get(key)

    async def compare_and_swap(
        self, old: Payout, new: Payout, conditions: DepartureConditions = UNCONDITIONAL
    ) -> Payout:
        """Replace a payout by its next revision; see `Journal.compare_and_swap`."""
        await _checkpoint()
        changed = attrs.evolve(new, revision=old.revision + 1)
        with self._lock:
            known = self._table.payouts.get(old.key)
            if (-1 if known is None else known.revision) != old.revision:
                raise StaleRevision
            if known is not None and known.digest:
                raise JournalError(f"{known} is compacted, so it can't change any more")
            departs = is_departure(old, changed)
            if departs and self._pause is not None:
                raise DeparturePaused(ManualDecision(note=self._pause.note, actor=self._pause.actor))
            other = self._table.conflicting(changed, departs=departs)
            if other is not None:
                raise ConflictingPayout(other.key)
            if departs:
                self._check_conditions(changed, conditions)
            self._table.store(changed, changed.history[0 if known is None else len(old.history) :])
            if known is not None and (record := given_up(known, changed)) is not None:
                self._unowned.store([record], changed.updated_at)
            if not changed.is_open:
                self._claims.drop(changed.key)
            return changed

    def _check_conditions(self, departing: Payout, conditions: DepartureConditions) -> None:
        position = conditions.baseline_position
        for other in self._table.equal_to(departing):
            is_newer = position is not None and self._table.has_changed(other, position)
            if is_newer and makes_baseline_stale(other):
                raise StaleBaseline(other.key)
        check_amounts(departing, conditions.amount_limits, lambda: self._departed_lately(departing))

    def _departed_lately(self, departing: Payout) -> Decimal:
        """Return the sum of the other payouts that count for a limit per day."""
        now, currency = departure_time(departing), departing.criteria.currency
        others = (each for each in self._table.kept() if each.key != departing.key)
        counted = (each.criteria for each in others if departed_lately(each, now))
        return sum((each.amount for each in counted if each.currency == currency), Decimal())

    # -- queries -----------------------------------------------------------------------------------

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all open payouts, and of abandoned ones of which a copy was recorded."""
        await _checkpoint()
        with self._lock:
            return [
                payout.key
                for payout in self._table.kept()
                if payout.is_open or (payout.may_be_unseen and payout.state is PayoutState.ABANDONED)
            ]

    async def select(self, query: PayoutQuery) -> Sequence[Payout]:
        """Return the payouts of a selection; see `Journal.select`."""
        await _checkpoint()
        with self._lock:
            newest_first = sorted(self._table.payouts.values(), key=lambda each: each.created_at)[::-1]
            if query.before_key is not None:
                keys = [each.key for each in newest_first]
                if query.before_key not in keys:
                    raise ValueError(f"before_key must be the key of a payout, got {query.before_key!r}")
                del newest_first[: keys.index(query.before_key) + 1]
            return list(
                islice(
                    (each for each in newest_first if not each.digest and query.selects(each)), query.limit
                )
            )

    async def position(self) -> int:
        """Return the position of the newest change; see `Journal.position`."""
        await _checkpoint()
        return self._table.position

    async def changes(self, after: int, limit: int) -> Sequence[PayoutChange]:
        """Return the changes after a position; see `Journal.changes`."""
        await _checkpoint()
        with self._lock:
            return self._table.changes(after, limit)

    async def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known about withdrawals; see `Journal.related`."""
        await _checkpoint()
        wanted = set(uuids)
        with self._lock:
            kept = [each for each in self._table.kept() if each.criteria.currency == currency]
            owners = [
                self._table.payouts[self._table.owners[id_]] for id_ in wanted if id_ in self._table.owners
            ]
            return Related(
                payouts=_without_histories([*owners, *filter(_may_own, kept)]),
                acknowledged=self._unowned.acknowledged(wanted),
                unowned=self._unowned.in_currency(currency),
                matched=_without_histories(filter(_is_matched, kept)),
            )

    async def recent_answered(self) -> Sequence[Payout]:
        """Return the newest payouts that Upbit's answers named; see `Journal.recent_answered`."""
        await _checkpoint()
        with self._lock:
            answered = [
                each
                for each in self._table.kept()
                if each.evidence is Evidence.ANSWER and each.uuid is not None
            ]
        return _without_histories(answered[::-1][:RECENT_ANSWERS])

    async def health(self) -> PayoutsHealth:
        """Return the state of all payouts; see `Journal.health`."""
        await _checkpoint()
        with self._lock:
            oldest: dict[PayoutState, dt.datetime] = {}
            for each in self._table.kept():
                oldest[each.state] = min(each.created_at, oldest.get(each.state, each.created_at))
            return PayoutsHealth(
                journal_ok=True,
                pause=self._pause,
                counts=Counter(each.state for each in self._table.kept()),
                open_abandoned=sum(
                    each.is_open for each in self._table.kept() if each.state is PayoutState.ABANDONED
                ),
                oldest_queued=oldest.get(PayoutState.QUEUED),
                oldest_unknown=oldest.get(PayoutState.UNKNOWN),
                oldest_needs_review=oldest.get(PayoutState.NEEDS_REVIEW),
                runner_seen_at=self._runner_seen_at,
                reconciled_at=self._reconciled_at,
            )

    # -- claims ------------------------------------------------------------------------------------

    async def claim(
        self,
        runner: str,
        *,
        lease: float,
        limit: int,
        states: Collection[PayoutState],
        released: Collection[str] = (),
    ) -> Sequence[Payout]:
        """Claim open payouts for a runner; see `Journal.claim`."""
        await _checkpoint()
        now = self._now()
        with self._lock:
            self._runner_seen_at = dt.datetime.now(dt.UTC)
            self._claims.renew(runner, lease, now)
            self._claims.release(runner, released)
            free = (each for each in self._table.kept() if each.is_open and each.key not in self._claims)
            claimed = list(islice((each for each in free if each.state in states), limit))
            self._claims.add(runner, [each.key for each in claimed])
            return _without_histories(claimed)

    async def retire(self, runner: str) -> None:
        """Release all claims of a runner; see `Journal.retire`."""
        await _checkpoint()
        with self._lock:
            self._claims.retire(runner)

    # -- withdrawals -------------------------------------------------------------------------------

    async def mark(self, currency: str) -> str | None:
        """Return a currency's reconciliation mark; see `Journal.mark`."""
        await _checkpoint()
        return self._unowned.marks.get(currency)

    async def reconcile(
        self,
        currency: str,
        unowned: Sequence[Withdrawal],
        *,
        old_mark: str | None,
        new_mark: str | None,
        at: dt.datetime,
        is_complete: bool = False,
    ) -> None:
        """Store unowned withdrawals and move the mark; see `Journal.reconcile`."""
        await _checkpoint()
        with self._lock:
            self._unowned.store(unowned, at)
            if new_mark is not None and self._unowned.marks.get(currency) == old_mark:
                self._unowned.marks[currency] = new_mark
            if is_complete:
                self._reconciled_at = at

    async def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout; see `Journal.acknowledge`."""
        del currency, decision
        await _checkpoint()
        with self._lock:
            if (by_key := self._table.owners.get(uuid.casefold())) is not None:
                raise ConflictingPayout(by_key)
            self._unowned.acknowledge(uuid, at)

    async def unowned(self) -> Sequence[Withdrawal]:
        """Return all withdrawals that belong to no payout; see `Journal.unowned`."""
        await _checkpoint()
        with self._lock:
            return self._unowned.open()

    async def unreported(self, now: dt.datetime, settling_time: float) -> Sequence[Withdrawal]:
        """Return the unowned withdrawals that were not reported yet; see `Journal.unreported`."""
        await _checkpoint()
        with self._lock:
            return self._unowned.report(now - dt.timedelta(seconds=settling_time))

    # -- operation ---------------------------------------------------------------------------------

    async def pause(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let nothing depart from now on; see `Journal.pause`."""
        await _checkpoint()
        self._pause = Pause(since=at, note=decision.note, actor=decision.actor)

    async def resume(self, decision: ManualDecision, at: dt.datetime) -> None:
        """Let payouts depart again; see `Journal.resume`."""
        del decision, at
        await _checkpoint()
        self._pause = None

    async def pause_in_force(self) -> Pause | None:
        """Return the pause; see `Journal.pause_in_force`."""
        await _checkpoint()
        return self._pause

    async def compact(self, before: dt.datetime, now: dt.datetime) -> int:
        """Compact final payouts; see `Journal.compact`."""
        await _checkpoint()
        present = Now(now, self._now())
        with self._lock:
            old = [each for each in self._table.kept() if can_be_compacted(each, before, present)]
            self._table.compact(old)
            return len(old)

    async def aclose(self) -> None:
        """Do nothing: the journal keeps what it has, and can be used again."""

    def _now(self) -> JournalTime:
        token = anyio.lowlevel.current_token()
        epoch = self._epochs.get(token)
        if epoch is None:  # a name for each reading would cost more than the reading
            with self._lock:
                epoch = self._epochs.setdefault(token, f"memory/{uuid.uuid4()}")
        return JournalTime(anyio.current_time(), epoch)


def _may_own(payout: Payout) -> bool:
    return payout.state.may_have_unknown_withdrawal or payout.may_be_unseen


def _is_matched(payout: Payout) -> bool:
    return payout.evidence is Evidence.MATCH and payout.uuid is not None


def _without_histories(payouts: Iterable[Payout]) -> list[Payout]:
    """Return each payout once, without its history."""
    return list({each.key: attrs.evolve(each, history=()) for each in payouts}.values())


async def _checkpoint() -> None:
    """Let other tasks run and be cancelled, as a journal on a disk does."""
    await anyio.lowlevel.checkpoint()
