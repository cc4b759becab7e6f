"""Repository of payouts: applies state changes to the journal, retries failed writes, reports to observer and log."""

from __future__ import annotations

import contextlib
import copy
import functools
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

from upbit_async.checks import FeeConvention, fee_convention_of
from upbit_async.concurrency import KeyedLock
from upbit_async.errors import JournalError
from upbit_async.logs import logger
from upbit_async.payouts import transitions
from upbit_async.payouts.departure import UNCONDITIONAL
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_time import JournalTime, Now
from upbit_async.payouts.pause import held_back
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.reporting import fields_of, report_change, report_reason
from upbit_async.payouts.row_mac import JOURNAL_KEY_PURPOSE, JournalKeys, RowAuthenticator

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Sequence

    from upbit_async.payouts.departure import DepartureConditions
    from upbit_async.payouts.journal import Journal
    from upbit_async.protocol.endpoint import Transport

__all__ = ["Change", "PayoutRepository"]

Change: TypeAlias = Callable[[Payout, Now], Payout | None]
"""State change: returns the updated payout at a time, or None if nothing changes."""

_log = logger("upbit_async.payouts")
_THIS_PROCESS = f"process {uuid.uuid4()}"
"""Tag of journal times that name no epoch: at least the readings of one process can be compared."""


@attrs.define(eq=False)
class _Unwritten:
    """Changes of one payout that the journal does not have yet, oldest first."""

    stored: Payout
    changes: list[tuple[Change, Now]] = attrs.field(factory=list[tuple[Change, Now]])

    @property
    def latest(self) -> Payout:
        """The payout with all of its changes."""
        payout = self.stored
        for change, now in self.changes:
            payout = change(payout, now) or payout
        return payout


class PayoutRepository:
    """Reads and changes payouts.

    Args:
        journal: Store of the payouts.
        transport: Connection to the host that the journal belongs to.
        clock: Clock for the history, UTC. Leases and settling times use the journal's own clock.
        keys: Keys that authenticate the rows; None to derive one from the client's secret key.
    """

    def __init__(
        self,
        journal: Journal,
        transport: Transport,
        clock: Callable[[], dt.datetime],
        keys: JournalKeys | None = None,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self._transport = transport
        self._keys = keys
        self._runners: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._is_bound = False
        self._unwritten: dict[str, _Unwritten] = {}
        self._locks = KeyedLock()

    async def open(self) -> None:
        """Open the journal, and bind it to this host and region if it is new.

        Raises:
            JournalError: It can't be used, or belongs to another host or region.
        """
        if not self._is_bound:
            await self.journal.bind(self._transport.host, self._transport.region.value)
            self._is_bound = True

    async def aclose(self) -> None:
        """Write the changes that are not written yet, and close the journal."""
        for key in list(self._unwritten):
            try:
                await self._write_pending(key)
            except Exception as error:  # noqa: BLE001 - as in `conclude`
                latest = self._unwritten[key].latest
                text = "%s is %s (%s), which is in no journal: %s"
                failure = _as_journal_error(error)
                _log.error(text, latest, latest.state, latest.uuid, failure, extra=fields_of(latest))
        self._is_bound = False
        await self.journal.aclose()

    @functools.cached_property
    def authenticator(self) -> RowAuthenticator:
        """Authenticator of the journal's rows.

        Raises:
            ConfigurationError: There is no journal key, and no secret key to derive one from.
        """
        keys = self._keys or JournalKeys([self._transport.derive_key(JOURNAL_KEY_PURPOSE)])
        return RowAuthenticator(keys, host=self._transport.host, account=self._transport.region.value)

    async def now(self) -> Now:
        """Return the present, by both clocks."""
        return Now(self.clock(), (await self.journal.now()).tagged(_THIS_PROCESS))

    # -- notifying this process's runner -----------------------------------------------------------

    @contextlib.contextmanager
    def notifying(
        self, *, on_new_work: Callable[[], None], obstacle_removed: Callable[[], None]
    ) -> Generator[None]:
        """Call functions while the block runs.

        Args:
            on_new_work: Called when a payout becomes ``queued``.
            obstacle_removed: Called when payouts that could not be sent may be sent again.
        """
        runner = (on_new_work, obstacle_removed)
        self._runners.append(runner)
        try:
            yield
        finally:
            self._runners.remove(runner)

    def obstacle_removed(self) -> None:
        """Report that payouts that could not be sent may be sent again."""
        for _, hurry in self._runners:
            hurry()

    def has_unwritten(self, key: str) -> bool:
        """Return whether the journal lacks changes of a payout."""
        return key in self._unwritten

    # -- reading -----------------------------------------------------------------------------------

    async def find(self, key: str) -> Payout | None:
        """Write the payout's changes that are not written yet, and return it; None if there is none of that key.

        If they still can't be written, the payout is returned with them, and its `error` says why.
        """
        await self.open()
        try:
            await self._write_pending(key)
        except Exception as error:  # noqa: BLE001 - as in `conclude`
            return attrs.evolve(self._unwritten[key].latest, error=_as_journal_error(error))
        return await self.journal.get(key)

    async def read(self, key: str) -> Payout:
        """Return a payout that must exist, as `find` does.

        Raises:
            ValueError: There is none of that key.
        """
        payout = await self.find(key)
        if payout is None:
            raise ValueError(f"there is no payout {key!r} in this journal")
        return payout

    async def shown(self, payouts: Sequence[Payout]) -> list[Payout]:
        """Return payouts as callers see them: while payouts are paused, the reason of those that wait says so."""
        if not any(each.state.may_be_sent for each in payouts):
            return [*payouts]
        pause = await self.journal.pause_in_force()
        return [held_back(each, pause) for each in payouts]

    async def fee_convention(self) -> FeeConvention | None:
        """Return whether Upbit's amounts include the fee; None if its answers have not shown that yet."""
        payouts = await self.journal.recent_answered()
        return fee_convention_of((each.intent, each.record) for each in payouts if each.record is not None)

    # -- changing ----------------------------------------------------------------------------------

    async def add(self, payout: Payout) -> Payout:
        """Add a payout unless its key exists, and return the payout that has the key."""
        await self.open()
        if payout.key in self._unwritten:
            return await self.read(payout.key)
        stored = await self.journal.add(payout)
        was_added_by_this_call = stored.history == payout.history  # else another task or process was first
        if was_added_by_this_call:
            self._report(None, stored)
        return stored

    async def compare_and_swap(
        self, old: Payout, new: Payout, conditions: DepartureConditions = UNCONDITIONAL
    ) -> Payout:
        """Replace a payout if it has not changed since it was read, and report the change.

        See `Journal.compare_and_swap` for the conditions and what else it raises.

        A payout with changes that the journal does not have yet is not the one in the journal, so no other change may
        come before them. A departure could be taken back by the outcome of the copy before it.

        Raises:
            StaleRevision: The payout has changed since it was read.
            ConflictingPayout: The change conflicts with another payout.
            JournalError: The journal can't be used, or lacks earlier changes of the payout.
        """
        if old.key in self._unwritten:
            raise JournalError(
                f"{old} has changes that could not be written to the journal yet; they are written as soon as the "
                "journal works again: try again then"
            )
        return await self._swap(old, new, conditions)

    async def _swap(
        self, old: Payout, new: Payout, conditions: DepartureConditions = UNCONDITIONAL
    ) -> Payout:
        changed = await self.journal.compare_and_swap(old, new, conditions)
        self._report(None if old.revision < 0 else old, changed)
        return changed

    async def change(self, key: str, change: Change) -> Payout:
        """Apply a change to the newest revision of a payout, and return the result."""
        while True:
            payout = await self.read(key)
            changed = change(payout, await self.now())
            if changed is None:
                return payout
            with contextlib.suppress(StaleRevision):
                return await self.compare_and_swap(payout, changed)

    async def conclude(self, payout: Payout, change: Change) -> Payout:
        """Apply a change that must not be lost, such as Upbit's answer. This never fails.

        Args:
            payout: The payout as it was when its copy was recorded.
            change: The change.

        Returns:
            The updated payout. If the change could not be written, `error` says why, and it is written later.
        """
        now = self._end_of_lease(payout)
        try:
            now = await self.now()
            await self._write_pending(payout.key)
            return await self._write(payout.key, change, now, payout)
        except Exception as error:  # noqa: BLE001 - whatever a journal raises, Upbit's answer must not be lost
            unwritten = self._unwritten.setdefault(payout.key, _Unwritten(payout))
            unwritten.changes.append((change, now))
            latest = unwritten.latest
            failure = _as_journal_error(error)
            text = "%s is %s (%s), which could not be written: %s"
            _log.error(
                text, payout, latest.state, latest.uuid or latest.reason, failure, extra=fields_of(latest)
            )
            return attrs.evolve(latest, error=failure)

    def _end_of_lease(self, payout: Payout) -> Now:
        """Return the end of a payout's lease: the latest time at which the change can have happened.

        It is used if the journal can't even return its time.
        """
        sent_request = payout.required_request
        epoch, seconds = sent_request.left_at.readings[-1]
        return Now(self.clock(), JournalTime(seconds + sent_request.lease, epoch))

    async def _write(self, key: str, change: Change, now: Now, newest: Payout | None = None) -> Payout:
        """Write a change. If another payout was only matched to its withdrawal, that match was wrong.

        Args:
            key: The payout's key.
            change: The change.
            now: The time of the change.
            newest: The payout as it was last known, which saves a read if it is still the newest revision.
        """
        while True:
            payout = newest or await self._stored(key)
            changed = change(payout, now)
            if changed is None and newest is None:
                return payout
            newest = None
            if changed is None:
                continue
            try:
                return await self._swap(payout, changed)
            except StaleRevision:
                continue
            except ConflictingPayout as conflict:
                if changed.uuid is None or not await self._disprove(conflict.by_key, changed.uuid, key, now):
                    return await self._require_review(payout, changed, conflict.by_key, now)

    async def _disprove(self, by_key: str, uuid: str, key: str, now: Now) -> bool:
        """Take a withdrawal from another payout that was only matched to it; return whether that was so."""
        while True:
            other = await self._stored(by_key)
            if not other.is_withdrawal(uuid):
                return False
            changed = transitions.disproved(other, key, now)
            if changed is None:
                return False
            with contextlib.suppress(StaleRevision):
                await self._swap(other, changed)
                return True

    async def _require_review(self, payout: Payout, changed: Payout, by_key: str, now: Now) -> Payout:
        """Require a review: the change conflicts with another payout, which is certain."""
        what = (
            f"withdrawal {changed.uuid}"
            if changed.uuid is not None
            else "an unsettled request with the same criteria"
        )
        while True:
            try:
                return await self._swap(payout, transitions.contested(payout, what, by_key, now))
            except StaleRevision:
                payout = await self._stored(payout.key)

    async def _stored(self, key: str) -> Payout:
        payout = await self.journal.get(key)
        if payout is None:
            raise JournalError(
                f"payout {key!r} is missing from the journal, which another program must have changed; take a copy of "
                "the journal, and find out which program"
            )
        return payout

    async def _write_pending(self, key: str) -> None:
        """Write a payout's changes that could not be written when they happened; one caller at a time.

        Raises:
            JournalError: They still can't be written.
        """
        if key not in self._unwritten:
            return
        async with self._locks.hold(key):
            unwritten = self._unwritten.get(key)
            while unwritten is not None and unwritten.changes:
                await self._write(key, *unwritten.changes[0])
                unwritten.changes.pop(0)
            self._unwritten.pop(key, None)

    def _report(self, before: Payout | None, after: Payout) -> None:
        if before is not None and before.state is after.state:
            report_reason(before, after)
            return
        if after.state is PayoutState.QUEUED:
            for on_new_work, _ in self._runners:
                on_new_work()
        report_change(before, after, self._transport)


def _as_journal_error(error: Exception) -> JournalError:
    """Return a `JournalError` for any exception of a journal, without its cause and context."""
    if isinstance(error, JournalError):
        return copy.copy(error)
    return JournalError(f"the journal failed with {type(error).__name__}: {error}")
