"""`MemoryJournal`: a journal in the memory of one process, for tests and simulations."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import attrs

from upbit_async.errors import JournalError
from upbit_async.models import Withdrawal
from upbit_async.payouts.journal import RECENT_ANSWERS, ConflictingPayout, Related, StaleRevision
from upbit_async.payouts.journal_time import JournalTime
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Sequence

    from anyio.lowlevel import EventLoopToken

    from upbit_async.payouts.manual import ManualDecision

__all__ = ["MemoryJournal"]


@attrs.define
class _Unowned:
    """A withdrawal that belongs to no payout, or is acknowledged as none; the record is None if it was never read."""

    currency: str
    record: Withdrawal | None
    is_acknowledged: bool


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
        self._payouts: dict[str, Payout] = {}  # in the order in which they were added
        self._marks: dict[str, str] = {}
        self._unowned: dict[str, _Unowned] = {}
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
        with self._lock:
            epoch = self._epochs.setdefault(anyio.lowlevel.current_token(), f"memory/{uuid.uuid4()}")
        return JournalTime(anyio.current_time(), epoch)

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key exists; see `Journal.add`."""
        await _checkpoint()
        with self._lock:
            return self._payouts.setdefault(payout.key, payout)

    async def get(self, key: str) -> Payout | None:
        """Return a payout, or None; see `Journal.get`."""
        await _checkpoint()
        return self._payouts.get(key)

    async def compare_and_swap(self, old: Payout, new: Payout) -> Payout:
        """Replace a payout by its next revision; see `Journal.compare_and_swap`."""
        await _checkpoint()
        changed = attrs.evolve(new, revision=old.revision + 1)
        with self._lock:
            for other in self._payouts.values():
                if other.key != changed.key and _forbids(other, changed):
                    raise ConflictingPayout(other.key)
            known = self._payouts.get(old.key)
            if known is None or known.revision != old.revision:
                raise StaleRevision
            self._payouts[changed.key] = changed
            return changed

    async def open_keys(self) -> Sequence[str]:
        """Return the keys of all open payouts; see `Journal.open_keys`."""
        await _checkpoint()
        with self._lock:
            return [
                payout.key
                for payout in self._payouts.values()
                if payout.is_open or (payout.may_be_unseen and payout.state is PayoutState.ABANDONED)
            ]

    async def related(self, currency: str, uuids: Collection[str]) -> Related:
        """Return what is known about withdrawals; see `Journal.related`."""
        await _checkpoint()
        wanted = set(uuids)
        with self._lock:
            return Related(
                payouts=[
                    attrs.evolve(payout, history=())
                    for payout in self._payouts.values()
                    if _may_own(payout, currency) or (payout.uuid or "").casefold() in wanted
                ],
                acknowledged=frozenset(id_ for id_ in wanted if self._is_acknowledged(id_)),
                unowned=list(self._records_of_unowned(currency)),
            )

    async def recent_answered(self) -> Sequence[Payout]:
        """Return the newest payouts that Upbit's answers named; see `Journal.recent_answered`."""
        await _checkpoint()
        with self._lock:
            answered = [
                attrs.evolve(payout, history=())
                for payout in self._payouts.values()
                if payout.evidence is Evidence.ANSWER and payout.uuid is not None
            ]
        return answered[::-1][:RECENT_ANSWERS]

    async def mark(self, currency: str) -> str | None:
        """Return a currency's reconciliation mark; see `Journal.mark`."""
        await _checkpoint()
        return self._marks.get(currency)

    async def reconcile(
        self, currency: str, unowned: Sequence[Withdrawal], *, old_mark: str | None, new_mark: str | None
    ) -> None:
        """Store unowned withdrawals and move the mark; see `Journal.reconcile`."""
        await _checkpoint()
        with self._lock:
            for record in unowned:
                id_ = record.uuid.casefold()
                if self._owner_of(id_) is None:
                    self._unowned.setdefault(id_, _Unowned(currency, record, is_acknowledged=False))
            if new_mark is not None and self._marks.get(currency) == old_mark:
                self._marks[currency] = new_mark

    async def acknowledge(self, uuid: str, currency: str, decision: ManualDecision, at: dt.datetime) -> None:
        """Record that a withdrawal is no payout; see `Journal.acknowledge`."""
        del decision, at
        await _checkpoint()
        with self._lock:
            if (by_key := self._owner_of(uuid)) is not None:
                raise ConflictingPayout(by_key)
            known = self._unowned.setdefault(uuid.casefold(), _Unowned(currency, None, is_acknowledged=True))
            known.is_acknowledged = True

    async def aclose(self) -> None:
        """Do nothing: the journal keeps what it has, and can be used again."""

    def _owner_of(self, uuid: str) -> str | None:
        owners = (payout.key for payout in self._payouts.values() if payout.is_withdrawal(uuid))
        return next(owners, None)

    def _is_acknowledged(self, uuid: str) -> bool:
        known = self._unowned.get(uuid)
        return known is not None and known.is_acknowledged

    def _records_of_unowned(self, currency: str) -> Iterator[Withdrawal]:
        for known in self._unowned.values():
            if not known.is_acknowledged and known.currency == currency and known.record is not None:
                yield known.record


def _forbids(other: Payout, changed: Payout) -> bool:
    """Return whether a payout forbids a change of another; see `Journal.compare_and_swap`."""
    if changed.uuid is not None and other.is_withdrawal(changed.uuid):
        return True
    if other.criteria != changed.criteria:
        return False
    if changed.state is PayoutState.SENDING and other.holds_up_equals:
        return True
    return other.state.is_under_way and changed.state.is_under_way


def _may_own(payout: Payout, currency: str) -> bool:
    return payout.criteria.currency == currency and (
        payout.state.may_have_unknown_withdrawal or payout.may_be_unseen
    )


async def _checkpoint() -> None:
    """Let other tasks run and be cancelled, as a journal on a disk does."""
    await anyio.lowlevel.checkpoint()
